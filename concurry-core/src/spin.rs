//! Looking for a while before sleeping, where that pays.
//!
//! To be woken takes some ten microseconds, in which nobody works. Who looks for that long before it sleeps takes twice as long
//! as it must at most, and where answers come soon each side finds the other awake. So a wait begins with a look, unless the
//! last ones have told that it is in vain, and never on a single processor.
//!
//! Where more threads want to run than there are processors, who looks stands in line with all of them for milliseconds, while one
//! who sleeps is let in as soon as it is woken. A look in which others have had the processor tells that, and the next wait begins
//! without one; each further such look doubles the number of those waits, and each that nobody disturbs takes an eighth of it
//! back: a look that is disturbed costs many times one that is not.

use std::sync::OnceLock;
use std::time::Duration;

use crate::clock::{Clock, Timestamp};

/// As long as it takes to be woken, more or less.
const MOST: Duration = Duration::from_micros(50);
const LEAST: Duration = Duration::from_micros(1);
/// A wait that is over by then, with the waking, would have been a look.
const SHORT: Duration = Duration::from_micros(150);
/// No more waits than these begin without a look after one in which others have had the processor.
const MOST_WITHOUT: u32 = 1_000;

/// How long one who waits looks before it sleeps.
///
/// # Examples
///
/// ```
/// use concurry_core::{clock, spin::Spin};
///
/// let clock = clock::system();
/// let mut spin = Spin::new();
/// let start = clock.now();
/// if !spin.until(&*clock, start, || true) {
///     // Sleep until it is ready, and then:
///     spin.waited(clock.now() - start);
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Spin {
    budget: Duration,
    /// So many waits are to begin without a look.
    without: u32,
    /// So many were to, the last time.
    crowd: u32,
}

impl Default for Spin {
    fn default() -> Self {
        Self::new()
    }
}

impl Spin {
    /// With no experience yet.
    pub const fn new() -> Self {
        Self { budget: MOST, without: 0, crowd: 0 }
    }

    /// Looks until `is_ready` says true, from `start` on and not for long; whether it did.
    pub fn until(&mut self, clock: &dyn Clock, start: Timestamp, mut is_ready: impl FnMut() -> bool) -> bool {
        if is_alone() || self.without > 0 {
            self.without = self.without.saturating_sub(1);
            return is_ready();
        }
        let end = start + self.budget;
        loop {
            for _ in 0..32 {
                if is_ready() {
                    self.budget = MOST;
                    self.is_undisturbed();
                    return true;
                }
                std::hint::spin_loop();
            }
            // Whoever is to make it ready may need this very processor.
            std::thread::yield_now();
            let now = clock.now();
            if now >= end {
                if now >= end + SHORT {
                    self.crowd = (self.crowd * 2).clamp(1, MOST_WITHOUT);
                    self.without = self.crowd;
                } else {
                    self.is_undisturbed();
                }
                return is_ready();
            }
        }
    }

    fn is_undisturbed(&mut self) {
        self.crowd -= self.crowd.div_ceil(8);
    }

    /// A look was in vain, and the wait took so long with it.
    pub fn waited(&mut self, time: Duration) {
        self.budget = if time <= SHORT { MOST } else { (self.budget / 2).max(LEAST) };
    }
}

static ALONE: OnceLock<bool> = OnceLock::new();

/// Whether there is one processor alone, which whoever is waited for needs. To find out takes a tenth of a millisecond where the system
/// divides its time by files.
#[doc(hidden)]
pub fn is_alone() -> bool {
    *ALONE.get_or_init(|| std::thread::available_parallelism().is_ok_and(|processors| processors.get() == 1))
}

/// Has this program know it from the one that has started it, if it does not know it yet.
#[doc(hidden)]
pub fn told_alone(is_alone: bool) {
    ALONE.get_or_init(|| is_alone);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn who_waits_long_looks_less_and_less_and_who_waits_shortly_looks_again() {
        let mut spin = Spin::new();
        for _ in 0..10 {
            spin.waited(Duration::from_millis(3));
        }
        assert_eq!(spin.budget, LEAST);
        spin.waited(Duration::from_micros(120));
        assert_eq!(spin.budget, MOST);
    }

    #[test]
    fn who_has_given_the_processor_to_others_for_long_sleeps_the_next_times() {
        if is_alone() {
            return;
        }
        let clock = ManualClock::new();
        let mut spin = Spin::new();
        let looks = |spin: &mut Spin, pause| {
            let mut looks = 0;
            let ready = spin.until(&clock, clock.now(), || {
                looks += 1;
                if looks == 10 {
                    clock.advance(pause);
                }
                looks == 100
            });
            (ready, looks)
        };
        assert!(looks(&mut spin, MOST).1 > 1 && looks(&mut spin, MOST).1 > 1);
        for without in [1, 2, 4, 8] {
            assert!(looks(&mut spin, MOST + SHORT).1 > 1);
            for _ in 0..without {
                assert_eq!(looks(&mut spin, Duration::ZERO), (false, 1));
            }
        }
        assert_eq!(
            looks(&mut spin, Duration::ZERO),
            (true, 100),
            "and none is without, where nobody disturbs it"
        );
        assert!(looks(&mut spin, MOST + SHORT).1 > 1);
        for _ in 0..14 {
            assert_eq!(looks(&mut spin, Duration::ZERO), (false, 1), "twice what is left of eight");
        }
    }

    #[test]
    fn a_look_ends_when_it_is_ready_or_the_time_is_over() {
        let clock = ManualClock::new();
        let mut spin = Spin::new();
        let mut looks = 0;
        assert!(spin.until(&clock, clock.now(), || {
            looks += 1;
            looks == 1 || looks == 100
        }));
        let start = clock.now();
        clock.advance(MOST);
        assert!(!spin.until(&clock, start, || false));
    }
}
