//! How a child is started.

use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::hook;
use super::life::{Life, Process};
use super::memory::Memory;
use super::options::ProcessOptions;
use super::output::Output;
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
    pub(super) output: Option<Output>,
}

/// The own executable, as a child process.
///
/// On Linux it is found through the kernel, so it works also after the file was replaced or deleted. The socket is the
/// child's standard input: no other descriptor has to be inherited, and none can leak to a child that another thread
/// starts at the same moment.
pub(crate) struct OwnExecutable<'a> {
    pub(crate) transport: Transport,
    pub(crate) options: &'a ProcessOptions,
    /// What its output is known by.
    pub(crate) name: String,
}

impl Launch for OwnExecutable<'_> {
    fn launch(&self) -> io::Result<Launched> {
        if hook::is_child() {
            // Its children would be as it is, and so on without end.
            let text = "this process is itself a worker's, and its `main` has not called run_worker_if_child";
            return Err(io::Error::other(text));
        }
        let (ours, theirs) = pair()?;
        let mut command = Command::new(own_path()?);
        self.options.prepare(&mut command);
        if self.options.prefixes_output {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let child = command
            // A group of its own: Ctrl-C in a terminal is for the program that has pools, which ends its children itself.
            .process_group(0)
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            .spawn();
        let mut life = Process::new(child.map_err(|error| self.explained(error))?);
        let output =
            self.options.prefixes_output.then(|| Output::start(life.child(), &self.name)).transpose()?;
        let transport = self.transport;
        let memory = Arc::new(Memory::create(transport.memory())?);
        give(&ours, transport.byte(), memory.file())?;
        Ok(Launched { life: Box::new(life), stream: ours, memory, transport, output })
    }
}

impl OwnExecutable<'_> {
    /// The system says what was wrong, but not with what.
    fn explained(&self, error: io::Error) -> io::Error {
        match &self.options.folder {
            Some(folder) if !folder.is_dir() => {
                io::Error::new(error.kind(), format!("the working folder {}: {error}", folder.display()))
            }
            _ => error,
        }
    }
}

/// Where the own executable is found.
pub(super) fn own_path() -> io::Result<std::path::PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}
