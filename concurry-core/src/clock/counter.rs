//! The processor's counter: what carries a reading of the system's clock on.
//!
//! It is of use to who reads the time often, and is measured for those alone. The quanta crate judges whether the processor has one
//! that counts evenly, whatever it does, and measures it against the clock. On x86-64 it is read here by its instruction, without
//! asking each time which counter there is: that is as long as the rest of an admission.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// How long a tick is. On x86-64 it is less than a nanosecond, or the counter is of no use: then the time of any number of them is
/// half of one product, and nothing has to be shifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale(u64);

/// A scale is the nanoseconds in so many ticks, as a power of two.
const SHIFT: u32 = if cfg!(target_arch = "x86_64") { 64 } else { 32 };

impl Scale {
    /// Of a counter by which no time passes.
    pub(super) const NONE: Self = Self(0);

    /// That of a counter with so many nanoseconds in 2^32 ticks, if it can be told.
    fn of(nanos: u64) -> Option<Self> {
        let fits = nanos > 0 && nanos.leading_zeros() >= SHIFT - 32;
        fits.then_some(Self(nanos.wrapping_shl(SHIFT - 32)))
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

/// The processor's counter, once it has been measured.
///
/// To measure it takes about a millisecond of a processor, and on a restless machine many: nobody waits for that. A program that reads
/// the clock now and then never pays for it, nor does a worker's process that has just started.
#[derive(Debug)]
pub(super) struct Counter {
    measured: OnceLock<Measured>,
    /// How often the system was asked where a measured counter would have told the time.
    missed: AtomicU32,
}

/// So many times: they have cost about as much as it costs to measure the counter.
const WORTH_MEASURING: u32 = 4_096;

impl Counter {
    pub(super) const fn new() -> Self {
        Self { measured: OnceLock::new(), missed: AtomicU32::new(0) }
    }

    /// What it tells now; of use only where there is a [`scale`](Self::scale).
    #[inline]
    pub(super) fn ticks(&self) -> u64 {
        if READ_BY_INSTRUCTION { instruction() } else { self.measured.get().map_or(0, |it| it.clock.raw()) }
    }

    /// How long its ticks are; none where it is of no use, or not measured yet.
    pub(super) fn scale(&self) -> Option<Scale> {
        self.measured.get()?.scale
    }

    /// The system was asked where a measured counter would have told the time. Says once that it is worth measuring now.
    pub(super) fn missed(&self) -> bool {
        // Miri has none.
        let is_open = !cfg!(miri) && self.measured.get().is_none();
        is_open && self.missed.fetch_add(1, Ordering::Relaxed) == WORTH_MEASURING
    }

    /// Measures it, on this thread.
    pub(super) fn measure(&self) {
        self.measured.get_or_init(Measured::new);
    }
}

/// A counter, and how long its ticks are: not told where what [`Counter::ticks`] reads does not count evenly.
#[derive(Debug)]
struct Measured {
    clock: quanta::Clock,
    scale: Option<Scale>,
}

impl Measured {
    fn new() -> Self {
        let clock = quanta::Clock::new();
        // The counter that was measured is the one that is read, if it tells what is between two readings of that. More than once: on
        // its way this thread may come to a processor whose counter is a little behind.
        let is_it = |_| {
            let (before, told, after) = (instruction(), clock.raw(), instruction());
            (before..=after).contains(&told)
        };
        let is_measured = !READ_BY_INSTRUCTION || (0..8).any(is_it);
        let scale = is_measured.then(|| Scale::of(clock.delta_as_nanos(0, 1 << 32))).flatten();
        Self { clock, scale }
    }
}

const READ_BY_INSTRUCTION: bool = cfg!(all(target_arch = "x86_64", not(miri)));

#[inline]
#[cfg(all(target_arch = "x86_64", not(miri)))]
fn instruction() -> u64 {
    // SAFETY: it reads a register that every x86-64 has, and changes nothing. A program that has forbidden it to itself, which Linux
    // offers, ends by a signal.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(any(not(target_arch = "x86_64"), miri))]
fn instruction() -> u64 {
    0
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_told_in_nanoseconds_from_the_first_to_the_last() {
        // 2.5 of them a nanosecond.
        let scale = Scale::of((1 << 32) / 5 * 2).unwrap();
        assert_eq!((scale.nanos(0), scale.ticks(1_000)), (0, 2_500));
        for ticks in [2_500, 2_500_000_000, 1 << 50] {
            let (told, exact) = (scale.nanos(ticks), ticks / 5 * 2);
            assert!(told <= exact && exact - told <= 1 + exact / 1_000_000_000, "{told} of {exact}");
        }
        assert!(scale.nanos(u64::MAX) > u64::MAX / 5 * 2 - (1 << 33));
        assert_eq!(Scale::NONE.nanos(u64::MAX), 0);
        assert_eq!(Scale::NONE.ticks(u64::MAX), 0);
    }

    #[test]
    fn a_tick_that_cannot_be_told_is_of_no_use() {
        assert_eq!(Scale::of(0), None);
        // On x86-64 one as long as a nanosecond is of no use.
        assert_eq!(Scale::of(1 << 32).is_some(), SHIFT == 32);
    }

    #[test]
    fn it_is_measured_once_when_it_has_been_missed_often_and_not_before() {
        let counter = Counter::new();
        assert_eq!(counter.scale(), None);
        let worth = (0..=WORTH_MEASURING + 10).filter(|_| counter.missed()).count();
        assert_eq!(worth, usize::from(!cfg!(miri)));
        counter.measure();
        assert!(!counter.missed());
        let Some(scale) = counter.scale() else { return };
        assert_ne!(scale.nanos(1 << 40), 0);
    }
}
