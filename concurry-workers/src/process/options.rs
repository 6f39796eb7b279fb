//! [`ProcessOptions`]: how the processes of a pool are to be.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::hook;

/// How the processes of a pool in mode process are to be; given to
/// [`WorkerOptions::process`](crate::options::WorkerOptions::process). What is not named is as in the program itself.
///
/// What the system refuses makes `init` fail with its cause.
///
/// # Examples
///
/// ```
/// use concurry_workers::process::ProcessOptions;
/// use std::time::Duration;
///
/// let options = ProcessOptions::new()
///     .env("OMP_NUM_THREADS", "1")
///     .current_dir("/tmp")
///     .nice(10)
///     .cpu_affinity(|worker| vec![worker]) // a processor a worker
///     .prefix_output()
///     .start_timeout(Duration::from_secs(30));
/// # let _ = options;
/// ```
#[derive(Clone, Default)]
#[must_use = "give it to the `process` of a pool's options"]
pub struct ProcessOptions {
    clears_environment: bool,
    /// In the order in which they were named; none is taken out.
    environment: Vec<(OsString, Option<OsString>)>,
    pub(super) folder: Option<PathBuf>,
    pub(super) nice: Option<i32>,
    affinity: Option<Affinity>,
    pub(super) prefixes_output: bool,
    pub(crate) start_timeout: Option<Duration>,
    pub(super) kill_grace: Option<Duration>,
    is_served_in_main: bool,
}

type Affinity = Arc<dyn Fn(usize) -> Vec<usize> + Send + Sync>;

impl ProcessOptions {
    /// Processes as the program itself is.
    pub fn new() -> Self {
        Self::default()
    }

    /// An environment variable, in place of the program's own if there is one.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((key.as_ref().to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    /// Without this environment variable of the program.
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.environment.push((key.as_ref().to_owned(), None));
        self
    }

    /// Without any environment variable of the program: those alone that [`env`](Self::env) names, before this or after.
    ///
    /// ```
    /// use concurry_workers::process::ProcessOptions;
    ///
    /// let keep = ["PATH", "HOME"].into_iter().filter_map(|key| Some((key, std::env::var_os(key)?)));
    /// let bare = keep.fold(ProcessOptions::new().env_clear(), |options, (key, value)| options.env(key, value));
    /// # let _ = bare;
    /// ```
    pub fn env_clear(mut self) -> Self {
        self.clears_environment = true;
        self
    }

    /// The folder that they work in.
    pub fn current_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Their niceness, -20 to 19: how far others go before them. Below the program's own it takes a privilege.
    pub fn nice(mut self, niceness: i32) -> Self {
        self.nice = Some(niceness);
        self
    }

    /// The processors that the worker of each number, from 0 on, runs on: of those that the program itself may use, at least
    /// one. Linux alone.
    pub fn cpu_affinity(mut self, cpus: impl Fn(usize) -> Vec<usize> + Send + Sync + 'static) -> Self {
        self.affinity = Some(Arc::new(cpus));
        self
    }

    /// Each line that they write to standard output or error comes with the pool's name and the worker's number before it:
    /// `[llm-0] line`. Lines are whole, also the last one of a process that dies; one of more than a mebibyte is broken up. A
    /// line is seen when it has ended.
    ///
    /// Otherwise their output goes where the program's goes, as it comes.
    pub fn prefix_output(mut self) -> Self {
        self.prefixes_output = true;
        self
    }

    /// How long it may take from the start of a process until its worker is there; no bound by default. One that takes longer
    /// is ended, and `init` fails with [`InitError::StartTimedOut`](crate::InitError::StartTimedOut).
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = Some(timeout);
        self
    }

    /// How long a process that `cancel_hard` ends has from `SIGTERM` to `SIGKILL`: for a handler of its own that cleans up; a
    /// second by default. Zero kills at once.
    pub fn kill_grace(mut self, grace: Duration) -> Self {
        self.kill_grace = Some(grace);
        self
    }

    /// Processes of this pool run `main`, and are served by the
    /// [`run_worker_if_child`](crate::process::hook::run_worker_if_child) that stands first in it, instead of before `main`: for
    /// programs that are to have nothing run before that. Without that call a process finds out that it is a child as soon as it
    /// starts a pool of processes itself, which fails then.
    pub fn serve_in_main(mut self) -> Self {
        self.is_served_in_main = true;
        self
    }

    /// The processors of a worker, if they are named.
    pub(crate) fn cpus(&self, worker: usize) -> Option<Vec<usize>> {
        self.affinity.as_ref().map(|cpus| cpus(worker))
    }

    pub(super) fn has_affinity(&self) -> bool {
        self.affinity.is_some()
    }

    /// What the system does for a process that is started.
    pub(super) fn prepare(&self, command: &mut Command) {
        if self.clears_environment {
            command.env_clear();
        }
        for (key, value) in &self.environment {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command.env(hook::VARIABLE, if self.is_served_in_main { hook::IN_MAIN } else { hook::BEFORE_MAIN });
    }
}

impl fmt::Debug for ProcessOptions {
    /// Without the values of the environment, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.environment.iter().map(|(key, _)| key).collect();
        f.debug_struct("ProcessOptions")
            .field("environment", &keys)
            .field("folder", &self.folder)
            .field("nice", &self.nice)
            .finish_non_exhaustive()
    }
}
