//! The processor's counter: what carries a reading of the system's clock on.
//!
//! The quanta crate judges whether the processor has one that counts evenly, whatever it does, and measures it against the clock.
//! On x86-64 it is read here by its instruction, without asking each time which counter there is: that is as long as the rest of an
//! admission.

/// The processor's counter, or none that is of use.
#[derive(Debug)]
pub(super) struct Counter {
    clock: quanta::Clock,
    /// The nanoseconds of 2^32 ticks; none where what [`ticks`](Self::ticks) reads does not count evenly.
    scale: Option<u64>,
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
            counter.scale = Some(counter.clock.delta_as_nanos(0, 1 << 32)).filter(|scale| *scale > 0);
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

    /// The nanoseconds of 2^32 ticks; none where it is of no use.
    pub(super) fn scale(&self) -> Option<u64> {
        self.scale
    }
}
