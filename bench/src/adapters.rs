//! Each adapter beside the library that frames for its runtime: messages a second at window 1024, and what an echo costs
//! the client's CPU when the next is sent only after it.

use std::{
    cell::RefCell,
    future::Future,
    io,
    net::{SocketAddr, TcpStream},
};

use async_tungstenite::client_async;
use mio::{Events, Interest, Poll, Token};
use steadfast::{Event, Frame, Never, Plain};
use steadfast_blocking::{Recv, Wait};
use steadfast_driver::{Builder, Item, Native, Net, Tcp};
use tungstenite::{Message, WebSocket, protocol::Role};

use crate::{
    Outcome, ceiling,
    client::{PAYLOAD, QUIET, Sample, Stopwatch, WINDOW, bare, ours},
    gate,
    host::{self, Core},
    server::Server,
};

/// A runtime with its adapter, and its peer.
trait Runtime {
    const NAME: &'static str;
    /// In which of the two arrangements it does what its peer does. Who blocks has one thread, as its library has.
    const IS_IN_ONE_PIECE: bool = false;
    type Net: Net<Countdown: Send>;

    /// Runs this as one of the runtime's own tasks, and waits for its end.
    fn run<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> T;
    fn spawn(task: impl Future<Output: Send> + Send + 'static);
    fn connect(url: &str) -> Builder<Plain, Native<Self::Net>, Tcp<Self::Net>>;
    /// Another way to use that library, one message at a time, to be shown beside it.
    const ASIDE: Option<Aside> = None;

    /// The runtime's own library, one flush a burst.
    fn peer(server: SocketAddr, messages: u64, window: u64) -> Outcome<Sample>;

    /// A handle, and the driver beside it.
    fn with_a_driver(server: SocketAddr, messages: u64, window: u64) -> Outcome<Sample> {
        Self::run(async move {
            let (client, mut events, driver) = Self::connect(&format!("ws://{server}/")).build()?;
            Self::spawn(driver);
            ours::until_online(&mut events).await?;
            // With the last handle the session ends, and its driver.
            ours::echo(&client, events, messages, window).await
        })
    }

    /// The same in one piece: who waits for the echo does the work.
    fn in_one_piece(server: SocketAddr, messages: u64, window: u64) -> Outcome<Sample> {
        Self::run(async move {
            let socket = Self::connect(&format!("ws://{server}/")).into_stream()?;
            ours::echo_in_one_piece(socket, messages, window).await
        })
    }
}

/// What it is called, and how it echoes so many.
type Aside = (&'static str, fn(SocketAddr, u64) -> Outcome<Sample>);

/// How much is run. The rounds are many and short, so that what the machine does meanwhile hits all alike.
struct Plan {
    rounds: usize,
    busy: u64,
    lone: u64,
}

/// Prints the table; whether the gates were kept.
pub(crate) fn run(quick: bool) -> Outcome<bool> {
    let plan = if quick {
        Plan { rounds: 5, busy: 100_000, lone: 2_000 }
    } else {
        Plan { rounds: 27, busy: 200_000, lone: 5_000 }
    };
    // Before this process gives up the core that is the server's.
    let server = Server::start()?;
    host::pin(Core::First);
    println!("each adapter beside its runtime's own library, 128 B text, medians of interleaved rounds");
    Ok(beside::<Tokio>(&plan, &server)?
        & beside::<Smol>(&plan, &server)?
        & beside::<AsyncStd>(&plan, &server)?
        & beside::<Blocking>(&plan, &server)?)
}

/// What the rounds of one contender took: busy, and lone.
#[derive(Default)]
struct Rounds {
    seconds: Vec<f64>,
    cpu: Vec<f64>,
}

impl Rounds {
    fn push(&mut self, plan: &Plan, echo: impl Fn(u64, u64) -> Outcome<Sample>) -> Outcome<()> {
        self.seconds.push(echo(plan.busy, WINDOW)?.elapsed.as_secs_f64());
        self.cpu.push(echo(plan.lone, 1)?.cpu.as_secs_f64());
        Ok(())
    }

    fn medians(self) -> Medians {
        Medians { seconds: median(self.seconds), cpu: median(self.cpu) }
    }
}

/// The middle ones of them.
#[derive(Clone, Copy)]
struct Medians {
    seconds: f64,
    cpu: f64,
}

fn beside<R: Runtime>(plan: &Plan, server: &Server) -> Outcome<bool> {
    let (mut driven, mut piece, mut peer) = (Rounds::default(), Rounds::default(), Rounds::default());
    let mut aside = Vec::new();
    for _ in 0..plan.rounds {
        driven.push(plan, |messages, window| R::with_a_driver(server.address, messages, window))?;
        piece.push(plan, |messages, window| R::in_one_piece(server.address, messages, window))?;
        peer.push(plan, |messages, window| R::peer(server.address, messages, window))?;
        if let Some((_, echo)) = R::ASIDE {
            aside.push(echo(server.address, plan.lone)?.cpu.as_secs_f64());
        }
    }
    let (driven, piece, peer) = (driven.medians(), piece.medians(), peer.medians());
    let (ours, other) = if R::IS_IN_ONE_PIECE { (piece, driven) } else { (driven, piece) };
    let how = ["driver beside", "in one piece"];
    let [ours_how, other_how] = if R::IS_IN_ONE_PIECE { [how[1], how[0]] } else { how };
    let label = |what| format!("{:>9}, {ours_how}, x its library, {what}", R::NAME);
    let is_fast = gate(&label("window 1024"), peer.seconds / ours.seconds, 0.95);
    let is_lean = ceiling(&label("CPU at window 1"), ours.cpu / peer.cpu, 1.05);
    println!("     {:>9}, {other_how}: {:.2}, {:.2}", R::NAME, peer.seconds / other.seconds, other.cpu / peer.cpu);
    if let Some((how, _)) = R::ASIDE {
        println!("     {:>9}, its library {how}: {:.2} at window 1", R::NAME, median(aside) / peer.cpu);
    }
    Ok(is_fast & is_lean)
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

struct Tokio;

impl Runtime for Tokio {
    const NAME: &'static str = "tokio";
    type Net = steadfast_tokio::Net;

    fn run<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async { tokio::spawn(task).await.expect("it does not panic") })
    }

    fn spawn(task: impl Future<Output: Send> + Send + 'static) {
        drop(tokio::spawn(async { drop(task.await) }));
    }

    fn connect(url: &str) -> Builder<Plain, Native<Self::Net>, Tcp<Self::Net>> {
        steadfast_tokio::connect(url)
    }

    fn peer(server: SocketAddr, messages: u64, window: u64) -> Outcome<Sample> {
        Self::run(async move { bare::coalesced(bare::open(server).await?, messages, window).await })
    }
}

struct Smol;

impl Runtime for Smol {
    const NAME: &'static str = "smol";
    type Net = steadfast_smol::Net;

