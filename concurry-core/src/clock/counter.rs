//! The processor's counter: what carries a reading of the system's clock on.
//!
//! It is of use to who reads the time often, and measures itself by those readings: nobody waits for that, as who asks a library
//! would, for a millisecond or, on a restless machine, for hundreds. It is that of x86-64, read by its instruction; whether it counts
//! evenly, whatever the processor does, the raw-cpuid crate tells. Elsewhere the system's clock is read each time.

use std::sync::{Mutex, OnceLock};

/// How long a tick is: less than a nanosecond, or the counter is of no use. Then the time of any number of them is half of one
/// product, and nothing has to be shifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale(u64);

/// A scale is the nanoseconds in so many ticks, as a power of two.
const SHIFT: u32 = 64;

impl Scale {
    /// Of a counter by which no time passes, as far as is known.
    pub(super) const NONE: Self = Self(0);

    /// That of a counter with so many ticks in so many nanoseconds, if it can be told.
    fn of(ticks: u64, nanos: u64) -> Option<Self> {
        let scale = (u128::from(nanos) << SHIFT).checked_div(u128::from(ticks))?;
        u64::try_from(scale).ok().map(Self).filter(|scale| *scale != Self::NONE)
    }

    /// Whether the two differ by so little that both were measured.
    fn is_about(self, other: Self) -> bool {
        self.0.abs_diff(other.0) <= self.0 / 1_024
    }

    /// The nanoseconds in so many ticks.
    #[inline]
    pub(super) fn nanos(self, ticks: u64) -> u64 {
        ((u128::from(ticks) * u128::from(self.0)) >> SHIFT) as u64
    }

    /// The ticks in so many nanoseconds.
    pub(super) fn ticks(self, nanos: u64) -> u64 {
        let ticks = (u128::from(nanos) << SHIFT).checked_div(u128::from(self.0));
        ticks.and_then(|ticks| u64::try_from(ticks).ok()).unwrap_or_default()
    }
}

/// The counter and the system's clock at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) ticks: u64,
    pub(super) nanos: u64,
}

/// The processor's counter.
#[derive(Debug, Default)]
pub(super) struct Counter {
    /// Once it is known; [`Scale::NONE`] where the counter is of no use.
    scale: OnceLock<Scale>,
    measuring: Mutex<Measuring>,
}

/// Miri has none.
const IS_THERE: bool = cfg!(all(target_arch = "x86_64", not(miri)));

/// Two stretches are measured one after the other. Where they differ, the thread was held up in the middle of a moment, or the whole
/// machine was.
#[derive(Debug, Default)]
struct Measuring {
    since: Option<Moment>,
    first: Option<Scale>,
}

/// As long as a stretch is at least: a moment is known to a thousandth of it.
const STRETCH: u64 = 20_000_000;

impl Counter {
    /// What it tells now.
    #[inline]
    #[expect(clippy::unused_self, reason = "it is the counter that is read")]
    pub(super) fn ticks(&self) -> u64 {
        instruction()
    }

    /// How long its ticks are: [`Scale::NONE`] while nobody knows, and none where it is of no use.
    pub(super) fn scale(&self) -> Option<Scale> {
        match self.scale.get() {
            Some(&Scale::NONE) => None,
            known => Some(known.copied().unwrap_or(Scale::NONE)),
        }
    }

    /// The system was asked at this moment, where a measured counter would have told the time.
    pub(super) fn missed(&self, now: Moment) {
        if !IS_THERE {
            self.scale.get_or_init(|| Scale::NONE);
            return;
        }
        // Who comes meanwhile has nothing better to say.
        let Ok(mut measuring) = self.measuring.try_lock() else { return };
        let Some(scale) = measuring.end_of_stretch(now) else { return };
        self.scale.get_or_init(|| if counts_evenly() { scale } else { Scale::NONE });
    }
}

