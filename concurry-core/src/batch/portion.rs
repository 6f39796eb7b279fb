//! How many calls of a batch are submitted before the next outcome is looked at, while outcomes are there.
//!
//! One, or more where that holds no outcome back: where the input knows that it has so many items, and these and their submission take
//! next to no time. What does take time is found out by looking at the clock, which costs as much as some items do: after the
//! first, and then after each eight. When some were slow behind one that was quick, as where a queue has room for one call and
//! then for none, that is remembered for a while.

use std::time::Duration;

use crate::clock::Timestamp;

/// Of the calls that may be in flight, one in so many waits to be submitted for as long as outcomes are there.
const PORTIONS: usize = 16;
const LARGEST: usize = 64;
/// Items between two looks at the clock.
const GROUP: usize = 8;
/// So many items that take no longer, or the first one, are there at once.
const QUICK: Duration = Duration::from_micros(20);
/// So many portions are of one item after one in which some were slow.
const WARY: u32 = 256;

/// What was learnt of an input.
#[derive(Debug, Default)]
pub(super) struct Wary(u32);

impl Wary {
    /// How many calls may be submitted at once, of an input that is known to have so many items `left`.
    pub(super) fn portion(&mut self, in_flight: usize, left: usize) -> usize {
        let portion = (in_flight / PORTIONS).min(LARGEST);
        let is_wary = self.0 > 0;
        self.0 = self.0.saturating_sub(1);
        if is_wary || left < portion { 1 } else { portion.max(1) }
    }
}

/// Calls that are submitted one after the other.
pub(super) struct Portion {
    size: usize,
    submitted: usize,
    /// So many are submitted whatever is there.
    least: usize,
    /// When the clock was looked at, as long as nothing was slow.
    since: Option<Timestamp>,
}

impl Portion {
    pub(super) fn new(size: usize, now: impl FnOnce() -> Timestamp) -> Self {
        Self { size, submitted: 0, least: 1, since: (size > 1).then(now) }
    }

    /// Whether it is to end when the next outcome is there. One is submitted at least: who takes outcomes slowly keeps the
    /// workers busy.
    pub(super) fn may_end(&self) -> bool {
        self.submitted >= self.least
    }

    /// One more call was submitted. One that is done by now has been run here, most likely: nothing is gained by having more of
    /// them, and the next one may wait for somebody to take its outcome.
    pub(super) fn submitted(&mut self, is_done: bool, wary: &mut Wary, now: impl FnOnce() -> Timestamp) {
        self.submitted += 1;
        if is_done {
            (self.since, self.least) = (None, self.submitted);
        }
        let Some(since) = self.since.filter(|_| self.submitted == self.least) else { return };
        let now = now();
        if now - since < QUICK {
            (self.since, self.least) = (Some(now), self.size.min(self.least + GROUP));
            return;
        }
        self.since = None;
        if self.least > 1 {
            wary.0 = WARY;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many calls a portion has if each item takes as long as `takes` says of it, and all outcomes are there.
    fn size(size: usize, wary: &mut Wary, takes: impl Fn(usize) -> Duration) -> usize {
        let mut now = Timestamp::from_nanos(0);
        let mut portion = Portion::new(size, || now);
        let mut count = 0;
        while !portion.may_end() {
            now = now + takes(count);
            count += 1;
            portion.submitted(false, wary, || now);
        }
        count
    }

    const NANO: Duration = Duration::from_nanos(1);

    #[test]
    fn quick_items_make_whole_portions_and_slow_ones_come_alone() {
        for whole in 1..=LARGEST {
            let mut wary = Wary::default();
            assert_eq!(size(whole, &mut wary, |_| NANO), whole);
            assert_eq!(size(whole, &mut wary, |_| QUICK), 1);
            assert_eq!(wary.0, 0, "an input that is slow as such holds back nothing");
        }
    }

    #[test]
    fn slow_items_behind_a_quick_one_are_few_and_remembered() {
        for whole in 2..=LARGEST {
            for slow in 1..whole {
                let mut wary = Wary::default();
                let count = size(whole, &mut wary, |item| if item < slow { NANO } else { QUICK });
                assert!(count - slow <= GROUP, "{whole}, {slow}: {count}");
                let later: Vec<_> = (0..=WARY).map(|_| wary.portion(whole * PORTIONS, usize::MAX)).collect();
                assert!(later[..WARY as usize].iter().all(|size| *size == 1), "{whole}, {slow}");
                assert_eq!(later[WARY as usize], whole);
            }
        }
    }

    #[test]
    fn calls_that_are_done_at_once_come_alone() {
        let mut portion = Portion::new(20, || Timestamp::from_nanos(0));
        for _ in 0..3 {
            portion.submitted(true, &mut Wary::default(), || Timestamp::from_nanos(0));
            assert!(portion.may_end());
        }
    }

    #[test]
    fn a_portion_is_a_part_of_what_may_be_in_flight_and_of_what_is_left() {
        let portion = |in_flight, left| Wary::default().portion(in_flight, left);
        assert_eq!([1, 16, 31, 32, 320].map(|in_flight| portion(in_flight, 1_000)), [1, 1, 1, 2, 20]);
        assert_eq!([portion(usize::MAX, usize::MAX), portion(320, 19), portion(320, 0)], [LARGEST, 1, 1]);
    }
}
