//! The machine's monotonic clock and its timer thread.

use std::cell::Cell;
use std::io;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Instant;

use super::counter::{Counter, Moment, Scale};
use super::exact::Exact;
use super::timer::{TimerList, WakeGuard};
use super::{Clock, Timestamp};
use crate::panics::log;
use crate::park::nap;
use crate::sync::lock;

/// The machine's monotonic clock.
///
/// Time is the operating system's. In between two readings of it that are close to each other, it is carried on by the
/// processor's counter, where there is one that counts evenly: that is several times cheaper to read but, left to itself, runs off.
/// Two threads may differ by some ten nanoseconds, and by more while the system begins to correct its clock. One thread serves all of [`wake_at`](Clock::wake_at),
/// sleeps to the exact instant of the earliest request, and starts with the first one, or with a later one where the system has
/// no room for it.
///
/// On Linux, who sleeps to an instant does without the timer slack that makes a sleep some fifty microseconds longer.
///
/// # Examples
///
/// ```
/// use concurry_core::clock::{Clock, SystemClock};
///
/// let clock = SystemClock::shared();
/// let start = clock.now();
/// clock.park_until(Some(start + std::time::Duration::from_millis(1)));
/// ```
#[derive(Debug)]
pub struct SystemClock {
    counter: Counter,
    origin: Instant,
    timer: Arc<TimerList>,
    thread: Started,
    alarm: Arc<Alarm>,
}

/// For how many nanoseconds the counter carries a reading of the system's clock on. A thread that has slept for less needs not read
/// that clock from cold memory, which takes half a microsecond. The counter runs off by a few nanoseconds meanwhile; by some hundred
/// in the second in which the system begins to correct its clock, or by more where it does that in a hurry.
const CARRIED: u64 = 500_000;
/// More ticks than these do not pass while the system's clock is read, unless the thread is held up in the middle, or the system has a
/// slow clock, as one has that does not trust the counter.
const SOON: u64 = 8_192;

/// A reading of the system's clock, with all that it takes to carry it on: that is one load less for each.
///
/// A cell for each word: a copy of them all would be written down before what follows.
#[derive(Debug)]
struct Reading {
    /// What the counter told then.
    at: Cell<u64>,
    /// For so many ticks the counter carries it on.
    ticks: Cell<u64>,
    /// Of the counter.
    scale: Cell<Scale>,
    /// What the time is ahead of the counter's.
    ahead: Cell<u64>,
}

impl Reading {
    /// The time when the counter tells so many ticks, carried on.
    #[inline]
    fn time_at(&self, ticks: u64) -> u64 {
        self.ahead.get().wrapping_add(self.scale.get().nanos(ticks))
    }
}

