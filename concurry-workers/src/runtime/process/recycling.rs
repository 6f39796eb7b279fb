//! A child that has run enough gives way to a new one.
//!
//! Promises: the old one goes on until the worker of the new one is there; then it is sent nothing more, what it has not begun
//! goes back, and the new one takes over once the last call that it has begun is answered. So no call is lost or run twice. When
//! the old one dies before that, the new one takes its place all the same.
//!
//! The owner looks whenever it has settled answers, was nudged (by a clock for an age, or by the thread that makes the new one), or
//! has slept for as long as calls were to wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Wake, Waker};
use std::time::Duration;

use concurry_core::clock::{Timestamp, WakeGuard};
use concurry_core::panics::contain;
use concurry_core::sync::lock;

use super::connecting::connect;
use super::driver::Driver;
use super::resident::Resident;
use crate::error::InitError;
use crate::pool::Counters;
use crate::process::{Connection, Group, Helper, Link, Recycling};
use crate::worker::Worker;

/// How often the memory of a child that is busy all the time is looked at.
const LOOKS: Duration = Duration::from_millis(10);
/// For how long no other one is made after one could not be; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// What replaces the child of one worker, on its owner's thread.
pub(super) struct Recycler<W: Worker> {
    driver: Arc<Driver<W>>,
    rules: Recycling,
    /// How many calls had been answered when the present child came.
    answered: u64,
    resident: Option<Resident>,
    looked: Option<Timestamp>,
    /// Set by the clock: the child is old, or the wait after a failure is over.
    is_time: Arc<AtomicBool>,
    alarm: Option<WakeGuard>,
    /// How often in a row no new one could be made.
    failures: u32,
    making: Option<Making>,
    /// A new child that is there, and takes over when the old one has answered.
    ready: Option<(Connection, Link)>,
    /// Old ones that end; the threads that wait for them.
    ending: Vec<Helper>,
}

/// A new child in the making.
struct Making {
    state: Arc<Mutex<State>>,
    /// It ends with the making.
    maker: Helper,
}

#[derive(Default)]
struct State {
    /// What ends it, once it is started.
    group: Option<Arc<Group>>,
    is_unwanted: bool,
    made: Option<Result<(Connection, Link), InitError>>,
}

impl<W: Worker> Recycler<W> {
    pub(super) fn new(driver: &Arc<Driver<W>>, connection: &Connection) -> Self {
        let mut recycler = Self {
            driver: Arc::clone(driver),
            rules: driver.shared.processes.recycling,
            answered: 0,
            resident: None,
            looked: None,
            is_time: Arc::default(),
            alarm: None,
            failures: 0,
            making: None,
            ready: None,
            ending: Vec::new(),
        };
        recycler.is_new(connection);
        recycler
    }

    /// There is a new child.
    pub(super) fn is_new(&mut self, connection: &Connection) {
        if self.rules.is_off() {
            return;
        }
        self.answered = self.driver.calls_answered();
        self.failures = 0;
        self.is_time.store(false, Ordering::SeqCst);
        self.alarm = self.rules.age.map(|age| self.wake_after(age));
        self.looked = None;
        self.resident = self.rules.memory.and_then(|_| {
            let resident = Resident::of(connection.process_id());
            resident
                .inspect_err(|error| tracing::error!(%error, "the memory of a worker's process is not told"))
                .ok()
        });
    }

    /// Has a new child made when it is time, and has it take over when it is there.
    pub(super) fn look(&mut self, connection: &mut Connection) {
        if self.rules.is_off() {
            return;
        }
        let is_made = self.making.as_ref().is_some_and(|making| lock(&making.state).made.is_some());
        if is_made || self.ready.is_some() {
            self.take_over(connection);
        } else if self.making.is_none() && self.is_due() {
            self.begin();
        }
    }

    fn is_due(&mut self) -> bool {
        if self.failures > 0 {
            return self.is_time.load(Ordering::SeqCst);
        }
        let is_used_up = |calls| self.driver.calls_answered().wrapping_sub(self.answered) >= calls;
        self.is_time.load(Ordering::SeqCst) || self.rules.calls.is_some_and(is_used_up) || self.is_large()
    }

    fn is_large(&mut self) -> bool {
        let (Some(most), Some(resident)) = (self.rules.memory, &self.resident) else { return false };
        let now = self.driver.clock.now();
        if self.looked.is_some_and(|looked| now < looked + LOOKS) && !self.driver.is_at_rest() {
            return false;
        }
        self.looked = Some(now);
        resident.bytes().is_some_and(|bytes| bytes >= most)
    }

