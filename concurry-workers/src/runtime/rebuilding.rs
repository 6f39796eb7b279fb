//! Workers that are made anew, after a panic or a death: how often, and what happens when that fails.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use concurry_core::clock::{Clock, Timestamp};
use concurry_core::sync::lock;

use super::Shared;
use crate::error::InitError;
use crate::pool::Counters;
use crate::worker::Worker;

/// How often a constructor is run for a worker that is to be made anew, before the worker is lost.
const TRIES: u32 = 3;
/// The wait after the first failure; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// How often workers of a pool may be made anew.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RestartBudget {
    pub(crate) count: usize,
    pub(crate) within: Duration,
}

/// The restarts of a pool, as far as its budget needs them.
#[derive(Debug, Default)]
pub(crate) struct Restarts {
    budget: Option<RestartBudget>,
    latest: Mutex<VecDeque<Timestamp>>,
}

impl Restarts {
    pub(crate) fn of(budget: Option<RestartBudget>) -> Self {
        Self { budget, latest: Mutex::default() }
    }

    /// Notes a restart, if there may be one more.
    fn note(&self, clock: &dyn Clock) -> Result<(), InitError> {
        let Some(RestartBudget { count, within }) = self.budget else { return Ok(()) };
        let now = clock.now();
        let mut latest = lock(&self.latest);
        while latest.front().is_some_and(|first| *first + within <= now) {
            latest.pop_front();
        }
        if latest.len() >= count {
            return Err(InitError::TooManyRestarts { count, within });
        }
        latest.push_back(now);
        Ok(())
    }
}

impl<W: Worker> Shared<W> {
    /// Makes a worker anew by `make`, a few times if it fails. When the pool's budget is spent the pool gives up.
    pub(crate) fn rebuild<T>(&self, make: impl Fn() -> Result<T, InitError>) -> Result<T, InitError> {
        self.note_restart()?;
        let (mut wait, mut left) = (FIRST_WAIT, TRIES);
        loop {
            left -= 1;
            Counters::add(&self.counters.restarts);
            match make() {
                Err(error) if left > 0 && !self.queue.is_stopped() => {
                    tracing::warn!(pool = %self.name, %error, ?wait, "a worker could not be made anew; once more");
                    self.queue.pause(wait);
                    wait *= 2;
                }
                outcome => return outcome,
            }
        }
    }

    /// A worker was made anew where it runs.
    pub(crate) fn rebuilt_elsewhere(&self) {
        if self.note_restart().is_ok() {
            Counters::add(&self.counters.restarts);
        }
    }

    /// Notes a restart; when that is one too many the pool gives up.
    fn note_restart(&self) -> Result<(), InitError> {
        self.restarts.note(&**self.queue.clock()).inspect_err(|error| self.give_up(error))
    }
}
