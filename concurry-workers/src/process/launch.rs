//! How a child is started.

use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::hook;
use super::life::{Life, Process};
use super::memory::Memory;
use super::transport::{Transport, give, pair};

/// Starts children. Here, the own executable; on a cluster, something else.
pub(crate) trait Launch: Send + Sync {
    /// Starts one and returns its life, its socket and the memory that it shares.
    fn launch(&self) -> io::Result<Launched>;
}

/// A child that was started.
pub(crate) struct Launched {
    pub(super) life: Box<dyn Life>,
    pub(super) stream: UnixStream,
    pub(super) memory: Arc<Memory>,
    pub(super) transport: Transport,
}

/// The own executable, as a child process.
///
/// On Linux it is found through the kernel, so it works also after the file was replaced or deleted. The socket is the
/// child's standard input: no other descriptor has to be inherited, and none can leak to a child that another thread
/// starts at the same moment.
pub(crate) struct OwnExecutable {
    pub(crate) transport: Transport,
}

impl Launch for OwnExecutable {
    fn launch(&self) -> io::Result<Launched> {
        let (ours, theirs) = pair()?;
        let child = Command::new(own_path()?)
            .env(hook::VARIABLE, "1")
            // A group of its own: Ctrl-C in a terminal is for the program that has pools, which ends its children itself.
            .process_group(0)
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            .spawn()?;
        let life = Box::new(Process::new(child));
        let transport = self.transport;
        let memory = Arc::new(Memory::create(transport.memory())?);
        give(&ours, transport.byte(), memory.file())?;
        Ok(Launched { life, stream: ours, memory, transport })
    }
}

fn own_path() -> io::Result<std::path::PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}
