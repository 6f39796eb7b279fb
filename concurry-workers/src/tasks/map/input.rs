//! The items that wait, and how large a share of them a worker takes.

use std::collections::VecDeque;
use std::vec;

/// Each worker takes this part of its own fair share of what is left: large at first, smaller towards the end, so that all
/// end at about the same time whatever an item costs (guided self-scheduling; Polychronopoulos and Kuck, 1987).
const PARTS: usize = 4;

/// A chunk has at most so many bytes of items, so that it stays in the cache of the core that works on it.
const CHUNK_BYTES: usize = 64 * 1024;

/// How many items of type `T` the caller puts down at once, at most.
pub(super) fn most_in_chunk<T>() -> usize {
    (CHUNK_BYTES / size_of::<T>().max(1)).clamp(1, 8 * 1024)
}

/// Items that wait, and who is at work on them.
pub(super) struct Input<T> {
    /// Each with the number of its first item.
    chunks: VecDeque<(usize, vec::IntoIter<T>)>,
    waiting: usize,
    /// How many are still to come, at least.
    expected: usize,
    workers: usize,
    /// Helpers that were submitted and have not ended.
    helpers: usize,
}

impl<T> Input<T> {
    pub(super) fn new(expected: usize, workers: usize) -> Self {
        let workers = workers.max(1);
        Self { chunks: VecDeque::new(), waiting: 0, expected, workers, helpers: 0 }
    }

    /// Puts a chunk down, and says how many helpers are to be submitted: as many as there is work for when `is_time`, and
    /// else one when nobody is at work. So what was put down is always taken. An empty input has a helper as well: a pool
    /// that takes no calls refuses it.
    pub(super) fn offer(&mut self, first: usize, items: Vec<T>, is_last: bool, is_time: bool) -> usize {
        let count = items.len();
        self.waiting += count;
        self.expected = if is_last { 0 } else { self.expected.saturating_sub(count) };
        if count > 0 {
            self.chunks.push_back((first, items.into_iter()));
        }
        let most = if is_time { self.workers } else { 1 };
        let wanted = self.waiting.min(most.saturating_sub(self.helpers));
        let wanted = wanted.max(usize::from(first == 0 && count == 0));
        self.helpers += wanted;
        wanted
    }

    /// A share of what waits, with the number of its first item. None is left when it says so, and the helper ends.
    pub(super) fn take(&mut self) -> Option<(usize, vec::IntoIter<T>)> {
        let left = self.waiting.saturating_add(self.expected);
        let share = (left / (PARTS * self.workers)).max(1);
        let Some((first, items)) = self.chunks.front_mut() else {
            self.leave();
            return None;
        };
        if items.len() <= share {
            let whole = self.chunks.pop_front();
            self.waiting -= whole.as_ref().map_or(0, |(_, items)| items.len());
            return whole;
        }
        let part: Vec<T> = items.by_ref().take(share).collect();
        let start = *first;
        *first += share;
        self.waiting -= share;
        Some((start, part.into_iter()))
    }

    /// A helper does not come; whether there are others, or nothing to do for it. Whoever puts down more asks for one anew.
    pub(super) fn spares(&mut self) -> bool {
        self.leave();
        self.helpers > 0 || self.waiting == 0
    }

    /// A helper ends.
    pub(super) fn leave(&mut self) {
        self.helpers -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All shares of `count` items that are known from the start, as (number of the first, how many).
    fn shares(count: usize, workers: usize) -> Vec<(usize, usize)> {
        let mut input = Input::new(count, workers);
        assert_eq!(input.offer(0, (0..count).collect(), true, true), workers.min(count));
        std::iter::from_fn(|| input.take())
            .map(|(first, items)| {
                let items: Vec<usize> = items.collect();
                assert_eq!(items, (first..first + items.len()).collect::<Vec<_>>());
                (first, items.len())
            })
            .collect()
    }

    #[test]
    fn shares_are_in_order_without_a_gap_and_end_with_single_items() {
        let shares = shares(1_000, 4);
        let mut next = 0;
        for (first, count) in &shares {
            assert_eq!(*first, next);
            next += count;
        }
        assert_eq!(next, 1_000);
        assert_eq!((shares[0].1, shares.last().unwrap().1), (62, 1));
    }

    #[test]
    fn few_items_are_taken_one_by_one() {
        assert_eq!(shares(3, 4), [(0, 1), (1, 1), (2, 1)]);
    }

    #[test]
    fn what_is_put_down_when_nobody_is_at_work_has_a_helper() {
        let mut input = Input::new(0, 2);
        assert_eq!(input.offer(0, vec!['a'], false, false), 1);
        assert_eq!(input.offer(1, vec!['b'], false, false), 0, "one is on its way");
        assert_eq!(input.offer(2, vec!['c'], false, true), 1);
        assert_eq!(input.offer(3, vec!['d'], true, true), 0, "no more than there are workers");
        assert_eq!(
            std::iter::from_fn(|| input.take()).flat_map(|(_, items)| items).collect::<String>(),
            "abcd"
        );
        assert!(input.take().is_none(), "the second helper ends as well");
        assert_eq!(input.helpers, 0);
    }

    #[test]
    fn an_empty_input_has_one_helper() {
        assert_eq!(Input::<u8>::new(0, 4).offer(0, Vec::new(), true, true), 1);
    }
}
