//! The sliding window: never more than the capacity in *any* window, to the nanosecond.
//!
//! A log of what was admitted when. An entry of instant `t` counts while `now < t + window`: windows are half-open, so
//! an amount is admitted again at exactly `t + window`. Entries carry the running total, so the instant at which enough
//! has left is found by binary search. Memory grows with the distinct instants of admission in one window, 16 bytes each, and
//! shrinks with them.
//!
//! To admit is O(1), amortised: each entry is dropped once. To refuse is O(log n) of n entries, by that search; to undo is
//! O(n) of those that came after what is undone, whose totals it lessens.
//!
//! Totals wrap around. Of more than `u64::MAX` in one window, which only debts can make, the oldest is forgotten: it makes no
//! difference, since nothing is admitted as long as that would be inside, so much is left without it.

use std::collections::VecDeque;

use concurry_core::clock::Timestamp;

use crate::{LimitState, PackedState, Verdict};

/// Room for so many instants is kept.
const FEW: usize = 64;

/// The log of one window.
#[derive(Debug, Clone)]
pub(super) struct SlidingWindow {
    capacity: u64,
    window: u64,
    /// In order of time, one an instant.
    log: VecDeque<Entry>,
    /// The running total of everything that has left the window.
    gone: u64,
    /// How many entries were looked at.
    #[cfg(test)]
    looks: std::cell::Cell<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    at: Timestamp,
    /// Everything admitted up to and with this entry.
    total: u64,
}

impl SlidingWindow {
    pub(super) fn new(capacity: u64, window: u64) -> Self {
        Self {
            capacity,
            window,
            log: VecDeque::new(),
            gone: 0,
            #[cfg(test)]
            looks: std::cell::Cell::default(),
        }
    }

    /// What is in the window up to and with an entry.
    fn inside(&self, entry: Entry) -> u64 {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
        entry.total.wrapping_sub(self.gone)
    }

    fn all_inside(&self) -> u64 {
        self.log.back().map_or(0, |entry| self.inside(*entry))
    }

    /// Forgets so much of the oldest.
    fn forget(&mut self, mut amount: u64) {
        while let Some(&first) = self.log.front()
            && self.inside(first) <= amount
        {
            amount -= self.inside(first);
            self.gone = first.total;
            self.log.pop_front();
        }
        self.gone = self.gone.wrapping_add(amount);
    }

    fn expiry(&self, entry: Entry) -> Timestamp {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
        entry.at.saturating_add_nanos(u128::from(self.window))
    }

    fn forget_expired(&mut self, now: Timestamp) {
        while let Some(&first) = self.log.front() {
            if self.expiry(first) > now {
                break;
            }
            self.gone = first.total;
            self.log.pop_front();
        }
        // Halved at most each time, so that one who comes after a burst pays for no more than has left.
        if self.log.capacity() > FEW && self.log.len() < self.log.capacity() / 4 {
            self.log.shrink_to((self.log.len() * 2).max(FEW));
        }
    }

    fn add(&mut self, amount: u64, now: Timestamp) {
        if amount == 0 {
            return;
        }
        if let Some(excess) = self.all_inside().checked_sub(u64::MAX - amount) {
            self.forget(excess);
        }
        let total = self.gone.wrapping_add(self.all_inside()).wrapping_add(amount);
        match self.log.back_mut() {
            Some(last) if last.at >= now => last.total = total,
            _ => self.log.push_back(Entry { at: now, total }),
        }
    }
}

impl LimitState for SlidingWindow {
    fn check(&mut self, amount: u64, now: Timestamp) -> Verdict {
        if amount > self.capacity {
            return Verdict::above_capacity();
        }
        self.forget_expired(now);
        // Admitted as soon as everything up to this running total has left.
        let must_leave = self.all_inside().saturating_sub(self.capacity - amount);
        if must_leave == 0 {
            return Verdict::Granted;
        }
        let last = self.log.partition_point(|entry| self.inside(*entry) < must_leave);
        Verdict::NotBefore(self.log.get(last).map_or(now, |&entry| self.expiry(entry)))
    }

    fn take(&mut self, amount: u64, now: Timestamp) {
        self.forget_expired(now);
        self.add(amount, now);
    }

    fn settle(&mut self, requested: u64, used: u64, now: Timestamp) {
        self.take(used.saturating_sub(requested), now);
    }

    fn undo(&mut self, amount: u64, taken_at: Timestamp, now: Timestamp) {
        self.forget_expired(now);
        let index = self.log.partition_point(|entry| entry.at < taken_at);
        if self.log.get(index).is_none_or(|entry| entry.at != taken_at) {
            return; // it has left the window by itself
        }
        // Some of it may have been forgotten for a debt.
        let before = index.checked_sub(1).map_or(self.gone, |previous| self.log[previous].total);
        let amount = amount.min(self.log[index].total.wrapping_sub(before));
        self.log.range_mut(index..).for_each(|entry| entry.total = entry.total.wrapping_sub(amount));
        if self.log[index].total == before {
            self.log.remove(index);
        }
    }

