//! Proxies that others wrote, in front of a server that others wrote: tests/interop/proxies. They cut what is idle, and what
//! is left 300 ms after a reload.

use std::{
    fs, iter,
    marker::PhantomData,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::id,
    time::Duration,
};

use steadfast::{
    Code, Kind, Outcome, Recovery, SendOptions,
    protocol::json::{Json, Message},
};
use steadfast_driver::Item;

use crate::{
    adapters::Adapter,
    app::{AGES, MOMENT, json, plain, tuned, with},
    process::{Process, Program, file},
    scenarios::{
        Scenario,
        foreign::{Foreign, Python},
    },
    server::Server,
};

/// What one of them is asked.
macro_rules! asked {
    ($by:ty: $($name:ident)+) => {
        vec![$((&*format!("{}::{}", <$by>::NAME, stringify!($name)).leak(), $name::<A, $by> as fn(&A)),)+]
    };
}

pub(super) fn all<A: Adapter>() -> Vec<Scenario<A>> {
    [any::<A, Nginx>(), any::<A, HaProxy>()].concat()
}

fn any<A: Adapter, P: Proxy>() -> Vec<Scenario<A>> {
    asked! { P:
        the_heartbeat_keeps_an_idle_link
        without_one_it_is_cut_and_comes_back
        a_server_that_is_away_is_waited_for
        reloads_lose_nothing
    }
}

/// What one of them is.
trait Proxy {
    const NAME: &'static str;
    const CONFIG: &'static str;
    /// What it answers while the server is away.
    const AWAY: u16;

    fn start(config: &str) -> Program;
    /// What takes over, if that is another one.
    fn reload(config: &str, running: &Program) -> Option<Program>;
}

struct Nginx;

impl Proxy for Nginx {
    const NAME: &'static str = "nginx";
    const CONFIG: &'static str = "nginx.conf";
    const AWAY: u16 = 502;

    fn start(config: &str) -> Program {
        let folder = Path::new(config).parent().unwrap().to_str().unwrap();
        Program::start("nginx", &["-e", "stderr", "-p", folder, "-c", config])
    }

    fn reload(_: &str, running: &Program) -> Option<Program> {
        running.hang_up();
        None
    }
}

struct HaProxy;

impl Proxy for HaProxy {
    const NAME: &'static str = "haproxy";
    const CONFIG: &'static str = "haproxy.cfg";
    const AWAY: u16 = 503;

    fn start(config: &str) -> Program {
        Program::start("haproxy", &["-db", "-q", "-f", config])
    }

    fn reload(config: &str, running: &Program) -> Option<Program> {
        Some(Program::start("haproxy", &["-db", "-q", "-f", config, "-sf", &running.id().to_string()]))
    }
}

/// One that runs, in a folder of its own.
struct Front<P> {
    folder: PathBuf,
    listen: SocketAddr,
    running: Vec<Program>,
    proxy: PhantomData<P>,
}

impl<P: Proxy> Front<P> {
    /// In front of this server. A link that is idle for so many seconds is cut.
    fn before(server: &Process, idle: u32) -> Self {
        let listen = Server::bind().address();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{}-{}", P::NAME, id(), listen.ip()));
        fs::create_dir_all(&folder).unwrap();
        let mut config = fs::read_to_string(file("interop/proxies").join(P::CONFIG)).unwrap();
        for (word, value) in
            [("LISTEN", listen.to_string()), ("SERVER", server.address().to_string()), ("IDLE", format!("{idle}s"))]
        {
            config = config.replace(word, &value);
        }
        fs::write(folder.join(P::CONFIG), config).unwrap();
        let mut front = Self { folder, listen, running: Vec::new(), proxy: PhantomData };
        front.running.push(P::start(&front.config()));
        front
    }

    fn config(&self) -> String {
        self.folder.join(P::CONFIG).to_str().unwrap().to_owned()
    }

    fn url(&self, path: &str) -> String {
        format!("ws://{}/{path}", self.listen)
    }

    fn reload(&mut self) {
        let next = P::reload(&self.config(), self.running.last().unwrap());
        self.running.extend(next);
    }
}

impl<P> Drop for Front<P> {
    fn drop(&mut self) {
        self.running.clear();
        // What is left there harms nobody.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The pings are many times as frequent as they have to be: the machine may be busy elsewhere.
fn the_heartbeat_keeps_an_idle_link<A: Adapter, P: Proxy>(adapter: &A) {
    let front = Front::<P>::before(Python::shared(), 5);
    let config = tuned(|config| (config.heartbeat.interval, config.heartbeat.timeout) = (MOMENT * 2, AGES));
    let mut app = with(adapter, &front.url("live"), config);
    app.online();
    app.send("!later 12000 still-here").unwrap();
    let said = app.find(|item| match item {
        Item::Error(error) => Some(Err(error)),
        item => item.into_message().map(Ok),
    });
    assert_eq!(said.expect("it is not cut").as_str(), Some("still-here"));
}

fn without_one_it_is_cut_and_comes_back<A: Adapter, P: Proxy>(adapter: &A) {
    let front = Front::<P>::before(Python::shared(), 1);
    let config = tuned(|config| {
        (config.heartbeat.interval, config.heartbeat.keepalive) = (Duration::MAX, Duration::MAX);
    });
    let mut app = with(adapter, &front.url("live"), config);
    app.online();
    let error = app.error();
    assert_eq!((error.kind, error.recovery), (Kind::NetworkError, Recovery::Retry));
    app.online();
}

fn a_server_that_is_away_is_waited_for<A: Adapter, P: Proxy>(adapter: &A) {
    let server = Python::start();
    let front = Front::<P>::before(&server, 60);
    let mut app = plain(adapter, &front.url("live"));
    app.online();
    let address = server.address();
    drop(server);
    assert_eq!(app.error().kind, Kind::NetworkError);
    // The first may be the dying server's, and then it is a 502 with each of them.
    let error = iter::repeat_with(|| app.error()).find(|error| error.code == Some(Code::Http(P::AWAY))).unwrap();
    assert_eq!((error.kind, error.recovery), (Kind::ServiceUnavailable, Recovery::Retry));
    let _server = Process::start_at(Python::PROGRAM, Python::PATH, address);
    app.online();
    app.send("there again").unwrap();
    assert_eq!(app.text(), "there again");
}

/// Two of them, while orders are sent.
fn reloads_lose_nothing<A: Adapter, P: Proxy>(adapter: &A) {
    let server = Python::start();
    let mut front = Front::<P>::before(&server, 60);
    let mut app = json(adapter, &front.url("orders"), Json::default().acks(true));
    app.online();
    let (mut orders, mut reloads) = (0_u64, 0);
    while app.stats().online <= 2 {
        if app.stats().online > reloads {
            front.reload();
            reloads += 1;
        }
        let tickets = (orders..orders + 20).map(|order| {
            let order = Message::new("order", &order).unwrap();
            app.send_tracked(order, SendOptions::at_least_once()).unwrap()
        });
        for ticket in tickets.collect::<Vec<_>>() {
            assert_eq!(app.wait(ticket), Outcome::Acked);
        }
        orders += 20;
    }
    let tally = app.request(Message::bare("tally"));
    let known: Vec<u64> = app.wait(tally).unwrap().unwrap().parse().unwrap();
    assert!(known.into_iter().eq(0..orders));
}
