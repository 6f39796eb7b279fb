//! What has to be kept of a set that nobody uses: the states of its limits, packed where they can be.
//!
//! A whole engine is some hundreds of bytes; a limit that is packed is two words. The lock, the queue, the timer and the
//! definition are made anew when the set is used again.

use std::sync::Arc;
use std::time::Duration;

use concurry_core::clock::{Clock, Timestamp};

use super::slot::Slot;
use super::{Definition, Engine};
use crate::{LimitState, PackedState};

/// The states of a set at rest. Two words, and no more where the set has one limit whose state fits into them.
pub(crate) enum Rest {
    One(PackedState),
    Several(Box<Several>),
}

/// One a limit.
pub(crate) struct Several(Vec<Kept>);

enum Kept {
    Packed(PackedState),
    /// As it is: it does not fit into two words.
    Whole(Box<dyn LimitState>),
}

/// What one limit has counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) admitted: u64,
    pub(crate) refused: u64,
    pub(crate) waiting: usize,
    pub(crate) total_wait: Duration,
}

impl Kept {
    fn of(mut state: Box<dyn LimitState>, now: Timestamp) -> Self {
        match state.pack(now) {
            Some(packed) => Self::Packed(packed),
            None => Self::Whole(state),
        }
    }

    fn is_pristine(&mut self, now: Timestamp) -> bool {
        match self {
            Self::Packed(packed) => packed.full_at() <= now,
            Self::Whole(state) => state.is_pristine(now),
        }
    }

    fn restore(self, slot: &mut Slot, now: Timestamp) {
        match self {
            Self::Packed(packed) => slot.state.unpack(packed, now),
            Self::Whole(state) => slot.state = state,
        }
    }
}

impl Rest {
    /// Whether a new set would be the same at `now`.
    pub(crate) fn is_pristine(&mut self, now: Timestamp) -> bool {
        match self {
            Self::One(packed) => packed.full_at() <= now,
            Self::Several(several) => several.0.iter_mut().all(|kept| kept.is_pristine(now)),
        }
    }

    /// The limits at rest, in the order of the set.
    fn into_kept(self) -> Vec<Kept> {
        match self {
            Self::One(packed) => vec![Kept::Packed(packed)],
            Self::Several(several) => several.0,
        }
    }
}

impl Slot {
    /// Whether the state and the definition tell everything about this limit.
    fn is_as_defined(&self, defined_capacity: u64, now: Timestamp) -> bool {
        // Without `..`: whoever adds a field decides here whether a set with it can rest.
        let Self { key: _, state: _, capacity, restraint, admitted: _, refused: _, total_wait: _ } = self;
        *capacity == defined_capacity && restraint.as_ref().is_none_or(|restraint| restraint.is_over(now))
    }

    fn counts(&self, waiting: usize) -> Counts {
        Counts { admitted: self.admitted, refused: self.refused, waiting, total_wait: self.total_wait }
    }
}

impl Engine {
    /// Whether this can be put to rest once nobody refers to it: nobody waits, no limit is paused or has another capacity
    /// than the one that it was built with.
    pub(crate) fn can_rest(&self) -> bool {
        self.act(|board, now, _| {
            let limits = self.definition.limits.iter();
            board.queue.is_empty()
                && board
                    .slots
                    .iter()
                    .zip(limits)
                    .all(|(slot, limit)| slot.is_as_defined(limit.capacity(), now))
        })
    }

    /// Ends this engine, which can rest; `count` is told what each limit has counted.
    pub(crate) fn rest(self, now: Timestamp, count: &mut dyn FnMut(&str, Counts)) -> Rest {
        let slots = self.into_slots();
        for slot in &slots {
            count(&slot.key, slot.counts(0));
        }
        let mut kept: Vec<_> = slots.into_iter().map(|slot| Kept::of(slot.state, now)).collect();
        if let [Kept::Packed(packed)] = kept[..] {
            return Rest::One(packed);
        }
        kept.shrink_to_fit();
        Rest::Several(Box::new(Several(kept)))
    }

    /// An engine that goes on where `rest` ended, or begins.
    pub(crate) fn resume(
        definition: Arc<Definition>,
        clock: Arc<dyn Clock>,
        rest: Option<Rest>,
        now: Timestamp,
    ) -> Arc<Self> {
        let mut slots: Vec<_> = definition.limits.iter().map(|limit| Slot::new(&**limit, now)).collect();
        let kept = rest.map(Rest::into_kept).unwrap_or_default();
        slots.iter_mut().zip(kept).for_each(|(slot, kept)| kept.restore(slot, now));
        Self::with_slots(definition, clock, slots, now)
    }

    /// Tells what each limit has counted.
    pub(crate) fn counts(&self, each: &mut dyn FnMut(&str, Counts)) {
        self.act(|board, _, _| {
            for (index, slot) in board.slots.iter().enumerate() {
                each(&slot.key, slot.counts(board.queue.waiting_for(index)));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::mem::size_of;

    use super::{PackedState, Rest};

    #[test]
    fn a_set_of_one_limit_rests_in_two_words() {
        assert_eq!(size_of::<PackedState>(), 16);
        assert_eq!(size_of::<Rest>(), 16);
    }
}