    /// Has a new child made, on a thread of its own.
    fn begin(&mut self) {
        self.ending.retain(|old| !old.is_done());
        let state = Arc::<Mutex<State>>::default();
        let (driver, result) = (Arc::clone(&self.driver), Arc::clone(&state));
        let make = move || {
            let _serving = driver.shared.serve();
            let made = connect(&driver.shared, driver.number, &|group| {
                let mut state = lock(&result);
                if state.is_unwanted {
                    group.kill();
                }
                state.group = Some(group);
            });
            lock(&result).made = Some(made);
            driver.nudge();
        };
        let name = format!("{}-{}-next", self.driver.shared.name, self.driver.number);
        match Helper::start(&name, make) {
            Ok(maker) => self.making = Some(Making { state, maker }),
            Err(source) => self.has_failed(&InitError::Start { what: "a worker's thread", source }),
        }
    }

    fn has_failed(&mut self, error: &InitError) {
        let wait = FIRST_WAIT.saturating_mul(1 << self.failures.min(10));
        self.failures += 1;
        let pool = &self.driver.shared.name;
        tracing::error!(%pool, %error, ?wait, "a worker that is to give way goes on: a new one could not be made");
        self.is_time.store(false, Ordering::SeqCst);
        self.alarm = Some(self.wake_after(wait));
    }

    /// The new child that was in the making, when that is done; none if there is none.
    pub(super) fn replacement(&mut self) -> Option<(Connection, Link)> {
        if self.ready.is_some() {
            return self.ready.take();
        }
        let Making { state, maker } = self.making.take()?;
        drop(maker);
        let made = lock(&state).made.take()?;
        made.inspect_err(|error| self.has_failed(error)).ok()
    }

    /// The new child is there: it takes over, unless the old one still runs a call.
    fn take_over(&mut self, connection: &mut Connection) {
        let Some((next, link)) = self.replacement() else { return };
        let mut link = Some(link);
        if !self.driver.hand_over(&mut link) {
            self.ready = link.map(|link| (next, link));
            return;
        }
        Counters::add(&self.driver.shared.counters.recycled);
        let old = std::mem::replace(connection, next);
        self.is_new(connection);
        self.end(old);
    }

    /// Waits for an old one elsewhere: the drop of its worker may take its time.
    fn end(&mut self, mut old: Connection) {
        let name = format!("{}-{}-old", self.driver.shared.name, self.driver.number);
        let end = move || {
            contain("the end of a worker's process", || {
                old.close();
                drop(old);
            });
        };
        match Helper::start(&name, end) {
            Ok(helper) => self.ending.push(helper),
            // It was dropped with what could not be started, and so was ended.
            Err(error) => {
                tracing::error!(%error, "nobody waits for the end of a worker's process: it is killed");
            }
        }
    }

    fn wake_after(&self, wait: Duration) -> WakeGuard {
        let clock = self.driver.shared.queue.clock();
        let signs = Time { driver: Arc::downgrade(&self.driver), is_time: Arc::clone(&self.is_time) };
        clock.wake_at(clock.now() + wait, Waker::from(Arc::new(signs)))
    }
}

impl<W: Worker> Drop for Recycler<W> {
    /// The worker ends, and with it what was to take its place.
    fn drop(&mut self) {
        self.ready.take().into_iter().for_each(dismiss);
        let Some(Making { state, maker }) = self.making.take() else { return };
        let made = {
            let mut state = lock(&state);
            state.is_unwanted = true;
            let made = state.made.take();
            if let Some(group) = state.group.as_ref().filter(|_| made.is_none()) {
                group.kill();
            }
            made
        };
        drop(maker);
        let made = made.or_else(|| lock(&state).made.take());
        made.and_then(Result::ok).into_iter().for_each(dismiss);
    }
}

/// Ends a child that was never used.
fn dismiss((mut connection, link): (Connection, Link)) {
    link.stop();
    // The connection ends only when its link is gone.
    drop(link);
    connection.close();
}

/// Tells the owner that it is time.
struct Time<W: Worker> {
    driver: Weak<Driver<W>>,
    is_time: Arc<AtomicBool>,
}

impl<W: Worker> Wake for Time<W> {
    fn wake(self: Arc<Self>) {
        self.is_time.store(true, Ordering::SeqCst);
        if let Some(driver) = self.driver.upgrade() {
            driver.nudge();
        }
    }
}
