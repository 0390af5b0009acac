//! `steadfast connect`: lines in, frames out, for as long as somebody is there.

mod asked;
mod hold;
mod watch;

use std::{
    fs,
    hash::{BuildHasher, RandomState},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::ValueEnum;
use steadfast::{
    Class, Config, Plain, SendOptions,
    protocol::json::{Json, Login},
    shown_address,
};
use steadfast_tokio::{BadProxy, BadTrust, Builder, Proxy, Tcp, Tokio, Trust};

use self::hold::hold;
use super::{habit::Habit, span, token};
use crate::{
    Failure,
    trace::{Recordable, Recording},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The server, as ws://host:port/path or wss://host/path
    url: String,
    /// What is spoken
    #[arg(long, default_value = "plain")]
    protocol: Tongue,
    /// A header for the handshake, as 'Name: value'; may be repeated
    #[arg(long, value_name = "HEADER", value_parser = header)]
    header: Vec<(String, String)>,
    /// A PEM file with root certificates to trust instead of those of the machine (wss)
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A PEM file with a client certificate to show to the server (wss)
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// A PEM file with the private key of that certificate
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Reach the server through this proxy: http://[user:password@]host:port or socks5://…; 'env' takes it from the
    /// environment (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY)
    #[arg(long, value_name = "URL", value_parser = proxy)]
    proxy: Option<Proxy>,
    /// The credential for the login of json; 'env:NAME' takes it from the environment
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// With json: every line is kept until the server acknowledges it
    #[arg(long)]
    acks: bool,
    /// Write down all that the session is told and does, without credentials: see 'replay' and 'explain'
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// With --record, and /record: without what is said, too
    #[arg(long)]
    redact: bool,
    /// Give up if the first attempt fails, instead of trying for ever
    #[arg(long)]
    fail_fast: bool,
    /// After how long without a link the session is called degraded
    #[arg(long, default_value = "30s", value_parser = span::parse, value_name = "TIME")]
    degraded_after: Duration,
    /// How long lines may take to leave after the end of the input
    #[arg(long, default_value = "10s", value_parser = span::parse, value_name = "TIME")]
    drain: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Tongue {
    /// A line is a text frame
    Plain,
    /// A line is a name and its content: order {"table":4}
    Json,
}

/// Stays connected until the input ends, Ctrl-C is pressed, or the session stops by itself.
pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    if args.protocol == Tongue::Plain && (args.acks || args.token.is_some()) {
        return Err(Failure::new("--acks and --token are for --protocol json; a plain server may want --header"));
    }
    let is_secure = args.url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("wss://"));
    if !is_secure && (args.ca.is_some() || args.cert.is_some()) {
        return Err(Failure::new("--ca, --cert and --key are for TLS: write wss:// instead of ws://"));
    }
    match args.protocol {
        Tongue::Plain => hold(&args, &Habit::plain(), None, || Plain).await,
        Tongue::Json => {
            let credential = token::read(args.token.as_deref())?;
            let has_login = credential.is_some();
            hold(&args, &Habit::json(), credential, || args.json(has_login)).await
        }
    }
}

impl Args {
    /// The protocol, for one session: the ids of two are not to be the same.
    fn json(&self, has_login: bool) -> Json {
        let incarnation = u64::from(std::process::id()) << 32 | u64::from(nanos());
        let json = Json::new(incarnation).acks(self.acks);
        if has_login { json.login(Login::default()) } else { json }
    }

    /// A session, recorded if that is wanted.
    fn session<P: Recordable>(
        &self,
        protocol: P,
        credential: Option<&str>,
        trust: Trust,
        recording: Option<&Recording>,
    ) -> Result<Builder<P, Tokio, Tcp>, Failure> {
        let mut config = Config::default();
        // Whoever sits at the terminal says when it is over, not the server.
        config.long_lived = true;
        config.degraded_after = self.degraded_after;
        let seed = RandomState::new().hash_one(());
        let builder = steadfast_tokio::connect(&self.url).config(config.clone()).seed(seed).trust(trust);
        let builder = self.header.iter().fold(builder, |builder, (name, value)| builder.header(name, value));
        let builder = match &self.proxy {
            Some(proxy) => builder.proxy(proxy.clone()),
            None => builder,
        };
        let builder = match credential {
            Some(credential) => builder.credential(credential),
            None => builder,
        };
        let builder = builder.protocol(protocol.clone());
        match recording {
            Some(recording) => recording.watch(builder, &protocol, seed, config),
            None => Ok(builder),
        }
    }

    /// Whom to trust, and what to show.
    fn trust(&self) -> Result<Trust, Failure> {
        let trust = match &self.ca {
            None => Trust::platform(),
            Some(path) => Trust::only(pem("--ca", path)?).map_err(|bad| unusable("--ca", path, &bad))?,
        };
        match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => trust
                .identity(pem("--cert", cert)?, pem("--key", key)?)
                .map_err(|bad| unusable("--cert, --key", cert, &bad)),
            _ => Ok(trust),
        }
    }

    /// The URL without what may be a credential.
    fn shown(&self) -> String {
        shown_address(&self.url)
    }

    /// The host and port of the URL.
    fn host(&self) -> String {
        let shown = self.shown();
        let rest = shown.split_once("://").map_or(&*shown, |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority.rsplit('@').next().unwrap_or_default().to_owned()
    }

    const fn options(&self) -> SendOptions {
        let class = if self.acks { Class::AtLeastOnce } else { Class::AtMostOnce };
        SendOptions::new(class)
    }
}

fn pem(option: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::new(format!("{option}: cannot read {}: {error}", path.display())))
}

fn unusable(option: &str, path: &Path, bad: &BadTrust) -> Failure {
    Failure::new(format!("{option}: {}: {bad}", path.display()))
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as 'Name: value'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn proxy(text: &str) -> Result<Proxy, BadProxy> {
    if text == "env" { Proxy::from_env() } else { Proxy::parse(text) }
}

fn nanos() -> u32 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().subsec_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_a_name_and_a_value() {
        assert_eq!(header("X-Region: eu:west"), Ok(("X-Region".into(), "eu:west".into())));
        assert!(header("X-Region").is_err());
    }
}
