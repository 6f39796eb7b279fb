//! The time before an attempt, in whole nanoseconds.
//!
//! No input is absurd: factors and waits saturate at 2⁶⁴ ns, which is 584 years.

use std::time::Duration;

use super::{Retry, RetryAlgorithm};

impl Retry {
    /// The wait after attempt `number` (1 is the first) has failed. `random` decides its jitter: each of the 2⁶⁴ values
    /// is as likely as any other, and the same one gives the same wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::retry::Retry;
    /// use std::time::Duration;
    ///
    /// let retry = Retry::fibonacci(9).wait(Duration::from_millis(10)).jitter(0.0);
    /// let waits: Vec<_> = (1..7).map(|number| retry.backoff(number, 0).as_millis()).collect();
    /// assert_eq!(waits, [10, 10, 20, 30, 50, 80]);
    /// ```
    pub fn backoff(&self, number: u32, random: u64) -> Duration {
        let most = self.max_wait.unwrap_or(self.wait.max(Duration::from_secs(60)));
        let full = nanos(self.wait).saturating_mul(factor(self.algorithm, number)).min(nanos(most));
        // Both factors are below 2⁶⁵, so the products have room in 128 bits.
        let spread = (u128::from(full) * u128::from(fixed_point(self.jitter))) >> 32;
        let less = ((spread + 1) * u128::from(random)) >> 64;
        Duration::from_nanos(full - u64::try_from(less).unwrap_or(full).min(full))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// How many times the first wait the wait after attempt `number` is.
fn factor(algorithm: RetryAlgorithm, number: u32) -> u64 {
    let number = number.max(1);
    match algorithm {
        RetryAlgorithm::Fixed => 1,
        RetryAlgorithm::Linear => u64::from(number),
        RetryAlgorithm::Exponential => 1u64.checked_shl(number - 1).unwrap_or(u64::MAX),
        RetryAlgorithm::Fibonacci => fibonacci(number),
    }
}

/// The number of Fibonacci at this place; the 93rd is the last that fits.
fn fibonacci(place: u32) -> u64 {
    let step = |(a, b): (u64, u64), _| (b, a.saturating_add(b));
    (0..place.min(100)).fold((0, 1), step).0
}

/// A share in 2⁻³² parts. `init` has refused what is not in 0..=1; nothing else breaks here.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 2³²")]
fn fixed_point(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * 4_294_967_296.0) as u64
}
