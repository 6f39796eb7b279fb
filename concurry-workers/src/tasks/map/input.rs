//! The items that wait, and how large a share of them a worker takes.

use std::collections::VecDeque;
use std::vec;

use super::numbers::Numbers;
use super::places::Place;

/// Each worker takes this part of its own fair share of what is left: large at first, smaller towards the end, so that all
/// end at about the same time whatever an item costs (guided self-scheduling; Polychronopoulos and Kuck, 1987).
const PARTS: usize = 4;

/// A chunk has at most so many bytes of items, so that it stays in the cache of the core that works on it.
const CHUNK_BYTES: usize = 64 * 1024;

/// How many items of type `T` the caller puts down at once, at most.
pub(super) fn most_in_chunk<T>() -> usize {
    (CHUNK_BYTES / size_of::<T>().max(1)).clamp(1, 8 * 1024)
}

/// Items that follow each other.
pub(super) enum Items<T> {
    Taken(vec::IntoIter<T>),
    Numbers(Numbers<T>),
}

impl<T: 'static> Items<T> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Taken(items) => items.len(),
            Self::Numbers(numbers) => numbers.len(),
        }
    }

    /// Takes so many off the beginning.
    fn split(&mut self, count: usize) -> Self {
        match self {
            Self::Taken(items) => Self::Taken(items.by_ref().take(count).collect::<Vec<T>>().into_iter()),
            Self::Numbers(numbers) => Self::Numbers(numbers.split(count)),
        }
    }
}

/// What a worker takes at once.
pub(super) struct Share<T, U> {
    /// The number of the first item.
    pub(super) first: usize,
    pub(super) items: Items<T>,
    /// Where the results go; none where there is no room for all of them.
    pub(super) place: Option<Place<U>>,
}

/// Items that wait, and who is at work on them.
pub(super) struct Input<T, U> {
    /// Each with the number of its first item.
    chunks: VecDeque<(usize, Items<T>)>,
    waiting: usize,
    /// How many are still to come, at least.
    expected: usize,
    workers: usize,
    /// Helpers that were submitted and have not ended.
    helpers: usize,
    /// For the results of the items that nobody has taken.
    room: Option<Place<U>>,
}

