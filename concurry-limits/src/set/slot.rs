//! One limit in a board: its counting state, what holds it back, and its counters; and the decision over several of them.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use concurry_core::clock::Timestamp;
use concurry_core::panics::InTurn;

use super::count::{Count, Counted};
use super::definition::Known;
use super::lane::Lane;
use super::restraint::Restraint;
use super::{Definition, Wish};
use crate::limit::{ABOVE_CAPACITY, Tally};
use crate::{LimitError, LimitState, Verdict};

pub(super) struct Slot {
    pub(super) key: String,
    pub(super) state: Box<dyn LimitState>,
    pub(super) capacity: u64,
    /// A pause and what a server allows, where there is any.
    pub(super) restraint: Option<Box<Restraint>>,
    pub(super) admitted: u64,
    pub(super) refused: u64,
    pub(super) total_wait: Duration,
}

/// What the states of a set say of themselves once and for all, a bit for each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nature {
    /// Those of which an amount that was used wholly needs not be settled.
    pub(super) spent: u128,
    /// Those to which it matters when they are settled.
    pub(super) timed: u128,
}

impl Nature {
    pub(super) fn of(slots: &[Slot]) -> Self {
        let mask = |is_in: &dyn Fn(&Slot) -> bool| {
            let places = slots.iter().enumerate().filter(|(_, slot)| is_in(slot));
            places.fold(0, |mask, (index, _)| mask | 1 << index)
        };
        Self {
            spent: mask(&|slot| slot.state.spends_when_taken()),
            timed: mask(&|slot| slot.state.goes_by_time()),
        }
    }
}

/// Whether a demand can be met as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// By all of its limits.
    Now,
    /// Not yet, because of the limit at `index`; at `at`, if that depends on time alone. Not before the latest instant that
    /// is known, by the limit at the index beside it: where a release is waited for, however much that gives back.
    Later { index: usize, at: Option<Timestamp>, not_before: Option<(usize, Timestamp)> },
    /// Not before `at` by the limit at `index`, and that is too late for who asks.
    Late { index: usize, at: Timestamp },
    /// By its limits, but others came earlier that want the limit at `index` too.
    Behind { index: usize },
    /// By the limit at `index` never.
    Never { index: usize, reason: String },
}

impl Decision {
    /// The decision for one who waits until `deadline` at most.
    pub(super) fn by(self, deadline: Option<Timestamp>) -> Self {
        match (self, deadline) {
            (Self::Later { not_before: Some((index, at)), .. }, Some(deadline)) if at > deadline => {
                Self::Late { index, at }
            }
            (decision, _) => decision,
        }
    }

    /// The limit that decides, and when it would admit, as far as that is known.
    fn decider(&self, wishes: &[Wish], now: Timestamp) -> (usize, Option<Timestamp>) {
        match self {
            Self::Now => (wishes.iter().find(|wish| wish.requested > 0).map_or(0, Wish::index), Some(now)),
            Self::Later { index, at, .. } => (*index, *at),
            Self::Late { index, at } => (*index, Some(*at)),
            Self::Behind { index } | Self::Never { index, .. } => (*index, None),
        }
    }
}

impl Slot {
    /// One a limit of a definition.
    pub(super) fn all(definition: &Definition, now: Timestamp) -> Vec<Self> {
        let limits = definition.limits.iter().zip(definition.known());
        limits.map(|(limit, known)| Self::new(known, limit.state(now))).collect()
    }

    fn new(known: &Known, state: Box<dyn LimitState>) -> Self {
        let (key, capacity) = (known.key.to_string(), known.capacity);
        Self { key, state, capacity, restraint: None, admitted: 0, refused: 0, total_wait: Duration::ZERO }
    }

    /// A way past the lock for this limit, which is the only one of its set, if it can have one; open.
    pub(super) fn lane(&mut self, now: Timestamp) -> Option<Lane> {
        let tally = self.tally(now)?;
        let lane = Lane::new(&tally)?;
        lane.open(&tally);
        Some(lane)
    }

    /// A count in a word for this limit, if it can have one.
    pub(super) fn count(&mut self, now: Timestamp) -> Option<Count> {
        Count::of(&self.tally(now)?)
    }

    fn tally(&mut self, now: Timestamp) -> Option<Tally> {
        // The limit may allow less than the state that it counts with.
        self.state.tally(now).filter(|tally| tally.capacity() == self.capacity)
    }

    /// Whether something other than its own count holds it back.
    pub(super) fn is_held_back(&mut self, now: Timestamp) -> bool {
        self.restraint.take_if(|restraint| restraint.is_over(now));
        self.restraint.is_some()
    }

    /// Takes the count over from a lane or a ledger that was closed.
    pub(super) fn leave(&mut self, counted: &Counted) {
        self.state.set_tally(&counted.tally);
        self.admitted += counted.admitted;
    }

    /// Gives the count to the lane, unless something holds the limit back.
    pub(super) fn enter(&mut self, lane: &Lane, now: Timestamp) {
        if !self.is_held_back(now)
            && let Some(tally) = self.state.tally(now)
        {
            lane.open(&tally);
        }
    }

    /// Whether it admits `amount` at `now`.
    pub(super) fn admits(&mut self, amount: u64, now: Timestamp) -> bool {
        self.check(amount, now) == Verdict::Granted
    }

    pub(super) fn available(&mut self, now: Timestamp) -> u64 {
        let unused = self.capacity.saturating_sub(self.state.in_use(now));
        self.restraint.as_ref().map_or(unused, |restraint| unused.min(restraint.left(now)))
    }

