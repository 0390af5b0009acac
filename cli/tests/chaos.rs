//! Each fault, on real sockets of this machine.
#![expect(clippy::unwrap_used, reason = "a test says by failing what went wrong")]

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use steadfast_cli::chaos::{Fault, Proxy, Schedule, Side, Storm};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(10);
/// How long nothing may come before we believe that nothing comes.
const QUIET: Duration = Duration::from_millis(60);

/// A listener behind a proxy.
struct World {
    upstream: TcpListener,
    proxy: Proxy,
}

impl World {
    async fn new() -> Self {
        let upstream = TcpListener::bind(ANY).await.unwrap();
        let proxy = Proxy::start(ANY, upstream.local_addr().unwrap()).await.unwrap();
        Self { upstream, proxy }
    }

    /// Both ends of a connection through the proxy that has been tried out.
    async fn pair(&self) -> (TcpStream, TcpStream) {
        let mut client = TcpStream::connect(self.proxy.address()).await.unwrap();
        let (mut server, _) = timeout(LONG, self.upstream.accept()).await.unwrap().unwrap();
        send(&mut client, b"hello").await;
        expect(&mut server, b"hello").await;
        (client, server)
    }
}

async fn send(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).await.unwrap();
}

async fn expect(stream: &mut TcpStream, bytes: &[u8]) {
    let mut got = vec![0; bytes.len()];
    timeout(LONG, stream.read_exact(&mut got)).await.expect("in time").unwrap();
    assert_eq!(got, bytes);
}

async fn expect_end(stream: &mut TcpStream) {
    let n = timeout(LONG, stream.read(&mut [0; 64])).await.expect("in time").unwrap();
    assert_eq!(n, 0, "the stream goes on");
}