thread_local! {
    /// The last reading on this thread; one that is not carried on before the first.
    static READING: Reading =
        const { Reading { at: Cell::new(0), ticks: Cell::new(0), scale: Cell::new(Scale::NONE), ahead: Cell::new(0) } };
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn os_now() -> Instant {
    Instant::now()
}

/// Tells the timer thread that an earlier instant has come up.
#[derive(Debug, Default)]
struct Alarm {
    changed: Mutex<bool>,
    condvar: Condvar,
}

impl SystemClock {
    /// The one system clock of this process.
    pub fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<SystemClock>> = OnceLock::new();
        Arc::clone(SHARED.get_or_init(|| {
            Arc::new(Self {
                counter: Counter::default(),
                origin: os_now(),
                timer: Arc::default(),
                thread: Started::default(),
                alarm: Arc::default(),
            })
        }))
    }

    /// The time, where this thread's last reading can be carried on: that is a few instructions, and no call.
    #[doc(hidden)]
    #[inline]
    pub fn carried(&self) -> Option<Timestamp> {
        let carry = |last: &Reading| {
            // A counter that goes back has the system asked as well.
            let ticks = self.counter.ticks();
            let is_carried = ticks.wrapping_sub(last.at.get()) < last.ticks.get();
            is_carried.then(|| Timestamp::from_nanos(last.time_at(ticks)))
        };
        READING.try_with(carry).ok().flatten()
    }

    /// Asks the system for the time.
    #[cold]
    #[inline(never)]
    fn read(&self) -> Timestamp {
        let read = || u64::try_from(os_now().duration_since(self.origin).as_nanos()).unwrap_or(u64::MAX);
        let Some(scale) = self.counter.scale() else { return Timestamp::from_nanos(read()) };
        let look = |last: &Reading| {
            let before = self.counter.ticks();
            // The counter, carrying the last reading on, has told no more than this meanwhile; time does not go back.
            let passed = before.saturating_sub(last.at.get()).min(last.ticks.get());
            let told = last.time_at(last.at.get() + passed);
            let read = read();
            let (time, after) = (read.max(told), self.counter.ticks());
            let took = after.wrapping_sub(before);
            // Who was held up does not know when the system told its time: it is not carried on.
            let is_held_up = took > SOON;
            if !is_held_up {
                self.counter.saw(Moment { ticks: before + took / 2, nanos: read });
            }
            // Read after the time: whoever is late is so for a moment, and never early.
            last.at.set(after);
            // Where it was ahead, time stands still until the system's clock has come as far. A counter that begins anew is not carried on.
            let is_carried = read >= told && !is_held_up;
            last.ticks.set(if is_carried { scale.ticks(CARRIED).min(u64::MAX - after) } else { 0 });
            last.scale.set(scale);
            last.ahead.set(time.wrapping_sub(scale.nanos(after)));
            time
        };
        // A thread that is being torn down may have no thread-local left; it asks the system each time.
        Timestamp::from_nanos(READING.try_with(look).unwrap_or_else(|_| read()))
    }

    fn start_timer_thread(&self) {
        let started = self.thread.by(|| {
            let (timer, alarm) = (Arc::clone(&self.timer), Arc::clone(&self.alarm));
            let named = std::thread::Builder::new().name("concurry-timer".to_owned());
            named.spawn(move || serve(&timer, &alarm)).map(drop)
        });
        if let Err(error) = started {
            // Without this thread no async waiter would ever be woken by time: say so rather than hang in silence.
            log(|| {
                tracing::error!(
                    %error,
                    "concurry cannot start its timer thread: no timed wait of async code ends before the next one has it started"
                );
            });
        }
    }
}

/// Whether the timer thread was started.
#[derive(Debug, Default)]
struct Started(OnceLock<()>, Mutex<()>);

impl Started {
    /// Starts it by `spawn`, if it was not: what the system has no room for now it may have the next time.
    #[inline]
    fn by(&self, spawn: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if self.0.get().is_some() { Ok(()) } else { self.now_by(spawn) }
    }

    #[cold]
    fn now_by(&self, spawn: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let _alone = lock(&self.1);
        if self.0.get().is_none() {
            spawn()?;
            self.0.get_or_init(|| ());
        }
        Ok(())
    }
}

/// The timer thread: sleeps until the earliest request is due, or an earlier one comes.
fn serve(timer: &TimerList, alarm: &Alarm) {
    let clock = SystemClock::shared();
    let _exact = Exact::new();
    loop {
        timer.fire(clock.now());
        let changed = lock(&alarm.changed);
        let changed = match timer.earliest() {
            _ if *changed => changed,
            None => alarm.condvar.wait(changed).unwrap_or_else(PoisonError::into_inner),
            Some(at) => {
                let wait = at - clock.now();
                alarm.condvar.wait_timeout(changed, wait).unwrap_or_else(PoisonError::into_inner).0
            }
        };
        let mut changed = changed;
        *changed = false;
    }
}

impl Clock for SystemClock {
    #[inline]
    fn now(&self) -> Timestamp {
        self.carried().unwrap_or_else(|| self.read())
    }

    fn wake_at(&self, at: Timestamp, waker: Waker) -> WakeGuard {
        self.start_timer_thread();
        let (guard, earliest) = self.timer.insert(at, waker);
        if earliest {
            *lock(&self.alarm.changed) = true;
            self.alarm.condvar.notify_one();
        }
        guard
    }

    fn park_until(&self, at: Option<Timestamp>) {
        match at {
            None => nap(&std::thread::park),
            Some(at) if at <= self.now() => {}
            Some(at) => nap(&|| {
                let _exact = Exact::new();
                std::thread::park_timeout(at - self.now());
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_could_not_be_started_is_started_the_next_time_and_never_twice() {
        let started = Started::default();
        assert!(started.by(|| Err(io::ErrorKind::WouldBlock.into())).is_err());
        let mut times = 0;
        for _ in 0..2 {
            started
                .by(|| {
                    times += 1;
                    Ok(())
                })
                .unwrap();
        }
        assert_eq!(times, 1);
    }
}
