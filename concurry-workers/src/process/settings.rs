//! What of a pool's options is about processes: asked for by the program, or else by the configuration, and checked.

use std::time::Duration;

use concurry_core::config::PoolConfig;
use concurry_core::mode::ExecutionMode;

use super::{ProcessOptions, Transport};
use crate::error::InitError;
use crate::options::WorkerOptions;
use crate::worker::Worker;

/// What the program asks for.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    transport: Option<Transport>,
    recycling: Recycling,
    process: ProcessOptions,
}

/// What holds for a pool.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) transport: Transport,
    pub(crate) recycling: Recycling,
    pub(crate) process: ProcessOptions,
    /// From `SIGTERM` to `SIGKILL`.
    pub(crate) kill_grace: Duration,
}

/// When a worker's process gives way to a new one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Recycling {
    /// After so many calls.
    pub(crate) calls: Option<u64>,
    /// At this age.
    pub(crate) age: Option<Duration>,
    /// With so many bytes resident.
    pub(crate) memory: Option<u64>,
}

impl<W: Worker, A> WorkerOptions<W, A> {
    /// How calls and answers travel to worker processes and back; by default what the environment variable
    /// `CONCURRY_TRANSPORT` says, or else shared memory where the system has it. The other modes have no use for it.
    pub fn transport(mut self, transport: Transport) -> Self {
        self.processes.transport = Some(transport);
        self
    }

    /// How the processes of the pool are to be: environment, folder, niceness, processors, output, and how long their start and
    /// their end may take. It says nothing of the other modes, whose workers share all that with the program.
    ///
    /// ```
    /// use concurry_workers::process::ProcessOptions;
    ///
    /// let low = ProcessOptions::new().nice(10).prefix_output();
    /// # let _ = low;
    /// ```
    pub fn process(mut self, options: ProcessOptions) -> Self {
        self.processes.process = options;
        self
    }

    /// A worker's process gives way to a new one once it has run so many calls, 1 or more; never by default. Against what leaks
    /// with each call.
    ///
    /// The new one is made while the old one goes on, so it may run a few calls more. It takes over when its worker is there,
    /// between two calls; none is lost or run twice, and it is no restart for [`max_restarts`](Self::max_restarts). One that
    /// cannot be made is logged, and tried again after a while. `stats().recycled` counts those that have taken over.
    ///
    /// Mode process alone: `init` fails in the others.
    pub fn max_calls_per_worker(mut self, calls: u64) -> Self {
        self.processes.recycling.calls = Some(calls);
        self
    }

    /// As [`max_calls_per_worker`](Self::max_calls_per_worker), once its process is so old, whether it has run calls or not. Not
    /// zero. The time is measured on the pool's [`clock`](Self::clock).
    pub fn max_worker_age(mut self, age: Duration) -> Self {
        self.processes.recycling.age = Some(age);
        self
    }

    /// As [`max_calls_per_worker`](Self::max_calls_per_worker), once so many bytes of its process are in memory after a call, 1 or
    /// more: the resident set as the system counts it, which holds up to 4 MiB that are shared with the pool. Looked at when
    /// the process has no more calls, or else every 10 ms. Where the system does not tell, `init` fails.
    pub fn max_worker_memory(mut self, bytes: u64) -> Self {
        self.processes.recycling.memory = Some(bytes);
        self
    }
}

impl Asked {
    /// What holds for a pool in this mode.
    pub(crate) fn resolve(self, mode: ExecutionMode, config: &PoolConfig) -> Result<Settings, InitError> {
        let is_process = mode == ExecutionMode::Process;
        let transport = transport(self.transport, is_process)?;
        let mut recycling = self.recycling;
        recycling.check(is_process)?;
        // The configuration's is for pools of processes, whatever others its section is for.
        if is_process {
            recycling.calls = recycling.calls.or(config.max_calls_per_worker);
            recycling.age = recycling.age.or(config.max_worker_age);
            recycling.memory = recycling.memory.or(config.max_worker_memory);
            recycling.check(is_process)?;
        }
        let mut process = self.process;
        if is_process {
            process.start_timeout = process.start_timeout.or(config.start_timeout);
        }
        process.check()?;
        let kill_grace = process.kill_grace.or(config.kill_grace).unwrap_or_default();
        Ok(Settings { transport, recycling, process, kill_grace })
    }
}

impl ProcessOptions {
    fn check(&self) -> Result<(), InitError> {
        let refuse = |option, value, expected| Err(InitError::InvalidOption { option, value, expected });
        match self.nice {
            Some(nice) if !(-20..=19).contains(&nice) => {
                return refuse("nice", nice.to_string(), "niceness is from -20 to 19");
            }
            _ => {}
        }
        if self.has_affinity() && !cfg!(target_os = "linux") {
            return refuse("cpu_affinity", "set".to_owned(), "processors can be chosen on Linux alone");
        }
        if self.start_timeout.is_some_and(|timeout| timeout.is_zero()) {
            return refuse("start_timeout", "0".to_owned(), "a process needs some time to start");
        }
        Ok(())
    }
}

fn transport(asked: Option<Transport>, is_process: bool) -> Result<Transport, InitError> {
    if !is_process {
        return Ok(Transport::default());
    }
    let invalid = |value: String, expected| InitError::InvalidOption { option: "transport", value, expected };
    let transport = match asked {
        Some(transport) => transport,
        None => Transport::from_environment()
            .map_err(|error| invalid(error.to_string(), "CONCURRY_TRANSPORT is ring or socket"))?,
    };
    if transport.is_there() {
        Ok(transport)
    } else {
        Err(invalid(transport.to_string(), "this system has none in shared memory: use the socket"))
    }
}

impl Settings {
    /// Whether who waits for a call may read its answer: what a process says can be read by others than its owner, who need not look
    /// after each answer whether it is to give way.
    pub(crate) fn may_stand_in(&self) -> bool {
        self.transport == Transport::Ring && self.recycling.is_off()
    }
}

impl Recycling {
    /// Whether there is nothing to look for.
    pub(crate) fn is_off(&self) -> bool {
        self.calls.is_none() && self.age.is_none() && self.memory.is_none()
    }

    fn check(&self, is_process: bool) -> Result<(), InitError> {
        const EXPECTED: &str =
            "a process that gives way to a new one has done or been something: more than 0";
        let refuse = |option, value, expected| Err(InitError::InvalidOption { option, value, expected });
        let asked = [
            ("max_calls_per_worker", self.calls.map(|calls| (calls.to_string(), calls == 0))),
            ("max_worker_age", self.age.map(|age| (format!("{age:?}"), age.is_zero()))),
            ("max_worker_memory", self.memory.map(|bytes| (bytes.to_string(), bytes == 0))),
        ];
        for (option, value) in asked {
            match value {
                Some((value, _)) if !is_process => {
                    let expected =
                        "workers give way to new ones in mode process alone: leave it out in this mode";
                    return refuse(option, value, expected);
                }
                Some((value, true)) => return refuse(option, value, EXPECTED),
                _ => {}
            }
        }
        match self.memory {
            Some(bytes) if !cfg!(target_os = "linux") => refuse(
                "max_worker_memory",
                bytes.to_string(),
                "this system does not tell how much memory a process has",
            ),
            _ => Ok(()),
        }
    }
}
