//! A session on its way into a file.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use steadfast::{
    Config, Plain, Protocol,
    protocol::json::Json,
    trace::{Header, Redact, Redaction, Tape},
};
use steadfast_tokio::{Builder, Dialer};

use crate::Failure;

/// A protocol whose sessions can be recorded.
pub(crate) trait Recordable:
    Protocol<
        Message: Redact + Serialize + DeserializeOwned + Send,
        Incoming: Serialize + Clone + Send,
        Topic: Serialize + DeserializeOwned + Send,
        Link: Send,
    > + Send
    + Clone
    + 'static
{
    /// The first line of a trace.
    fn header(&self, seed: u64, config: Config) -> Header;
}

impl Recordable for Plain {
    fn header(&self, seed: u64, config: Config) -> Header {
        Header::new("plain", &(), seed, config)
    }
}

impl Recordable for Json {
    fn header(&self, seed: u64, config: Config) -> Header {
        Header::new("json", self, seed, config)
    }
}

/// A file that a session is recorded to. A thread of its own writes it: nobody waits for the disk under a session's lock.
#[derive(Debug)]
pub(crate) struct Recording {
    /// What asked for it.
    option: &'static str,
    path: PathBuf,
    redaction: Redaction,
    lines: Lines,
    /// There was no room for a line.
    is_cut: Arc<AtomicBool>,
    written: Receiver<io::Result<()>>,
}

/// Where lines go; nowhere once the recording is finished, though the session may go on.
type Lines = Arc<Mutex<Option<SyncSender<String>>>>;

/// Lines that may wait for the disk. If there are more the recording ends, and says so.
const WAITING: usize = 1 << 16;
/// How long the last lines may take.
const PATIENCE: Duration = Duration::from_secs(10);

impl Recording {
    /// Makes the file. With `payloads` what is said is taken out, and not only credentials.
    ///
    /// # Errors
    ///
    /// It cannot be made, or is there already.
    pub(crate) fn start(option: &'static str, path: &Path, payloads: bool) -> Result<Self, Failure> {
        let failed = |error| Failure::new(format!("{option}: cannot make {}: {error}", path.display()));
        let file = File::create_new(path).map_err(failed)?;
        let mut redaction = Redaction::default();
        redaction.payloads = payloads;
        let (lines, waiting) = sync_channel(WAITING);
        let (done, written) = sync_channel(1);
        let is_cut = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_cut);
        thread::spawn(move || done.send(write(file, &waiting, &told)));
        let lines = Arc::new(Mutex::new(Some(lines)));
        Ok(Self { option, path: path.to_owned(), redaction, lines, is_cut, written })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Records the session that will be built; its protocol, seed and settings are set by now, and these.
    ///
    /// # Errors
    ///
    /// The settings make no sense.
    pub(crate) fn watch<P, R, D>(
        &self,
        builder: Builder<P, R, D>,
        protocol: &P,
        seed: u64,
        config: Config,
    ) -> Result<Builder<P, R, D>, Failure>
    where
        P: Recordable,
        D: Dialer,
    {
        let header = protocol.header(seed, config);
        let tape = Tape::session(protocol.clone(), &header, self.redaction.clone(), self.sink());
        Ok(builder.watch(tape.map_err(|error| Failure::new(error.to_string()))?))
    }

    /// Takes lines until there is no room, or until it is finished; then the recording is over.
    fn sink(&self) -> impl FnMut(&str) + Send + 'static {
        let (lines, is_cut) = (Arc::clone(&self.lines), Arc::clone(&self.is_cut));
        move |line| {
            let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(lines) = lines.as_ref().filter(|_| !is_cut.load(Ordering::Relaxed)) else { return };
            if lines.try_send(line.to_owned()).is_err() {
                is_cut.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Waits until all is written. A session that is not over goes on without being recorded.
    ///
    /// # Errors
    ///
    /// Something could not be written.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let Self { option, path, lines, written, .. } = self;
        drop(lines.lock().unwrap_or_else(PoisonError::into_inner).take());
        let problem = match written.recv_timeout(PATIENCE) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(RecvTimeoutError::Timeout) => "the last lines are not written".into(),
            Err(RecvTimeoutError::Disconnected) => "its writer is gone".into(),
        };
        Err(Failure::new(format!("{option}: {} is not whole: {problem}", path.display())))
    }
}

fn write(file: File, lines: &Receiver<String>, is_cut: &AtomicBool) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    for line in lines {
        writeln!(file, "{line}")?;
    }
    if is_cut.load(Ordering::Relaxed) {
        writeln!(file, r#"{{"spoiled":"the disk was too slow"}}"#)?;
    }
    file.flush()
}