impl<T: 'static, U> Input<T, U> {
    pub(super) fn new(expected: usize, workers: usize) -> Self {
        let workers = workers.max(1);
        // An iterator may promise more than there is memory; then the results find place as they come, or do not.
        let room = Place::for_all(expected);
        Self { chunks: VecDeque::new(), waiting: 0, expected, workers, helpers: 0, room }
    }

    /// Puts a chunk down, and says how many helpers are to be submitted: as many as there is work for when `is_time`, and
    /// else one when nobody is at work. So what was put down is always taken. An empty input has a helper as well: a pool
    /// that takes no calls refuses it.
    pub(super) fn offer(&mut self, first: usize, items: Items<T>, is_last: bool, is_time: bool) -> usize {
        let count = items.len();
        self.waiting += count;
        self.expected = if is_last { 0 } else { self.expected.saturating_sub(count) };
        if is_last {
            // It may have promised more than there were.
            self.keep_room(self.waiting);
        }
        if count > 0 {
            self.chunks.push_back((first, items));
        }
        let most = if is_time { self.workers } else { 1 };
        let wanted = self.waiting.min(most.saturating_sub(self.helpers));
        let wanted = wanted.max(usize::from(first == 0 && count == 0));
        self.helpers += wanted;
        wanted
    }

    /// A share of what waits, of so many items at most. None is left when it says so, and the helper ends.
    pub(super) fn take(&mut self, most: usize) -> Option<Share<T, U>> {
        let left = self.waiting.saturating_add(self.expected);
        let share = (left / (PARTS * self.workers)).clamp(1, most.max(1));
        let Some((next, items)) = self.chunks.front_mut() else {
            self.leave();
            return None;
        };
        let (first, items) = if items.len() > share {
            let first = *next;
            *next += share;
            (first, items.split(share))
        } else {
            self.chunks.pop_front()?
        };
        self.waiting -= items.len();
        // Beyond what was promised there is no room.
        let place = self.room.as_mut().and_then(|room| room.split(items.len()));
        self.keep_room(if place.is_some() { usize::MAX } else { 0 });
        Some(Share { first, items, place })
    }

    /// Keeps so much room at most; that of which nothing is left is let go of.
    fn keep_room(&mut self, most: usize) {
        if let Some(room) = &mut self.room {
            room.shorten(most);
        }
        self.room.take_if(|room| room.len() == 0);
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
        assert_eq!(input.offer(0, taken(0..count), true, true), workers.min(count));
        let shares: Vec<_> = shared(&mut input)
            .map(|(first, items)| {
                assert!(items.iter().copied().eq(first..first + items.len()));
                (first, items.len())
            })
            .collect();
        assert!(input.room.is_none(), "all of it is given out");
        shares
    }

    fn taken<T>(items: impl Iterator<Item = T>) -> Items<T> {
        Items::Taken(items.collect::<Vec<_>>().into_iter())
    }

    /// The shares that are taken, each with room for its results.
    fn shared<T: 'static>(input: &mut Input<T, u8>) -> impl Iterator<Item = (usize, Vec<T>)> {
        std::iter::from_fn(|| input.take(usize::MAX)).map(|Share { first, items, place }| {
            let count = items.len();
            assert!(place.is_none_or(|place| place.len() == count));
            let items = match items {
                Items::Taken(items) => items.collect(),
                Items::Numbers(numbers) => numbers.into_iter().collect(),
            };
            (first, items)
        })
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
        let one = |item| taken(std::iter::once(item));
        assert_eq!(input.offer(0, one('a'), false, false), 1);
        assert_eq!(input.offer(1, one('b'), false, false), 0, "one is on its way");
        assert_eq!(input.offer(2, one('c'), false, true), 1);
        assert_eq!(input.offer(3, one('d'), true, true), 0, "no more than there are workers");
        assert_eq!(shared(&mut input).flat_map(|(_, items)| items).collect::<String>(), "abcd");
        assert!(input.take(1).is_none(), "the second helper ends as well");
        assert_eq!(input.helpers, 0);
    }

    #[test]
    fn an_empty_input_has_one_helper() {
        assert_eq!(Input::<u8, u8>::new(0, 4).offer(0, taken(std::iter::empty()), true, true), 1);
    }

    #[test]
    fn a_range_is_shared_as_what_it_has() {
        let mut input = Input::new(1_000, 4);
        let numbers = Numbers::of(&mut (0..1_000usize)).unwrap();
        assert_eq!(input.offer(0, Items::Numbers(numbers), true, true), 4);
        let of_numbers: Vec<_> = shared(&mut input).map(|(first, items)| (first, items.len())).collect();
        assert_eq!(of_numbers, shares(1_000, 4));
    }

    #[test]
    fn a_share_is_no_larger_than_it_may_be() {
        let mut input = Input::<u64, u8>::new(10_000_000, 2);
        let numbers = Numbers::of(&mut (0..10_000_000u64)).unwrap();
        assert_eq!(input.offer(0, Items::Numbers(numbers), true, true), 2);
        assert_eq!(input.take(5_000).map(|share| (share.first, share.items.len())), Some((0, 5_000)));
        assert_eq!(input.take(0).map(|share| (share.first, share.items.len())), Some((5_000, 1)));
    }

    #[test]
    fn there_is_room_for_what_was_promised_and_no_more_than_comes() {
        // More than were promised.
        let mut input = Input::<char, u8>::new(3, 1);
        input.offer(0, taken("abcde".chars()), true, true);
        let shares = std::iter::from_fn(|| input.take(9));
        assert_eq!(
            shares.map(|share| share.place.is_some()).collect::<Vec<_>>(),
            [true, true, true, false, false]
        );
        // Fewer.
        let mut input = Input::<char, u8>::new(9, 1);
        input.offer(0, taken("ab".chars()), true, true);
        assert_eq!(shared(&mut input).count(), 2);
        assert!(input.room.is_none());
        // None at all.
        input = Input::new(9, 1);
        input.offer(0, taken("".chars()), true, true);
        assert!(input.room.is_none());
    }
}