    fn set_capacity(&mut self, capacity: u64, _: Timestamp) {
        self.capacity = capacity;
    }

    fn spends_when_taken(&self) -> bool {
        true
    }

    fn refunds(&self) -> bool {
        false
    }

    fn in_use(&mut self, now: Timestamp) -> u64 {
        self.forget_expired(now);
        self.all_inside()
    }

    /// A log of at most one entry fits.
    fn pack(&mut self, now: Timestamp) -> Option<PackedState> {
        self.forget_expired(now);
        match self.log.len() {
            0 => Some(PackedState::full()),
            1 => PackedState::new(self.expiry(self.log[0]), self.all_inside()),
            _ => None,
        }
    }

    fn unpack(&mut self, packed: PackedState, now: Timestamp) {
        let expiry = packed.full_at();
        if expiry > now {
            let at = Timestamp::from_nanos(expiry.as_nanos().saturating_sub(self.window));
            self.log.push_back(Entry { at, total: self.gone.wrapping_add(packed.amount()) });
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_what_is_in_the_window() {
        let mut rate = SlidingWindow::new(u64::MAX, 1_000_000);
        let at = Timestamp::from_nanos;
        for nanos in 0..100_000 {
            rate.take(1, at(nanos));
        }
        assert_eq!(rate.log.len(), 100_000);
        for nanos in 0..10 {
            rate.take(1, at(1_099_980 + nanos));
        }
        assert_eq!(rate.log.len(), 20, "10 of the burst are still inside");
        assert!(rate.log.capacity() <= FEW, "room for {}", rate.log.capacity());
        assert_eq!(rate.in_use(at(1_099_989)), 20);
    }

    #[test]
    fn entries_are_dropped_once_each_as_soon_as_they_have_left() {
        let mut rate = SlidingWindow::new(1_000_000, 1_000);
        let (mut takes, mut dropped, window) = (Vec::new(), 0, std::time::Duration::from_micros(1));
        for step in 0..3_000_u64 {
            // In bursts, with pauses in which a part of the window leaves, or all of it.
            let now = Timestamp::from_nanos(step + step / 50 * 700 + step / 500 * 2_000);
            let before: Vec<_> = rate.log.iter().map(|entry| entry.at).collect();
            rate.take(1, now);
            takes.push(now);
            let kept: Vec<_> = rate.log.iter().map(|entry| entry.at).collect();
            dropped += before.iter().filter(|at| !kept.contains(at)).count();
            assert_eq!(kept, takes[dropped..], "in order, and each that was dropped stays away");
            assert!(takes[..dropped].iter().all(|at| now - *at >= window));
            assert!(kept.iter().all(|at| now - *at < window));
            assert!(dropped <= takes.len());
        }
        assert!(dropped > 2_500, "{dropped}");
    }

    #[test]
    fn to_admit_looks_at_few_entries_on_average_however_many_are_in_the_window() {
        let takes: u64 = 200_000;
        // In bursts that end in a pause: a part of the window leaves, or all of it, or nothing for long.
        for (burst, pause) in [(takes, 0), (10, 7), (1_000, 300), (5_000, 20_000), (1, 99)] {
            let mut rate = SlidingWindow::new(u64::MAX, 10_000);
            for step in 0..takes {
                let now = Timestamp::from_nanos(step + step / burst * pause);
                assert_eq!(rate.check(1, now), Verdict::Granted);
                rate.take(1, now);
                // To check: the oldest one and the last one. To take: the same, the last one twice. And each that has left, once.
                let looks = u64::try_from(rate.looks.get()).expect("few");
                assert!((step..=6 * step + 6).contains(&looks), "{looks} looks by {step}, bursts of {burst}");
            }
        }
    }

    #[test]
    fn debts_beyond_all_numbers_end_when_the_last_of_them_leaves() {
        let at = Timestamp::from_nanos;
        for (first, second) in [(u64::MAX, u64::MAX), (5, u64::MAX - 3), (u64::MAX - 3, 5), (1, u64::MAX)] {
            let mut rate = SlidingWindow::new(10, 100);
            rate.settle(0, first, at(0));
            rate.settle(0, second, at(10));
            assert_eq!(rate.in_use(at(20)), u64::MAX);
            // With 5 in the window, 5 more are admitted when the first has left.
            let admitted = if second == 5 { 100 } else { 110 };
            for now in [20, 99, admitted - 1] {
                assert_eq!(rate.check(5, at(now)), Verdict::NotBefore(at(admitted)), "{first}, {second}");
            }
            assert_eq!(rate.check(5, at(admitted)), Verdict::Granted);
            assert_eq!(rate.check(6, at(admitted)) == Verdict::Granted, admitted == 110);
            assert_eq!(rate.in_use(at(110)), 0);
        }
    }
}
