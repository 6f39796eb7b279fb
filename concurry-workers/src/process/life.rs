//! The life of a child and of its process group: signals, and its end.
//!
//! Promises: a signal reaches the child or nobody. A process's number is given to another one once its end was asked for; so
//! asking and signalling exclude each other, and waiting for the end comes before asking for it.

use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::{Arc, Mutex};

use concurry_core::call::WorkerDied;
use concurry_core::sync::lock;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// The life of a child.
pub(super) trait Life: Send {
    /// Waits for its end and says what it was; `by_force` ends it first, with all of its group.
    fn end(&mut self, by_force: bool) -> WorkerDied;
    /// The system's number of it.
    fn process_id(&self) -> u32;
    /// What signals are sent to.
    fn group(&self) -> Arc<Group>;
    /// What can be read from once it has ended, where the system has such a thing: its socket does not tell that while something that it
    /// has forked holds it open.
    fn ends(&self) -> Option<OwnedFd>;
}

/// The process group of a child, which is its leader: it, and what it has started.
pub(crate) struct Group {
    /// None when the system has a number that is none, and once the child's end was asked for.
    leader: Mutex<Option<Pid>>,
}

impl Group {
    /// Asks all of it to end.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends all of it.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(leader) = *lock(&self.leader) {
            // An error says that all have ended already.
            let _ended = kill_process_group(leader, signal);
        }
    }
}

/// A child process of this one.
pub(super) struct Process {
    child: Child,
    group: Arc<Group>,
}

impl Process {
    /// `child` leads a group of its own.
    pub(super) fn new(child: Child) -> Self {
        let leader = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Self { child, group: Arc::new(Group { leader: Mutex::new(leader) }) }
    }

    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until the child has ended, and leaves its end to be asked for.
    fn wait(&self) {
        let Some(leader) = *lock(&self.group.leader) else { return };
        let how = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(waitid(WaitId::Pid(leader), how), Err(Errno::INTR)) {}
    }
}

impl Life for Process {
    fn end(&mut self, by_force: bool) -> WorkerDied {
        use std::os::unix::process::ExitStatusExt;
        if by_force {
            self.group.kill();
        }
        self.wait();
        let mut leader = lock(&self.group.leader);
        *leader = None;
        match self.child.wait() {
            Ok(status) => WorkerDied::new(status.signal(), status.code()),
            Err(error) => {
                tracing::error!(%error, "the system does not tell how a worker's process ended");
                WorkerDied::new(None, None)
            }
        }
    }

    fn process_id(&self) -> u32 {
        self.child.id()
    }

    fn group(&self) -> Arc<Group> {
        Arc::clone(&self.group)
    }

    fn ends(&self) -> Option<OwnedFd> {
        #[cfg(target_os = "linux")]
        {
            use rustix::process::{PidfdFlags, pidfd_open};
            let leader = *lock(&self.group.leader);
            leader.and_then(|leader| pidfd_open(leader, PidfdFlags::empty()).ok())
        }
        #[cfg(not(target_os = "linux"))]
        None
    }
}

impl Drop for Process {
    /// Neither a child nor a zombie is left behind, whatever went wrong before.
    fn drop(&mut self) {
        if lock(&self.group.leader).is_some() {
            self.end(true);
        }
    }
}
