//! The fixed window: counts in windows of one length that start with the first use.
//!
//! Up to twice the capacity can be admitted around a boundary: that is the known price of its constant memory. A debt is
//! paid by the windows that follow, each with its capacity at most.

use concurry_core::clock::Timestamp;

use crate::{LimitState, Verdict};

/// The count of the window that `now` lies in.
#[derive(Debug, Clone)]
pub(super) struct FixedWindow {
    capacity: u64,
    window: u64,
    /// Where the current window starts; none before the first use.
    start: Option<Timestamp>,
    count: u64,
    /// What later windows have to pay.
    debt: u128,
}

impl FixedWindow {
    pub(super) fn new(capacity: u64, window: u64) -> Self {
        Self { capacity, window, start: None, count: 0, debt: 0 }
    }

    /// Moves on to the window that `now` lies in.
    fn roll(&mut self, now: Timestamp) {
        let Some(start) = self.start else { return };
        let passed = now.as_nanos().saturating_sub(start.as_nanos()) / self.window;
        if passed == 0 {
            return;
        }
        self.start = Some(start.saturating_add_nanos(u128::from(passed) * u128::from(self.window)));
        let paid = u128::from(passed - 1) * u128::from(self.capacity);
        let owed = self.debt.saturating_sub(paid);
        self.count = u64::try_from(owed).unwrap_or(u64::MAX).min(self.capacity);
        self.debt = owed - u128::from(self.count);
    }

    /// Pays the debt from what the current window has left.
    fn pay_now(&mut self) {
        let left = self.capacity.saturating_sub(self.count);
        let paid = u64::try_from(self.debt).unwrap_or(u64::MAX).min(left);
        self.count += paid;
        self.debt -= u128::from(paid);
    }

    /// How many windows from the current one `amount` fits into, once the debt is paid.
    fn windows_to_wait(&self, amount: u64) -> u128 {
        let capacity = u128::from(self.capacity.max(1));
        1 + (self.debt + u128::from(amount)).saturating_sub(capacity).div_ceil(capacity)
    }
}

impl LimitState for FixedWindow {
    fn check(&mut self, amount: u64, now: Timestamp) -> Verdict {
        if amount > self.capacity {
            return Verdict::above_capacity();
        }
        self.roll(now);
        let fits = self.count.checked_add(amount).is_some_and(|count| count <= self.capacity);
        match self.start {
            Some(start) if self.debt > 0 || !fits => {
                let wait = self.windows_to_wait(amount).saturating_mul(u128::from(self.window));
                Verdict::NotBefore(start.saturating_add_nanos(wait))
            }
            _ => Verdict::Granted,
        }
    }

    fn take(&mut self, amount: u64, now: Timestamp) {
        self.roll(now);
        self.start.get_or_insert(now);
        self.count = self.count.saturating_add(amount);
    }

    fn settle(&mut self, requested: u64, used: u64, now: Timestamp) {
        self.roll(now);
        let excess = used.saturating_sub(requested);
        if excess > 0 {
            // Of a request of 0 it is the first use.
            self.start.get_or_insert(now);
            self.debt = self.debt.saturating_add(u128::from(excess));
            self.pay_now();
        }
    }

    fn undo(&mut self, amount: u64, taken_at: Timestamp, now: Timestamp) {
        self.roll(now);
        if self.start.is_some_and(|start| taken_at >= start) {
            self.count = self.count.saturating_sub(amount);
            self.pay_now();
        }
    }

    fn set_capacity(&mut self, capacity: u64, now: Timestamp) {
        self.roll(now);
        self.capacity = capacity;
        self.pay_now();
    }

    /// A window that has begun is remembered even when nothing was used in it: it says when the later ones begin.
    fn is_pristine(&mut self, _: Timestamp) -> bool {
        self.start.is_none()
    }

    fn spends_when_taken(&self) -> bool {
        true
    }

    fn refunds(&self) -> bool {
        false
    }

    fn in_use(&mut self, now: Timestamp) -> u64 {
        self.roll(now);
        u64::try_from(u128::from(self.count) + self.debt).unwrap_or(u64::MAX)
    }
}
