//! Workers that are made anew, after a panic or a death: how often, and what happens when that fails.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use concurry_core::clock::{Clock, Timestamp};
use concurry_core::config::{PoolConfig, RestartLimit};
use concurry_core::panics::log;
use concurry_core::sync::lock;

use super::Shared;
use crate::error::InitError;
use crate::pool::Counters;
use crate::worker::Worker;

/// The restarts of a pool: how often there may be any, and what is done when one fails.
#[derive(Debug)]
pub(crate) struct Restarts {
    budget: Option<RestartLimit>,
    latest: Mutex<VecDeque<Timestamp>>,
    /// How often a constructor is run for a worker that is to be made anew, before the worker is lost.
    tries: u32,
    /// The wait after the first failure; it doubles with each.
    first_wait: Duration,
}

impl Restarts {
    /// With the budget of the pool's options, if they have one.
    pub(crate) fn of(budget: Option<RestartLimit>, config: &PoolConfig) -> Result<Self, InitError> {
        let tries = config.restart_tries.unwrap_or(1);
        if tries == 0 {
            return Err(InitError::InvalidOption {
                option: "restart_tries",
                value: "0".to_owned(),
                expected: "a worker that is made anew needs at least one try",
            });
        }
        let budget = budget.or(config.max_restarts);
        if budget.is_some_and(|budget| budget.within.is_zero()) {
            return Err(InitError::InvalidOption {
                option: "max_restarts",
                value: "within 0s".to_owned(),
                expected: "in no time there is no restart to count: more than 0",
            });
        }
        Ok(Self {
            budget,
            latest: Mutex::default(),
            tries,
            first_wait: config.restart_wait.unwrap_or_default(),
        })
    }

    /// Notes a restart, if there may be one more.
    fn note(&self, clock: &dyn Clock) -> Result<(), InitError> {
        let Some(RestartLimit { count, within }) = self.budget else { return Ok(()) };
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
    pub(crate) fn rebuild<T>(&self, make: impl FnMut() -> Result<T, InitError>) -> Result<T, InitError> {
        self.note_restart()?;
        self.make_anew(make)
    }

    /// As [`rebuild`](Self::rebuild), after an end that was asked for: the budget is for others.
    pub(crate) fn make_anew<T>(
        &self,
        mut make: impl FnMut() -> Result<T, InitError>,
    ) -> Result<T, InitError> {
        let (mut wait, mut left) = (self.restarts.first_wait, self.restarts.tries);
        loop {
            left -= 1;
            Counters::add(&self.counters.restarts);
            match make() {
                Err(error) if left > 0 && !self.queue.is_stopped() => {
                    log(
                        || tracing::warn!(pool = %self.name, %error, ?wait, "a worker could not be made anew; once more"),
                    );
                    self.queue.pause(wait);
                    wait = wait.saturating_mul(2);
                }
                outcome => return outcome,
            }
        }
    }

    /// A worker is made anew where it runs.
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
