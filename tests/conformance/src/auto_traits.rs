//! What of an adapter's may go to another thread, be used by several at once, and be moved? Checked when this is compiled.
//! (Those of the driver's types that have nothing to do with a runtime are checked there.)

use std::net::TcpStream;

use steadfast::Plain;
use steadfast_driver::{Built, Runtime, Tls, Ws};

const fn is_of_all_threads<T: Send + Sync + Unpin + 'static>() {}
const fn is_of_one_thread_at_a_time<T: Send + Unpin + 'static>() {}

macro_rules! check {
    ($adapter:ident, $runtime:ident, $io:ty) => {
        const _: () = {
            is_of_all_threads::<($adapter::$runtime, $adapter::Net, $adapter::Tcp)>();
            is_of_all_threads::<($io, Ws<$io>, Tls<$io>)>();
            is_of_one_thread_at_a_time::<(<$adapter::$runtime as Runtime>::Sleep, $adapter::Countdown)>();
            is_of_one_thread_at_a_time::<Built<Plain, $adapter::$runtime, $adapter::Tcp>>();
            is_of_one_thread_at_a_time::<($adapter::Driver<Plain>, $adapter::Socket<Plain>)>();
        };
    };
}

check!(steadfast_tokio, Tokio, steadfast_tokio::TokioIo<tokio::net::TcpStream>);
check!(steadfast_smol, Smol, steadfast_smol::SmolIo<TcpStream>);
check!(steadfast_async_std, AsyncStd, steadfast_async_std::AsyncStdIo<async_std::net::TcpStream>);
check!(steadfast_blocking, Threads, steadfast_blocking::ThreadIo<mio::net::TcpStream>);

const _: () = is_of_all_threads::<steadfast_blocking::Late>();