    fn run<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> T {
        smol::block_on(smol::spawn(task))
    }

    fn spawn(task: impl Future<Output: Send> + Send + 'static) {
        smol::spawn(task).detach();
    }

    fn connect(url: &str) -> Builder<Plain, Native<Self::Net>, Tcp<Self::Net>> {
        steadfast_smol::connect(url)
    }

    fn peer(server: SocketAddr, messages: u64, window: u64) -> Outcome<Sample> {
        Self::run(async move {
            let stream = smol::net::TcpStream::connect(server).await?;
            stream.set_nodelay(true)?;
            let (socket, _) = client_async(format!("ws://{server}/"), stream).await?;
            bare::coalesced(socket, messages, window).await
        })
    }
}

struct AsyncStd;

impl Runtime for AsyncStd {
    const NAME: &'static str = "async-std";
    type Net = steadfast_async_std::Net;

    fn run<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> T {
        async_std::task::block_on(async_std::task::spawn(task))
    }

    fn spawn(task: impl Future<Output: Send> + Send + 'static) {
        drop(async_std::task::spawn(async { drop(task.await) }));
    }

    fn connect(url: &str) -> Builder<Plain, Native<Self::Net>, Tcp<Self::Net>> {
        steadfast_async_std::connect(url)
    }

    fn peer(server: SocketAddr, messages: u64, window: u64) -> Outcome<Sample> {
        Self::run(async move {
            let stream = async_std::net::TcpStream::connect(server).await?;
            stream.set_nodelay(true)?;
            let (socket, _) = client_async(format!("ws://{server}/"), stream).await?;
            bare::coalesced(socket, messages, window).await
        })
    }
}

struct Blocking;

impl Runtime for Blocking {
    const NAME: &'static str = "blocking";
    const IS_IN_ONE_PIECE: bool = true;
    const ASIDE: Option<Aside> = Some(("under a poller, where a send or a deadline could wake it", under_a_poller));
    type Net = steadfast_blocking::Net;