async fn expect_reset(stream: &mut TcpStream) {
    let error = timeout(LONG, stream.read(&mut [0; 64])).await.expect("in time").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

async fn expect_nothing(stream: &mut TcpStream) {
    assert!(timeout(QUIET, stream.read(&mut [0; 64])).await.is_err(), "something came");
}

#[tokio::test]
async fn in_good_weather_every_byte_arrives_in_order() {
    let world = World::new().await;
    let (mut client, mut server) = world.pair().await;
    let bytes: Vec<u8> = (0..2_000_000_u32).map(|n| (n % 251) as u8).collect();
    let copy = bytes.clone();
    let sending = tokio::spawn(async move {
        send(&mut client, &copy).await;
        client.shutdown().await.unwrap();
        client
    });
    expect(&mut server, &bytes).await;
    expect_end(&mut server).await;
    let mut client = sending.await.unwrap();
    send(&mut server, b"bye").await;
    drop(server);
    expect(&mut client, b"bye").await;
    expect_end(&mut client).await;
}

#[tokio::test]
async fn a_hit_is_counted_where_something_was_hit_and_only_there() {
    let lasting =
        [Fault::Freeze(LONG), Fault::Delay { by: QUIET, lasts: LONG }, Fault::Throttle { rate: 8_000, lasts: LONG }];
    for fault in lasting {
        let world = World::new().await;
        let (mut client, mut server) = world.pair().await;
        world.proxy.strike(fault);
        expect_nothing(&mut server).await;
        assert_eq!(world.proxy.hits().total(), 0, "{fault}: nobody said anything");
        send(&mut client, b"hello").await;
        let hit = async {
            while world.proxy.hits().of(fault.kind()) == 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, hit).await.expect("it hits");
        assert_eq!(world.proxy.hits().of(fault.kind()), world.proxy.hits().total(), "{fault}");
    }
    for fault in [Fault::Cut, Fault::Reset, Fault::Refuse(LONG), Fault::BlackHole, Fault::HalfClose(Side::Client)] {
        let world = World::new().await;
        world.proxy.strike(fault);
        world.proxy.calm();
        assert_eq!(world.proxy.hits().total(), 0, "{fault}: nobody was there");
        let (_client, _server) = world.pair().await;
        world.proxy.strike(fault);
        timeout(LONG, world.proxy.live().wait_for(|live| *live == 0)).await.expect("it hits").unwrap();
        // What is broken cannot be broken again.
        world.proxy.strike(Fault::Reset);
        let hits = world.proxy.hits();
        assert_eq!((hits.of(fault.kind()), hits.total()), (1, 1), "{fault}");
    }
}

#[tokio::test]
async fn a_cut_ends_both_sides_in_order() {
    let world = World::new().await;
    let (mut client, mut server) = world.pair().await;
    world.proxy.strike(Fault::Cut);
    expect_end(&mut client).await;
    expect_end(&mut server).await;
}

#[tokio::test]
async fn a_reset_ends_both_sides_at_once() {
    let world = World::new().await;
    let (mut client, mut server) = world.pair().await;
    world.proxy.strike(Fault::Reset);
    expect_reset(&mut client).await;
    expect_reset(&mut server).await;
}

#[tokio::test]
async fn what_was_frozen_arrives_after_the_thaw() {
    let world = World::new().await;
    let (mut client, mut server) = world.pair().await;
    world.proxy.strike(Fault::Freeze(LONG));
    send(&mut client, b"up").await;
    send(&mut server, b"down").await;
    expect_nothing(&mut server).await;
    expect_nothing(&mut client).await;
    world.proxy.calm();
    expect(&mut server, b"up").await;
    expect(&mut client, b"down").await;
}

#[tokio::test]
async fn while_it_refuses_old_and_new_connections_are_reset() {
    let world = World::new().await;
    let (mut client, mut server) = world.pair().await;
    world.proxy.strike(Fault::Refuse(LONG));
    expect_reset(&mut client).await;
    expect_reset(&mut server).await;
    if let Ok(mut refused) = TcpStream::connect(world.proxy.address()).await {
        expect_reset(&mut refused).await;
    }
    world.proxy.calm();
    world.pair().await;
}

#[tokio::test]
async fn a_black_hole_swallows_until_the_client_gives_up() {
    let world = World::new().await;
    let (mut client, mut server) = world.pair().await;
    world.proxy.strike(Fault::BlackHole);
    send(&mut server, b"lost").await;
    send(&mut client, b"lost").await;
    expect_nothing(&mut client).await;
    expect_nothing(&mut server).await;
    drop(client);
    expect_end(&mut server).await;
}

#[tokio::test]
async fn a_half_close_leaves_the_other_direction() {
    let world = World::new().await;
    let (mut client, mut server) = world.pair().await;
    world.proxy.strike(Fault::HalfClose(Side::Client));
    expect_end(&mut client).await;
    send(&mut client, b"still here").await;
    expect(&mut server, b"still here").await;

    let (mut client, mut server) = world.pair().await;
    world.proxy.strike(Fault::HalfClose(Side::Upstream));
    expect_end(&mut server).await;
    send(&mut server, b"still here").await;
    expect(&mut client, b"still here").await;
}

#[tokio::test]
async fn a_delay_makes_everything_later() {
    let world = World::new().await;
    let (mut client, mut server) = world.pair().await;
    let by = Duration::from_millis(80);
    world.proxy.strike(Fault::Delay { by, lasts: LONG });
    let start = Instant::now();
    send(&mut client, b"ping").await;
    expect(&mut server, b"ping").await;
    send(&mut server, b"pong").await;
    expect(&mut client, b"pong").await;
    assert!(start.elapsed() >= 2 * by, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_throttle_makes_everything_slow() {
    let world = World::new().await;
    let (mut client, mut server) = world.pair().await;
    world.proxy.strike(Fault::Throttle { rate: 40_000, lasts: LONG });
    let start = Instant::now();
    send(&mut client, &[7; 4_000]).await;
    expect(&mut server, &[7; 4_000]).await;
    // A tenth of a second by the rate; the last piece is not waited for.
    assert!(start.elapsed() >= Duration::from_millis(70), "{:?}", start.elapsed());
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_told_and_the_client_reset() {
    let nobody = TcpListener::bind(ANY).await.unwrap().local_addr().unwrap();
    let proxy = Proxy::start(ANY, nobody).await.unwrap();
    let mut unreachable = proxy.unreachable();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    expect_reset(&mut client).await;
    let told = timeout(LONG, unreachable.wait_for(Option::is_some)).await.unwrap().unwrap().clone().unwrap();
    assert_eq!(told.times, 1);
    assert!(told.why.contains("refused"), "{}", told.why);
}

#[tokio::test]
async fn a_proxy_that_is_dropped_ends_its_connections() {
    let world = World::new().await;
    let (mut client, _server) = world.pair().await;
    let address = world.proxy.address();
    drop(world.proxy);
    expect_end(&mut client).await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_storm_strikes_what_is_up_and_ends() {
    let World { upstream, proxy } = World::new().await;
    let address = proxy.address();
    // A server that takes what comes, and a client that comes back whatever happens.
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = upstream.accept().await.unwrap();
            tokio::spawn(async move { while stream.read(&mut [0; 64]).await.is_ok_and(|n| n > 0) {} });
        }
    });
    let client = tokio::spawn(async move {
        loop {
            if let Ok(mut stream) = TcpStream::connect(address).await {
                // It gives up a silent connection, as a black hole is one.
                let _ = timeout(QUIET, stream.read(&mut [0; 64])).await;
            }
        }
    });
    let mut storm = Storm::new(Arc::new(proxy), Schedule::new(1, Duration::from_millis(10), Some(16)));
    let mut struck = Vec::new();
    while let Some(fault) = timeout(LONG, storm.next()).await.expect("the storm goes on") {
        struck.push(fault);
    }
    let expected: Vec<Fault> = Schedule::new(1, Duration::from_millis(10), Some(16)).map(|s| s.fault).collect();
    assert_eq!(struck, expected);
    assert_eq!(storm.counts().total(), 16);
    client.abort();
    server.abort();
}