    pub(super) fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.restraint.as_ref()?.paused_until(now)
    }

    /// What holds this limit back, to be added to.
    pub(super) fn restrain(&mut self) -> &mut Restraint {
        self.restraint.get_or_insert_default()
    }

    fn check(&mut self, amount: u64, now: Timestamp) -> Verdict {
        if amount > self.capacity {
            return Verdict::Never(ABOVE_CAPACITY.into());
        }
        match (self.state.check(amount, now), self.held_back(amount, now)) {
            (Verdict::Granted, Some(until)) => Verdict::NotBefore(until),
            (Verdict::NotBefore(at), Some(until)) => Verdict::NotBefore(at.max(until)),
            // A state that names an instant that has passed would be asked again and again without time moving.
            (Verdict::NotBefore(at), None) => Verdict::NotBefore(at.max(now.saturating_add_nanos(1))),
            (verdict, _) => verdict,
        }
    }

    /// Until when an amount is held back, whatever the state says.
    fn held_back(&self, amount: u64, now: Timestamp) -> Option<Timestamp> {
        self.restraint.as_ref()?.refuses_until(amount, now)
    }
}

/// Asks all limits of `wishes`. A later instant outweighs an earlier one, a release that must come outweighs any instant,
/// and `Never` outweighs all. That release may refund too, so beside it only those instants are known that no refund makes
/// earlier.
pub(super) fn decide(slots: &mut [Slot], wishes: &[Wish], now: Timestamp) -> Decision {
    let (mut held, mut by_time, mut by_all_means) = (None, Latest(None), Latest(None));
    for wish in wishes.iter().filter(|wish| wish.requested > 0) {
        let index = wish.index();
        let slot = &mut slots[index];
        let certain = match slot.check(wish.requested, now) {
            Verdict::Granted => continue,
            Verdict::Never(reason) => return Decision::Never { index, reason: reason.into_owned() },
            Verdict::NotBefore(at) => {
                by_time.meet(index, Some(at));
                if slot.state.refunds() { slot.held_back(wish.requested, now) } else { Some(at) }
            }
            Verdict::OnRelease => {
                held.get_or_insert(index);
                slot.held_back(wish.requested, now)
            }
        };
        by_all_means.meet(index, certain);
    }
    match (held, by_time.0) {
        (None, None) => Decision::Now,
        (None, Some((index, at))) => Decision::Later { index, at: Some(at), not_before: by_time.0 },
        (Some(index), _) => Decision::Later { index, at: None, not_before: by_all_means.0 },
    }
}

/// The latest of several instants, with the index of the limit that named it first.
struct Latest(Option<(usize, Timestamp)>);

impl Latest {
    fn meet(&mut self, index: usize, at: Option<Timestamp>) {
        let later = at.filter(|at| self.0.is_none_or(|(_, latest)| *at > latest));
        self.0 = later.map(|at| (index, at)).or(self.0);
    }
}

/// Takes all of `wishes`, which [`decide`] has just granted; nothing when a user's own limit panics.
pub(super) fn take(slots: &mut [Slot], wishes: &[Wish], waited: Duration, now: Timestamp) {
    let asked_for = || wishes.iter().filter(|wish| wish.requested > 0);
    take_states(slots, asked_for(), now);
    for wish in asked_for() {
        let slot = &mut slots[wish.index()];
        if let Some(restraint) = &mut slot.restraint {
            restraint.take(wish.requested);
            slot.restraint.take_if(|restraint| restraint.is_over(now));
        }
        slot.admitted += 1;
        slot.total_wait = slot.total_wait.saturating_add(waited);
    }
}

/// Has each state take what is wanted of it. When one panics, the others before it undo that, and the panic goes on.
pub(super) fn take_states<'a>(
    slots: &mut [Slot],
    wanted: impl Iterator<Item = &'a Wish> + Clone,
    now: Timestamp,
) {
    for (place, wish) in wanted.clone().enumerate() {
        let state = &mut slots[wish.index()].state;
        let taken = catch_unwind(AssertUnwindSafe(|| state.take(wish.requested, now)));
        if let Err(payload) = taken {
            let mut each = InTurn::default();
            for earlier in wanted.take(place) {
                let state = &mut slots[earlier.index()].state;
                each.run(|| state.undo(earlier.requested, now, now));
            }
            drop(each);
            resume_unwind(payload);
        }
    }
}

/// The error for a decision against `wishes`, counted at the limit that decided; a timeout when the caller waited.
pub(super) fn refusal(
    slots: &mut [Slot],
    wishes: &[Wish],
    decision: &Decision,
    waited: Option<Duration>,
    now: Timestamp,
) -> LimitError {
    let error = reason(slots, wishes, decision, waited, now);
    slots[decision.decider(wishes, now).0].refused += 1;
    error
}

/// The same, of which nobody takes count.
pub(super) fn reason(
    slots: &mut [Slot],
    wishes: &[Wish],
    decision: &Decision,
    waited: Option<Duration>,
    now: Timestamp,
) -> LimitError {
    let (index, at) = decision.decider(wishes, now);
    let requested = wishes.iter().find(|wish| wish.index() == index).map_or(0, |wish| wish.requested);
    let slot = &mut slots[index];
    let (key, capacity, available) = (slot.key.clone(), slot.capacity, slot.available(now));
    let available_in = at.map(|at| at - now);
    let waited = waited.or_else(|| matches!(decision, Decision::Late { .. }).then_some(Duration::ZERO));
    match (decision, waited) {
        (Decision::Never { reason, .. }, _) => {
            LimitError::Never { key, requested, capacity, reason: reason.clone() }
        }
        (_, None) => LimitError::Unavailable { key, requested, capacity, available, available_in },
        (_, Some(waited)) => {
            LimitError::Timeout { key, requested, capacity, available, available_in, waited }
        }
    }
}
