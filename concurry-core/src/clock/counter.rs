//! The processor's counter: what carries a reading of the system's clock on.
//!
//! It is of use to who reads the time often, and measures itself by those readings: nobody waits for that, as who asks a library
//! would, for a millisecond or, on a restless machine, for hundreds. It is that of x86-64, read by its instruction; whether it counts
//! evenly, whatever the processor does, the raw-cpuid crate tells. Elsewhere the system's clock is read each time.

use std::sync::atomic::{AtomicU64, Ordering};
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

/// The processor's counter. That of one processor is taken to be that of all, as systems take it where it counts evenly.
#[derive(Debug, Default)]
pub(super) struct Counter {
    /// [`Scale::NONE`] until it is known.
    scale: AtomicU64,
    counts_evenly: OnceLock<bool>,
    measuring: Mutex<Measuring>,
}

/// Miri has none.
const IS_THERE: bool = cfg!(all(target_arch = "x86_64", not(miri)));

/// One stretch is measured after the other. A scale counts when two in a row tell the same: in others the machine was suspended, the
/// system's clock began to be corrected, or one processor counts otherwise than another.
#[derive(Debug, Default)]
struct Measuring {
    since: Option<Moment>,
    last: Option<Scale>,
}

/// As long as the first stretches are at least: a moment is known to a thousandth of it.
const FIRST: u64 = 20_000_000;
/// As long as the later ones are, by which the scale follows a clock that is being corrected.
const LATER: u64 = 1_000_000_000;

impl Counter {
    /// What it tells now.
    #[inline]
    #[expect(clippy::unused_self, reason = "it is the counter that is read")]
    pub(super) fn ticks(&self) -> u64 {
        instruction()
    }

    /// How long its ticks are; [`Scale::NONE`] while nobody knows, and no scale where the counter is of no use.
    pub(super) fn scale(&self) -> Option<Scale> {
        (self.counts_evenly.get() != Some(&false)).then(|| Scale(self.scale.load(Ordering::Relaxed)))
    }

    /// The system was asked at this moment.
    pub(super) fn saw(&self, now: Moment) {
        if !IS_THERE {
            self.counts_evenly.get_or_init(|| false);
            return;
        }
        // Who comes meanwhile has nothing better to say.
        let Ok(mut measuring) = self.measuring.try_lock() else { return };
        let least = if self.scale.load(Ordering::Relaxed) == Scale::NONE.0 { FIRST } else { LATER };
        if let Some(scale) = measuring.end_of_stretch(now, least)
            && *self.counts_evenly.get_or_init(counts_evenly)
        {
            self.scale.store(scale.0, Ordering::Relaxed);
        }
    }
}

impl Measuring {
    /// The scale, if a stretch of that length at `least` ends with this moment, and tells the same as the one before.
    fn end_of_stretch(&mut self, now: Moment, least: u64) -> Option<Scale> {
        let since = *self.since.get_or_insert(now);
        let nanos = now.nanos.saturating_sub(since.nanos);
        if nanos < least {
            return None;
        }
        self.since = Some(now);
        // None by a counter that goes back.
        let scale = now.ticks.checked_sub(since.ticks).and_then(|ticks| Scale::of(ticks, nanos));
        let before = std::mem::replace(&mut self.last, scale);
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
        let mut saw = |step| measuring.end_of_stretch(moment(step * FIRST / 4), FIRST);
        let told: Vec<_> = (0..=8).map(&mut saw).collect();
        let Some((Some(last), before)) = told.split_last() else { panic!("{told:?}") };
        assert_eq!((last.nanos(2_500), before), (999, &[None; 8][..]));
    }

    #[test]
    fn a_stretch_that_is_odd_counts_for_nothing() {
        let late = |moment: Moment| Moment { ticks: moment.ticks + FIRST / 10, ..moment };
        let back = |moment: Moment| Moment { ticks: moment.ticks / 2, ..moment };
        for odd in [late, back] {
            let mut measuring = Measuring::default();
            let mut saw = |moment| measuring.end_of_stretch(moment, FIRST).is_some();
            let moments = [moment(0), moment(FIRST), odd(moment(2 * FIRST)), moment(3 * FIRST)];
            assert_eq!(moments.map(&mut saw), [false; 4]);
            assert_eq!([4, 5].map(|stretches| saw(moment(stretches * FIRST))), [false, true]);
        }
    }

    #[test]
    fn a_counter_that_goes_back_again_and_again_is_never_believed() {
        let mut measuring = Measuring::default();
        let saw =
            |step| measuring.end_of_stretch(Moment { ticks: u64::MAX - step, nanos: step * FIRST }, FIRST);
        assert!((0..20).map(saw).all(|scale| scale.is_none()));
    }

    #[test]
    fn its_scale_follows_a_clock_that_is_corrected() {
        let counter = Counter::default();
        assert_eq!(counter.scale(), Some(Scale::NONE), "nobody knows");
        (0..3).for_each(|stretches| counter.saw(moment(stretches * FIRST)));
        assert_eq!(counter.scale().is_some(), counts_evenly());
        if !counts_evenly() {
            return;
        }
        let nanos = |counter: &Counter| counter.scale().map(|scale| scale.nanos(2_500));
        assert_eq!(nanos(&counter), Some(999));
        // Now they seem to be of 0.44 ns.
        let corrected = |seconds: u64| Moment {
            ticks: 100_000_000 + seconds * 2_500_000_000,
            nanos: seconds * 1_100_000_000,
        };
        counter.saw(corrected(1));
        counter.saw(corrected(2));
        assert_eq!(nanos(&counter), Some(999), "one stretch is no proof");
        counter.saw(corrected(3));
        assert_eq!(nanos(&counter), Some(1_099));
    }
}
