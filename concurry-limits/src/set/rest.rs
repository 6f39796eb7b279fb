//! What has to be kept of a set that nobody uses: the states of its limits, packed where they can be.
//!
//! A whole engine is some hundreds of bytes; a limit that is packed is two words. The lock, the queue, the timer and the
//! definition are made anew when the set is used again.
//!
//! Limits and states may be a user's own. Whoever puts sets to rest and wakes them does that under a lock, so what is made
//! for a set is made before ([`Fresh`]), and what is left of one is handed out ([`Ended`]).

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use concurry_core::clock::{Clock, Timestamp};
use concurry_core::panics::contain;

use super::slot::{Nature, Slot};
use super::{Definition, Engine};
use crate::{LimitState, PackedState};

/// What somebody panicked with.
pub(crate) type Panic = Box<dyn Any + Send>;

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

/// A set that is to be.
pub(crate) struct Fresh {
    definition: Arc<Definition>,
    slots: Vec<Slot>,
    /// What its states said when they were new: later, a panic would lose what they have counted.
    nature: Nature,
    /// What is left of what it goes on from.
    rest: Option<Rest>,
}

/// What is left of sets that were put to rest, and for nobody.
#[derive(Default)]
pub(crate) struct Ended {
    states: Vec<Box<dyn LimitState>>,
    definitions: Vec<Arc<Definition>>,
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
    fn of(mut state: Box<dyn LimitState>, now: Timestamp, ended: &mut Ended) -> Self {
        // One that counts in a word is ours: it does not panic, nothing happens when it is dropped, and its memory serves at once
        // again. Another that panics is kept as it is.
        let is_ours = state.tally(now).is_some();
        let packed = if is_ours { state.pack(now) } else { contain("a limit", || state.pack(now)).flatten() };
        match packed {
            None => Self::Whole(state),
            Some(packed) => {
                if !is_ours {
                    ended.states.push(state);
                }
                Self::Packed(packed)
            }
        }
    }

    fn is_pristine(&mut self, now: Timestamp) -> bool {
        match self {
            Self::Packed(packed) => packed.full_at() <= now,
            Self::Whole(state) => contain("a limit", || state.is_pristine(now)).unwrap_or(false),
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

    /// Has new limits count on from what is packed; of that they get a copy.
    fn unpack(&self, slots: &mut [Slot], now: Timestamp) {
        match self {
            Self::One(packed) => slots.iter_mut().for_each(|slot| slot.state.unpack(*packed, now)),
            Self::Several(several) => {
                for (slot, kept) in slots.iter_mut().zip(&several.0) {
                    if let Kept::Packed(packed) = kept {
                        slot.state.unpack(*packed, now);
                    }
                }
            }
        }
    }

    /// Gives new limits the states that are kept whole, for theirs.
    fn exchange(&mut self, slots: &mut [Slot]) {
        let Self::Several(several) = self else { return };
        for (slot, kept) in slots.iter_mut().zip(&mut several.0) {
            if let Kept::Whole(state) = kept {
                std::mem::swap(&mut slot.state, state);
            }
        }
    }

    /// Whether nothing of a user's own is in it.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Self::One(_))
    }
}

impl Fresh {
    /// Of this definition, as it begins.
    pub(crate) fn new(definition: Arc<Definition>, now: Timestamp) -> Self {
        let slots = Slot::all(&definition, now);
        let nature = Nature::of(&slots);
        Self { definition, slots, nature, rest: None }
    }

    /// Has it go on from `rest`.
    ///
    /// # Errors
    ///
    /// What a user's own limit panicked with, and `rest` as it was.
    pub(crate) fn go_on(&mut self, mut rest: Rest, now: Timestamp) -> Result<(), (Panic, Rest)> {
        // What cannot be copied comes last, when nothing can fail any more.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| rest.unpack(&mut self.slots, now))) {
            return Err((payload, rest));
        }
        rest.exchange(&mut self.slots);
        self.rest = Some(rest);
        Ok(())
    }

    /// Begins, once.
    pub(crate) fn begin(&mut self, clock: &Arc<dyn Clock>, now: Timestamp) -> Arc<Engine> {
        let slots = std::mem::take(&mut self.slots);
        Engine::with_slots(Arc::clone(&self.definition), Arc::clone(clock), slots, self.nature, now)
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
            let mut each = board.slots.iter().zip(self.definition.known());
            board.queue.is_empty() && each.all(|(slot, known)| slot.is_as_defined(known.capacity, now))
        })
    }

    /// Whether this counts in a lane, by a definition that others have too: then nothing but numbers, which are ours, differs from
    /// key to key.
    pub(crate) fn is_like_others(&self) -> bool {
        self.has_lane() && Arc::strong_count(&self.definition) > 1
    }

    /// What this counts, and when, if it can rest; it is new again then, and another key can have it. For one that
    /// [is like others](Self::is_like_others).
    pub(crate) fn put_aside(&self, count: &mut dyn FnMut(usize, &str, Counts)) -> Option<(Rest, Timestamp)> {
        let [known] = self.definition.known() else { return None };
        self.act(|board, now, _| {
            let [slot] = &mut board.slots[..] else { return None };
            if !board.queue.is_empty() || !slot.is_as_defined(known.capacity, now) {
                return None;
            }
            let empty = slot.state.tally(now)?.emptied();
            let packed = slot.state.pack(now)?;
            count(0, &slot.key, slot.counts(0));
            slot.state.set_tally(&empty);
            slot.restraint = None;
            (slot.admitted, slot.refused, slot.total_wait) = (0, 0, Duration::ZERO);
            Some((Rest::One(packed), now))
        })
    }

    /// Goes on from what was put aside by another of this definition; this one is new. At `now`, or later.
    pub(crate) fn go_on(&self, packed: PackedState, now: Timestamp) {
        self.act(|board, latest, _| {
            for slot in &mut board.slots {
                slot.state.unpack(packed, latest.max(now));
            }
        });
    }

    /// Ends this engine, which can rest; `count` is told what each limit has counted. At `now`, or later if somebody was faster: its
    /// limits never see time go back. It is that time which comes with what is kept.
    pub(crate) fn rest(
        self,
        now: Timestamp,
        count: &mut dyn FnMut(usize, &str, Counts),
        ended: &mut Ended,
    ) -> (Rest, Timestamp) {
        let definition = Arc::clone(&self.definition);
        let (slots, latest) = self.into_slots();
        let now = now.max(latest);
        for (index, slot) in slots.iter().enumerate() {
            count(index, &slot.key, slot.counts(0));
        }
        let mut kept: Vec<_> = slots.into_iter().map(|slot| Kept::of(slot.state, now, ended)).collect();
        ended.definitions.push(definition);
        if let [Kept::Packed(packed)] = kept[..] {
            return (Rest::One(packed), now);
        }
        kept.shrink_to_fit();
        (Rest::Several(Box::new(Several(kept))), now)
    }

    /// Tells what each limit has counted.
    pub(crate) fn counts(&self, each: &mut dyn FnMut(usize, &str, Counts)) {
        self.act(|board, _, _| {
            for (index, slot) in board.slots.iter().enumerate() {
                each(index, &slot.key, slot.counts(board.queue.waiting_for(index)));
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
