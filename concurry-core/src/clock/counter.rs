//! The processor's counter: what carries a reading of the system's clock on.
//!
//! The quanta crate judges whether the processor has one that counts evenly, whatever it does, and measures it against the clock.
//! On x86-64 it is read here by its instruction, without asking each time which counter there is: that is as long as the rest of an
//! admission.

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

/// The processor's counter, or none that is of use.
#[derive(Debug)]
pub(super) struct Counter {
    clock: quanta::Clock,
    /// None where what [`ticks`](Self::ticks) reads does not count evenly.
    scale: Option<Scale>,
}

impl Counter {
    pub(super) fn new() -> Self {
        // Miri has none.
        if cfg!(miri) {
            return Self { clock: quanta::Clock::mock().0, scale: None };
        }
        let clock = quanta::Clock::new();
        let mut counter = Self { clock, scale: None };
        // The counter that was measured is the one that is read here, if it tells what is between two readings of this one.
        let is_it = |counter: &Self| {
            let (before, told, after) = (counter.ticks(), counter.clock.raw(), counter.ticks());
            (before..=after).contains(&told)
        };
        // More than once: on its way this thread may come to a processor whose counter is a little behind.
        if (0..8).any(|_| is_it(&counter)) {
            counter.scale = Scale::of(counter.clock.delta_as_nanos(0, 1 << 32));
        }
        counter
    }

    /// What it tells now; of use only where there is a [`scale`](Self::scale).
    #[inline]
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    #[expect(clippy::unused_self, reason = "elsewhere it is asked")]
    pub(super) fn ticks(&self) -> u64 {
        // SAFETY: it reads a register that every x86-64 has, and changes nothing. A program that has forbidden it to itself, which Linux
        // offers, ends by a signal.
        unsafe { core::arch::x86_64::_rdtsc() }
    }

    /// What it tells now; of use only where there is a [`scale`](Self::scale).
    #[inline]
    #[cfg(any(not(target_arch = "x86_64"), miri))]
    pub(super) fn ticks(&self) -> u64 {
        self.clock.raw()
    }

    /// How long its ticks are; none where it is of no use.
    pub(super) fn scale(&self) -> Option<Scale> {
        self.scale
    }
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
}
