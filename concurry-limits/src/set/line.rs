//! A line: those who wait for the same limits, in the order in which they came.
//!
//! A crowd may stand here, so a place is three words. Who leaves from the middle leaves a gap, which is found by the number of
//! the place; the first place is never a gap, and gaps are at most as many as those who stand, or a few.

use std::collections::VecDeque;

use super::queue::Waiter;

/// Fewer gaps than this are not worth a walk.
const FEW: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Line {
    places: VecDeque<(u64, Option<Waiter>)>,
    gaps: usize,
}

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many stand here.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.gaps
    }

    /// Puts a waiter at the end; its number is above all here.
    pub(super) fn join(&mut self, seq: u64, waiter: Waiter) {
        self.places.push_back((seq, Some(waiter)));
    }

    /// The first, with its number.
    pub(super) fn first(&self) -> Option<(u64, &Waiter)> {
        let (seq, waiter) = self.places.front()?;
        Some((*seq, waiter.as_ref()?))
    }

    /// Takes the first out.
    pub(super) fn next(&mut self) -> Option<Waiter> {
        let (_, waiter) = self.places.pop_front()?;
        self.close_up();
        waiter
    }

    /// Takes out the one with this number.
    pub(super) fn leave(&mut self, seq: u64) -> Option<Waiter> {
        let index = self.places.binary_search_by_key(&seq, |(seq, _)| *seq).ok()?;
        let waiter = self.places[index].1.take()?;
        self.gaps += 1;
        self.close_up();
        Some(waiter)
    }

    /// Takes out every one that `is_out` says.
    pub(super) fn take_out(&mut self, mut is_out: impl FnMut(&Waiter) -> bool) -> Vec<Waiter> {
        let mut out = Vec::new();
        for (_, place) in &mut self.places {
            if let Some(waiter) = place.take_if(|waiter| is_out(waiter)) {
                out.push(waiter);
                self.gaps += 1;
            }
        }
        self.close_up();
        out
    }

    /// Sees to it that the first place is no gap, that gaps are few, and that room is not kept for a crowd that has gone.
    fn close_up(&mut self) {
        while self.places.front().is_some_and(|(_, waiter)| waiter.is_none()) {
            self.places.pop_front();
            self.gaps -= 1;
        }
        if self.gaps > FEW && self.gaps > self.len() {
            self.places.retain(|(_, waiter)| waiter.is_some());
            self.gaps = 0;
        }
        if self.places.capacity() > 2 * FEW && self.places.len() < self.places.capacity() / 4 {
            self.places.shrink_to(self.places.len() * 2);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::task::Waker;

    use concurry_core::clock::Timestamp;
    use proptest::prelude::*;
    use smallvec::smallvec;

    use super::super::cell::Cell;
    use super::*;

    proptest! {
        #[test]
        fn a_line_is_an_ordered_map(steps in prop::collection::vec((0_u8..10, any::<prop::sample::Index>()), 1..400)) {
            let cell = Arc::new(Cell::new(smallvec![], Waker::noop().clone(), (Timestamp::default(), None), false));
            let (mut line, mut model) = (Line::default(), BTreeMap::new());
            for (seq, (what, which)) in (0..).zip(steps) {
                match what {
                    0..5 => {
                        let branch = u32::try_from(seq * 7).unwrap();
                        line.join(seq, Waiter { cell: Arc::clone(&cell), branch });
                        model.insert(seq, branch);
                    }
                    5..8 => {
                        let gone = seq.min(which.index(400) as u64);
                        prop_assert_eq!(line.leave(gone).map(|waiter| waiter.branch), model.remove(&gone));
                    }
                    8 => {
                        let next = line.next().map(|waiter| waiter.branch);
                        prop_assert_eq!(next, model.pop_first().map(|(_, branch)| branch));
                    }
                    _ => {
                        let third = |branch: u32| branch.is_multiple_of(3);
                        let out: Vec<_> = line.take_out(|waiter| third(waiter.branch)).into_iter().map(|waiter| waiter.branch).collect();
                        let expected: Vec<_> = model.values().copied().filter(|branch| third(*branch)).collect();
                        model.retain(|_, branch| !third(*branch));
                        prop_assert_eq!(out, expected);
                    }
                }
                let first = line.first().map(|(seq, waiter)| (seq, waiter.branch));
                prop_assert_eq!(first, model.first_key_value().map(|(seq, branch)| (*seq, *branch)));
                prop_assert_eq!((line.len(), line.is_empty()), (model.len(), model.is_empty()));
                prop_assert!(line.gaps <= line.len().max(FEW));
                prop_assert_eq!(Arc::strong_count(&cell), model.len() + 1, "nothing is kept of who has gone");
            }
        }
    }
}
