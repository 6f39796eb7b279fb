//! How a child is started.

use std::io;
use std::process::{Child, Command, Stdio};

use concurry_core::call::WorkerDied;

use super::hook;
use super::transport::{Sink, SocketSink, SocketSource, Source, pair};

/// Starts children. Here, the own executable; on a cluster, something else.
pub(crate) trait Launch: Send + Sync {
    /// Starts one and returns its life and both halves of its transport.
    fn launch(&self) -> io::Result<Launched>;
}

/// A child that was started.
pub(crate) struct Launched {
    pub(super) life: Box<dyn Life>,
    pub(super) sink: Box<dyn Sink>,
    pub(super) source: Box<dyn Source>,
}

/// The life of a child.
pub(super) trait Life: Send {
    /// Waits for its end and says what it was; `by_force` ends it first.
    fn end(&mut self, by_force: bool) -> WorkerDied;
}

/// The own executable, as a child process.
///
/// On Linux it is found through the kernel, so it works also after the file was replaced or deleted. The socket is the
/// child's standard input: no other descriptor has to be inherited, and none can leak to a child that another thread
/// starts at the same moment.
pub(crate) struct OwnExecutable;

impl Launch for OwnExecutable {
    fn launch(&self) -> io::Result<Launched> {
        let (ours, theirs) = pair()?;
        let child = Command::new(own_path()?)
            .env(hook::VARIABLE, "1")
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            .spawn()?;
        let source = ours.try_clone()?;
        Ok(Launched {
            life: Box::new(Process(child)),
            sink: Box::new(SocketSink(ours)),
            source: Box::new(SocketSource::new(source)),
        })
    }
}

fn own_path() -> io::Result<std::path::PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

struct Process(Child);

impl Life for Process {
    fn end(&mut self, by_force: bool) -> WorkerDied {
        use std::os::unix::process::ExitStatusExt;
        if by_force {
            // An error says that it has ended already.
            drop(self.0.kill());
        }
        match self.0.wait() {
            Ok(status) => WorkerDied::new(status.signal(), status.code()),
            Err(error) => {
                tracing::error!(%error, "the system does not tell how a worker's process ended");
                WorkerDied::new(None, None)
            }
        }
    }
}

impl Drop for Process {
    /// Neither a child nor a zombie is left behind, whatever went wrong before.
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            self.end(true);
        }
    }
}
