//! A rate, counted exactly: a bucket that starts full and refills continuously.

use std::time::Duration;

use tokio::time::Instant;

const MINUTE: u128 = Duration::from_secs(60).as_nanos();

/// At most `quota` at once, and `quota` a minute from then on. Its level is in units of which `MINUTE` make one, and in
/// one nanosecond it rises by `quota` of them: no fraction is ever lost.
pub(super) struct Bucket {
    quota: u128,
    level: u128,
    at: Instant,
}

impl Bucket {
    pub(super) fn full(quota: u64, now: Instant) -> Self {
        let quota = u128::from(quota);
        Self { quota, level: quota * MINUTE, at: now }
    }

    /// Lets time pass, and says how long it takes until `amount` is there; zero if it is now.
    pub(super) fn wait_for(&mut self, amount: u64, now: Instant) -> Duration {
        let refill = now.saturating_duration_since(self.at).as_nanos() * self.quota;
        self.level = (self.level + refill).min(self.quota * MINUTE);
        self.at = self.at.max(now);
        let missing = (u128::from(amount) * MINUTE).saturating_sub(self.level);
        Duration::from_nanos(u64::try_from(missing.div_ceil(self.quota)).unwrap_or(u64::MAX))
    }

    /// Takes what `wait_for` has said to be there.
    pub(super) fn take(&mut self, amount: u64) {
        self.level = self.level.saturating_sub(u128::from(amount) * MINUTE);
    }
}
