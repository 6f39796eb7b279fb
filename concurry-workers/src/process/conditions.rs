//! What a child does for itself before its worker is made: its niceness, and the processors that it runs on.
//!
//! It is the only thread then, and the others that come inherit both. Whether there is one processor alone its pool tells it: to find
//! out takes as long as much of a start, and whom it waits for is the pool, wherever it runs itself.

use std::io;

use concurry_core::spin::told_alone;
use serde::{Deserialize, Serialize};

use super::frame::Failure;

/// How a child is to run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Conditions {
    pub(super) nice: Option<i32>,
    pub(super) cpus: Option<Vec<u32>>,
    /// Whether the pool has one processor alone.
    pub(super) alone: bool,
}

impl Conditions {
    /// Does what was asked for.
    pub(super) fn apply(&self) -> Result<(), Failure> {
        told_alone(self.alone);
        if let Some(nice) = self.nice {
            rustix::process::setpriority_process(None, nice)
                .map_err(|error| refused(format!("the niceness {nice}"), error.into()))?;
        }
        match &self.cpus {
            Some(cpus) => run_on(cpus),
            None => Ok(()),
        }
    }
}

fn refused(what: String, error: io::Error) -> Failure {
    Failure::Refused(format!("{what}: {error}"))
}

#[cfg(target_os = "linux")]
fn run_on(cpus: &[u32]) -> Result<(), Failure> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let what = || format!("the processors {cpus:?}");
    let mut set = CpuSet::new();
    for cpu in cpus {
        let cpu = usize::try_from(*cpu).unwrap_or(usize::MAX);
        if cpu >= CpuSet::MAX_CPU {
            let most = CpuSet::MAX_CPU;
            return Err(Failure::Refused(format!("{}: there are none from {most} on", what())));
        }
        set.set(cpu);
    }
    sched_setaffinity(None, &set).map_err(|error| refused(what(), error.into()))?;
    // The system leaves out those that are not there, as long as one is.
    let actual = sched_getaffinity(None).map_err(|error| refused(what(), error.into()))?;
    if actual == set {
        Ok(())
    } else {
        Err(Failure::Refused(format!("{}: not all of them are there for this program", what())))
    }
}

#[cfg(not(target_os = "linux"))]
fn run_on(_: &[u32]) -> Result<(), Failure> {
    Err(Failure::Refused("processors cannot be chosen on this system".to_owned()))
}