    fn run<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> T {
        task.wait()
    }

    fn spawn(task: impl Future<Output: Send> + Send + 'static) {
        drop(steadfast_blocking::spawn(task).expect("a thread"));
    }

    fn connect(url: &str) -> Builder<Plain, Native<Self::Net>, Tcp<Self::Net>> {
        steadfast_blocking::connect(url)
    }

    fn peer(server: SocketAddr, messages: u64, window: u64) -> Outcome<Sample> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        let (socket, _) = tungstenite::client(format!("ws://{server}/"), stream)?;
        let socket = RefCell::new(socket);
        let say = |burst| {
            let mut socket = socket.borrow_mut();
            (0..burst).try_for_each(|_| socket.write(Message::text(PAYLOAD)))?;
            Ok(socket.flush()?)
        };
        in_lockstep(messages, window, say, || is_echo(socket.borrow_mut().read()?.len()))
    }

    fn with_a_driver(server: SocketAddr, messages: u64, window: u64) -> Outcome<Sample> {
        let (client, mut events, driver) = Self::connect(&format!("ws://{server}/")).build()?;
        Self::spawn(driver);
        ours::until_online(&mut events).wait()?;
        let say = |burst| Ok((0..burst).try_for_each(|_| client.send(PAYLOAD).map(drop))?);
        in_lockstep(messages, window, say, || hear(events.recv()))
    }

    fn in_one_piece(server: SocketAddr, messages: u64, window: u64) -> Outcome<Sample> {
        let mut socket = Self::connect(&format!("ws://{server}/")).into_stream()?;
        ours::until_online(&mut socket).wait()?;
        let client = socket.client().clone();
        let say = |burst| Ok((0..burst).try_for_each(|_| client.send(PAYLOAD).map(drop))?);
        in_lockstep(messages, window, say, || hear(socket.recv()))
    }
}

/// Who blocks cannot take what has come without waiting for more; so a whole window goes out, and a whole one comes back.
fn in_lockstep(
    messages: u64,
    window: u64,
    say: impl Fn(u64) -> Outcome<()>,
    mut hear: impl FnMut() -> Outcome<()>,
) -> Outcome<Sample> {
    let watch = Stopwatch::start();
    let mut left = messages;
    while left > 0 {
        let burst = left.min(window);
        say(burst)?;
        (0..burst).try_for_each(|_| hear())?;
        left -= burst;
    }
    Ok(watch.stop())
}

/// What a client needs that is to do anything else while nothing comes. A read that blocks is cheaper, and deaf.
fn under_a_poller(server: SocketAddr, messages: u64) -> Outcome<Sample> {
    let stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    let (socket, _) = tungstenite::client(format!("ws://{server}/"), stream)?;
    let stream = socket.into_inner();
    stream.set_nonblocking(true)?;
    let mut stream = mio::net::TcpStream::from_std(stream);
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1));
    poll.registry().register(&mut stream, Token(0), Interest::READABLE)?;
    let mut socket = WebSocket::from_raw_socket(stream, Role::Client, None);
    let watch = Stopwatch::start();
    for _ in 0..messages {
        socket.send(Message::text(PAYLOAD))?;
        loop {
            poll.poll(&mut events, Some(QUIET))?;
            match socket.read() {
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                echo => break is_echo(echo?.len())?,
            }
        }
    }
    Ok(watch.stop())
}

fn hear(item: Option<Item<Frame, Never>>) -> Outcome<()> {
    let Some(Item::Event(Event::Message { message, .. })) = item else { return Err("that is no message".into()) };
    is_echo(message.len())
}

fn is_echo(length: usize) -> Outcome<()> {
    if length == PAYLOAD.len() { Ok(()) } else { Err("that is no echo".into()) }
}
