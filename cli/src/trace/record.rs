//! A session on its way into a file.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use steadfast::{
    Plain, Protocol,
    protocol::json::Json,
    trace::{Header, Redact, Redaction, Tape},
};
use steadfast_tokio::{Builder, Dialer, Tokio};

use crate::Failure;

/// A protocol whose sessions can be recorded.
pub(crate) trait Recordable:
    Protocol<
        Message: Redact + Serialize + DeserializeOwned + Send,
        Incoming: Serialize + Send,
        Topic: Serialize + DeserializeOwned + Send,
        Link: Send,
    > + Send
    + 'static
{
}

impl Recordable for Plain {}
impl Recordable for Json {}

/// A file that a session is recorded to. A thread of its own writes it: nobody waits for the disk under a session's lock.
#[derive(Debug)]
pub(crate) struct Recording {
    path: PathBuf,
    redaction: Redaction,
    lines: SyncSender<String>,
    /// There was no room for a line.
    is_cut: Arc<AtomicBool>,
    written: Receiver<io::Result<()>>,
}

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
    pub(crate) fn start(path: &Path, payloads: bool) -> Result<Self, Failure> {
        let failed = |error| Failure::new(format!("--record: cannot make {}: {error}", path.display()));
        let file = File::create_new(path).map_err(failed)?;
        let mut redaction = Redaction::default();
        redaction.payloads = payloads;
        let (lines, waiting) = sync_channel(WAITING);
        let (done, written) = sync_channel(1);
        let is_cut = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_cut);
        thread::spawn(move || done.send(write(file, &waiting, &told)));
        Ok(Self { path: path.to_owned(), redaction, lines, is_cut, written })
    }

    /// Records the session that will be built; its protocol, settings and seed are set by now, and these.
    ///
    /// # Errors
    ///
    /// The settings make no sense.
    pub(crate) fn watch<P, D>(
        &self,
        builder: Builder<P, Tokio, D>,
        protocol: P,
        header: &Header,
    ) -> Result<Builder<P, Tokio, D>, Failure>
    where
        P: Recordable,
        D: Dialer,
    {
        let tape = Tape::session(protocol, header, self.redaction.clone(), self.sink());
        Ok(builder.watch(tape.map_err(|error| Failure::new(error.to_string()))?))
    }

    /// Takes lines until there is no room; then the recording is over.
    fn sink(&self) -> impl FnMut(&str) + Send + 'static {
        let (lines, is_cut) = (self.lines.clone(), Arc::clone(&self.is_cut));
        move |line| {
            if !is_cut.load(Ordering::Relaxed) && lines.try_send(line.to_owned()).is_err() {
                is_cut.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Waits until all is written. The session is over and dropped by then.
    ///
    /// # Errors
    ///
    /// Something could not be written.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let Self { path, lines, written, .. } = self;
        drop(lines);
        let problem = match written.recv_timeout(PATIENCE) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(RecvTimeoutError::Timeout) => "the last lines are not written".into(),
            Err(RecvTimeoutError::Disconnected) => "its writer is gone".into(),
        };
        Err(Failure::new(format!("--record: {} is not whole: {problem}", path.display())))
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