impl Measuring {
    /// The scale, if a stretch ends with this moment that tells the same as the one before.
    fn end_of_stretch(&mut self, now: Moment) -> Option<Scale> {
        let since = *self.since.get_or_insert(now);
        let nanos = now.nanos.saturating_sub(since.nanos);
        if nanos < STRETCH {
            return None;
        }
        self.since = Some(now);
        // One that goes back, or whose ticks are too long, never agrees with the next.
        let scale = Scale::of(now.ticks.wrapping_sub(since.ticks), nanos);
        let before = std::mem::replace(&mut self.first, scale);
        scale.filter(|scale| before.is_some_and(|before| before.is_about(*scale)))
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
fn counts_evenly() -> bool {
    let power = raw_cpuid::CpuId::new().get_advanced_power_mgmt_info();
    power.is_some_and(|power| power.has_invariant_tsc())
}

#[cfg(any(not(target_arch = "x86_64"), miri))]
fn counts_evenly() -> bool {
    false
}

#[inline]
#[cfg(all(target_arch = "x86_64", not(miri)))]
fn instruction() -> u64 {
    // SAFETY: it reads a register that every x86-64 has, and changes nothing. A program that has forbidden it to itself, which Linux
    // offers, ends by a signal.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[inline]
#[cfg(any(not(target_arch = "x86_64"), miri))]
fn instruction() -> u64 {
    0
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Ticks of 0.4 ns.
    fn moment(nanos: u64) -> Moment {
        Moment { ticks: 7_000 + nanos / 2 * 5, nanos }
    }

    #[test]
    fn ticks_are_told_in_nanoseconds_from_the_first_to_the_last() {
        let scale = Scale::of(2_500, 1_000).unwrap();
        assert_eq!((scale.nanos(0), scale.ticks(1_000)), (0, 2_500));
        for ticks in [2_500, 2_500_000_000, 1 << 50] {
            let (told, exact) = (scale.nanos(ticks), ticks * 2 / 5);
            assert!(told <= exact && exact - told <= 1 + exact / 1_000_000_000, "{told} of {exact}");
        }
        assert!(scale.nanos(u64::MAX) > u64::MAX / 5 * 2 - (1 << 33));
        assert_eq!((Scale::NONE.nanos(u64::MAX), Scale::NONE.ticks(u64::MAX)), (0, 0));
    }

    #[test]
    fn a_tick_that_cannot_be_told_is_of_no_use() {
        assert_eq!((Scale::of(0, 1), Scale::of(u64::MAX, 0)), (None, None));
        assert_eq!(Scale::of(1_000, 1_000), None, "one of a nanosecond or more");
    }

    #[test]
    fn it_is_measured_by_two_stretches_that_agree() {
        let mut measuring = Measuring::default();
        let told: Vec<_> = (0..=8).map(|step| measuring.end_of_stretch(moment(step * STRETCH / 4))).collect();
        let Some((Some(last), before)) = told.split_last() else { panic!("{told:?}") };
        assert_eq!((last.nanos(2_500), before), (999, &[None; 8][..]));
    }

    #[test]
    fn a_stretch_that_somebody_was_held_up_in_counts_for_nothing() {
        let late = |moment: Moment| Moment { ticks: moment.ticks + STRETCH / 10, ..moment };
        let back = |moment: Moment| Moment { ticks: moment.ticks / 2, ..moment };
        for odd in [late, back] {
            let mut measuring = Measuring::default();
            let moments = [moment(0), moment(STRETCH), odd(moment(2 * STRETCH)), moment(3 * STRETCH)];
            assert!(moments.map(|moment| measuring.end_of_stretch(moment)).iter().all(Option::is_none));
            let then = [4, 5].map(|stretches| measuring.end_of_stretch(moment(stretches * STRETCH)));
            assert_eq!(then.map(|scale| scale.is_some()), [false, true]);
        }
    }

    #[test]
    fn what_counts_unevenly_is_of_no_use_for_good() {
        let counter = Counter::default();
        assert_eq!(counter.scale(), Some(Scale::NONE), "nobody knows");
        (0..3).for_each(|stretches| counter.missed(moment(stretches * STRETCH)));
        assert_eq!(counter.scale().is_some_and(|scale| scale != Scale::NONE), counts_evenly());
        assert_eq!(counter.scale().is_some(), counts_evenly());
    }
}
