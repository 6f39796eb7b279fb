//! The machine's monotonic clock and its timer thread.

use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Duration;

use super::timer::{TimerList, WakeGuard};
use super::{Clock, Timestamp};
use crate::sync::lock;

/// The machine's monotonic clock.
///
/// Time is read from the processor's counter (the quanta crate), where that is reliable; elsewhere from the operating
/// system. One thread serves all of [`wake_at`](Clock::wake_at), sleeps to the exact instant of the earliest request,
/// and starts with the first one.
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
    counter: quanta::Clock,
    origin: u64,
    timer: Arc<TimerList>,
    thread: OnceLock<()>,
    alarm: Arc<Alarm>,
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
            let counter = quanta::Clock::new();
            let origin = counter.raw();
            Arc::new(Self {
                counter,
                origin,
                timer: Arc::default(),
                thread: OnceLock::new(),
                alarm: Arc::default(),
            })
        }))
    }

    fn start_timer_thread(&self) {
        self.thread.get_or_init(|| {
            let (timer, alarm) = (Arc::clone(&self.timer), Arc::clone(&self.alarm));
            let spawned = std::thread::Builder::new()
                .name("concurry-timer".to_owned())
                .spawn(move || serve(&timer, &alarm));
            if let Err(error) = spawned {
                // Without this thread no async waiter would ever be woken by time: say so rather than hang in silence.
                tracing::error!(%error, "concurry cannot start its timer thread; timed waits of async code will not end");
            }
        });
    }
}

/// The timer thread: sleeps until the earliest request is due, or an earlier one comes.
fn serve(timer: &TimerList, alarm: &Alarm) {
    let clock = SystemClock::shared();
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
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.counter.delta_as_nanos(self.origin, self.counter.raw()))
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
            None => std::thread::park(),
            Some(at) => {
                let wait = at - self.now();
                if wait > Duration::ZERO {
                    std::thread::park_timeout(wait);
                }
            }
        }
    }
}
