//! The calls that wait for a worker, in lanes: each is first in, first out by age, and a worker takes the oldest call of
//! all that it may take.
//!
//! Most calls stand in the free lane: any worker may take any of them. The others have a lane for what they need: a worker
//! that was chosen for them, or limits, by the method that declared them. Calls of one method need the same limits, so
//! when its oldest is not admitted the younger ones are not either, and the gate of the lane is shut; calls of other lanes
//! pass by. The gate opens when the limits wake it.
//!
//! A call stands in the queue of the limits only while a worker is free to run it. What it was granted otherwise would be held
//! while all workers are busy, perhaps waiting for that very thing.
//!
//! Asking limits runs foreign code, so it is done outside of the queue's lock, by the worker that found the call; meanwhile
//! the call is out of its lane and still counts as waiting.

use std::collections::{BTreeMap, VecDeque};

use crate::admission::Standing;
use crate::worker::Message;

/// What the calls of a lane need: a certain worker, limits that the method of this number declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Need {
    pub(super) worker: Option<usize>,
    pub(super) limited: Option<u16>,
}

impl Need {
    fn is_free(self) -> bool {
        self == Self::default()
    }
}

pub(super) struct Lanes<M> {
    free: VecDeque<(u64, M)>,
    others: BTreeMap<Need, Lane<M>>,
    /// How many wait, those that are being asked for among them.
    len: usize,
}

struct Lane<M> {
    /// The call that stands in the queue of the limits. None goes before it, not even one of older age: it may hold already
    /// what the other would wait for.
    first: Option<(u64, M)>,
    calls: VecDeque<(u64, M)>,
    gate: Gate,
}

impl<M> Lane<M> {
    fn age(&self) -> Option<u64> {
        self.first.as_ref().or_else(|| self.calls.front()).map(|(age, _)| *age)
    }

    fn pop(&mut self) -> Option<(u64, M)> {
        self.first.take().or_else(|| self.calls.pop_front())
    }
}

/// Whether the first call of a lane may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    Open,
    /// A worker asks the limits for the call of this age.
    Asking {
        age: u64,
        /// They have said meanwhile that it is worth asking again.
        again: bool,
        /// Nobody needs its result any more.
        withdrawn: bool,
    },
    /// They did not admit it, and will say when it is worth asking again.
    Shut,
}

/// What a worker finds.
pub(super) enum Found<M> {
    /// A call to run.
    Call(M),
    /// A call whose limits must be asked first.
    Ask(Need, u64, M),
}

/// What becomes of a call whose limits were asked.
pub(super) enum Asked<M> {
    /// It is to be run.
    Admitted(M),
    /// It waits.
    Waits,
    /// There is no such lane any more. It is to leave the queue of the limits, and to be put down anew.
    Stray(M),
    /// Nobody needs its result any more.
    Withdrawn(M),
}

impl<M> Lanes<M> {
    pub(super) fn new() -> Self {
        Self { free: VecDeque::new(), others: BTreeMap::new(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts a call to its place; says whether a worker may find it now.
    pub(super) fn place(&mut self, need: Need, age: u64, message: M) -> bool {
        self.len += 1;
        if need.is_free() {
            insert(&mut self.free, age, message);
            return true;
        }
        let lane = self.others.entry(need).or_insert_with(|| Lane {
            first: None,
            calls: VecDeque::new(),
            gate: Gate::Open,
        });
        insert(&mut lane.calls, age, message);
        lane.gate == Gate::Open
    }

    /// The oldest call, if any worker may take any.
    pub(super) fn pop_free(&mut self) -> Option<M> {
        if !self.others.is_empty() {
            return None;
        }
        let (_, message) = self.free.pop_front()?;
        self.len -= 1;
        Some(message)
    }

    /// The oldest call that worker `number` may take.
    pub(super) fn find(&mut self, number: usize) -> Option<Found<M>> {
        if self.others.is_empty() {
            return self.pop_free().map(Found::Call);
        }
        let (need, age) = self.oldest(number)?;
        let Some(lane) = self.others.get_mut(&need) else {
            let (_, message) = self.free.pop_front()?;
            self.len -= 1;
            return Some(Found::Call(message));
        };
        let (_, message) = lane.pop()?;
        if need.limited.is_some() {
            lane.gate = Gate::Asking { age, again: false, withdrawn: false };
            return Some(Found::Ask(need, age, message));
        }
        self.len -= 1;
        Some(Found::Call(message))
    }

    fn oldest(&self, number: usize) -> Option<(Need, u64)> {
        let free = self.free.front().map(|(age, _)| (Need::default(), *age));
        let of = |worker| {
            let (first, last) = (Need { worker, limited: None }, Need { worker, limited: Some(u16::MAX) });
            self.others.range(first..=last).filter(|(_, lane)| lane.gate == Gate::Open)
        };
        of(None)
            .chain(of(Some(number)))
            .filter_map(|(need, lane)| Some((*need, lane.age()?)))
            .chain(free)
            .min_by_key(|(_, age)| *age)
    }

    /// The limits of a call were asked; `decided` tells whether they have decided.
    pub(super) fn asked(&mut self, need: Need, age: u64, message: M, decided: bool) -> Asked<M> {
        let Some(lane) = self.others.get_mut(&need) else {
            // The worker that it was for has ended.
            self.len -= 1;
            return if decided { Asked::Admitted(message) } else { Asked::Stray(message) };
        };
        let gate = std::mem::replace(&mut lane.gate, Gate::Open);
        if let Gate::Asking { withdrawn: true, .. } = gate {
            self.len -= 1;
            return Asked::Withdrawn(message);
        }
        if decided {
            self.len -= 1;
            return Asked::Admitted(message);
        }
        lane.first = Some((age, message));
        if !matches!(gate, Gate::Asking { again: true, .. }) {
            lane.gate = Gate::Shut;
        }
        Asked::Waits
    }

    /// It is worth asking for the first call of a lane; says whether a worker may find it now.
    pub(super) fn open(&mut self, need: Need) -> bool {
        let Some(lane) = self.others.get_mut(&need) else { return false };
        match &mut lane.gate {
            Gate::Open => {}
            Gate::Asking { again, .. } => {
                *again = true;
                return false;
            }
            Gate::Shut => lane.gate = Gate::Open,
        }
        lane.age().is_some()
    }

    /// Whether a worker, any one if not `number`, may find a call now.
    pub(super) fn has_for(&self, number: usize) -> bool {
        if self.others.is_empty() { !self.free.is_empty() } else { self.oldest(number).is_some() }
    }

    /// Takes the call of this age out, wherever it stands; one that is being asked for goes when that is over.
    pub(super) fn withdraw(&mut self, age: u64) -> Option<(Need, M)> {
        let mut found = remove(&mut self.free, age).map(|message| (Need::default(), message));
        for (need, lane) in &mut self.others {
            if found.is_some() {
                break;
            }
            if lane.first.as_ref().is_some_and(|(first, _)| *first == age) {
                // What stood behind it is to be asked for itself.
                lane.gate = Gate::Open;
                found = lane.first.take().map(|(_, message)| (*need, message));
            } else if let Gate::Asking { age: asked, withdrawn, .. } = &mut lane.gate
                && *asked == age
            {
                *withdrawn = true;
                return None;
            } else {
                found = remove(&mut lane.calls, age).map(|message| (*need, message));
            }
        }
        self.len -= usize::from(found.is_some());
        found
    }

    /// The oldest of all that waits, taken out.
    pub(super) fn pop_oldest(&mut self) -> Option<(Need, M)> {
        let free = self.free.front().map(|(age, _)| *age);
        let others = self.others.values().filter_map(Lane::age);
        let age = free.into_iter().chain(others).min()?;
        self.withdraw(age)
    }

    /// All calls, those that are being asked for excepted, whose askers find the pool stopped.
    pub(super) fn take(&mut self) -> Vec<M> {
        let mut calls: Vec<(u64, M)> = std::mem::take(&mut self.free).into();
        for lane in self.others.values_mut() {
            calls.extend(lane.first.take());
            calls.extend(std::mem::take(&mut lane.calls));
        }
        self.len -= calls.len();
        calls.sort_by_key(|(age, _)| *age);
        calls.into_iter().map(|(_, message)| message).collect()
    }
}

impl<M: Message> Lanes<M> {
    /// Nobody is free to run what the limits may grant: the calls that stand in their queue leave it. Their places there, to
    /// be dropped outside of the lock.
    pub(super) fn unask(&mut self) -> Vec<Standing> {
        let mut places = Vec::new();
        for lane in self.others.values_mut() {
            if let Some((age, mut message)) = lane.first.take() {
                places.extend(message.admission().and_then(|(_, admission)| admission.leave()));
                insert(&mut lane.calls, age, message);
                lane.gate = Gate::Open;
            }
        }
        places
    }

    /// A worker has ended: what waits for it may be taken by any. The places in the queue of the limits, to be dropped
    /// outside of the lock.
    pub(super) fn release(&mut self, number: usize) -> Vec<Standing> {
        let needs: Vec<Need> =
            self.others.keys().filter(|need| need.worker == Some(number)).copied().collect();
        let mut places = Vec::new();
        for need in needs {
            // One that is being asked for comes back to a lane that is not there: see `asked`.
            let Some(lane) = self.others.remove(&need) else { continue };
            for (age, mut message) in lane.first.into_iter().chain(lane.calls) {
                places.extend(message.admission().and_then(|(_, admission)| admission.leave()));
                self.len -= 1;
                self.place(Need { worker: None, ..need }, age, message);
            }
        }
        places
    }
}

/// A call of old age stands near the front, so little is moved.
fn insert<M>(calls: &mut VecDeque<(u64, M)>, age: u64, message: M) {
    let is_youngest = calls.back().is_none_or(|(last, _)| *last < age);
    let place = if is_youngest { calls.len() } else { calls.partition_point(|(other, _)| *other < age) };
    calls.insert(place, (age, message));
}

fn remove<M>(calls: &mut VecDeque<(u64, M)>, age: u64) -> Option<M> {
    let place = calls.binary_search_by_key(&age, |(age, _)| *age).ok()?;
    calls.remove(place).map(|(_, message)| message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITED: Need = Need { worker: None, limited: Some(0) };

    fn found(lanes: &mut Lanes<&'static str>, number: usize) -> Option<&'static str> {
        match lanes.find(number)? {
            Found::Call(message) => Some(message),
            Found::Ask(_, _, message) => panic!("{message} needs limits"),
        }
    }

    fn ask(lanes: &mut Lanes<&'static str>, decided: bool) -> Option<&'static str> {
        let Some(Found::Ask(need, age, message)) = lanes.find(0) else { return None };
        match lanes.asked(need, age, message, decided) {
            Asked::Admitted(message) | Asked::Withdrawn(message) => Some(message),
            Asked::Waits => None,
            Asked::Stray(message) => panic!("{message} has no lane"),
        }
    }

    #[test]
    fn a_worker_takes_the_oldest_of_what_is_for_it_or_for_any() {
        let mut lanes = Lanes::new();
        let of = |worker| Need { worker: Some(worker), limited: None };
        for (age, (need, message)) in
            (1..).zip([(of(1), "b1"), (of(0), "a1"), (Need::default(), "any"), (of(0), "a2")])
        {
            assert!(lanes.place(need, age, message));
        }
        assert_eq!([found(&mut lanes, 0), found(&mut lanes, 0)], [Some("a1"), Some("any")]);
        assert!(lanes.release(1).is_empty());
        assert_eq!([found(&mut lanes, 0), found(&mut lanes, 0)], [Some("b1"), Some("a2")]);
        assert!(lanes.is_empty() && found(&mut lanes, 0).is_none());
    }

    #[test]
    fn a_shut_lane_lets_others_pass_and_opens_when_it_is_told() {
        let mut lanes = Lanes::new();
        lanes.place(LIMITED, 1, "limited");
        lanes.place(Need::default(), 2, "free");
        assert_eq!(ask(&mut lanes, false), None);
        assert_eq!(found(&mut lanes, 0), Some("free"));
        assert!(lanes.find(0).is_none() && lanes.len() == 1);
        assert!(lanes.open(LIMITED));
        assert_eq!(ask(&mut lanes, true), Some("limited"));
        assert!(lanes.is_empty());
    }

    #[test]
    fn nothing_goes_before_what_stands_in_the_queue_of_the_limits() {
        let mut lanes = Lanes::new();
        lanes.place(LIMITED, 2, "asked");
        assert_eq!(ask(&mut lanes, false), None);
        lanes.place(LIMITED, 1, "older");
        assert!(lanes.open(LIMITED));
        assert_eq!([ask(&mut lanes, true), ask(&mut lanes, true)], [Some("asked"), Some("older")]);
    }

    #[test]
    fn a_word_of_the_limits_that_comes_while_they_are_asked_is_heard() {
        let mut lanes = Lanes::new();
        lanes.place(LIMITED, 1, "limited");
        let Some(Found::Ask(need, age, message)) = lanes.find(0) else { panic!("it needs limits") };
        assert!(!lanes.open(LIMITED), "it is not there to be found");
        assert!(matches!(lanes.asked(need, age, message, false), Asked::Waits));
        assert_eq!(ask(&mut lanes, true), Some("limited"));
    }

    #[test]
    fn what_is_withdrawn_while_it_is_asked_for_is_not_run() {
        let mut lanes = Lanes::new();
        lanes.place(LIMITED, 1, "first");
        lanes.place(LIMITED, 2, "second");
        let Some(Found::Ask(need, age, message)) = lanes.find(0) else { panic!("it needs limits") };
        assert!(lanes.withdraw(age).is_none());
        assert!(matches!(lanes.asked(need, age, message, true), Asked::Withdrawn("first")));
        assert_eq!(ask(&mut lanes, false), None);
        assert!(lanes.find(0).is_none());
        assert!(matches!(lanes.withdraw(2), Some((LIMITED, "second"))) && lanes.is_empty());
    }

    #[test]
    fn what_is_asked_for_when_its_worker_ends_is_to_be_put_down_anew() {
        let mut lanes = Lanes::new();
        let need = Need { worker: Some(0), limited: Some(0) };
        lanes.place(need, 1, "limited");
        let Some(Found::Ask(need, age, message)) = lanes.find(0) else { panic!("it needs limits") };
        assert!(lanes.release(0).is_empty());
        assert!(matches!(lanes.asked(need, age, message, false), Asked::Stray("limited")));
    }

    #[test]
    fn when_nobody_is_free_the_first_is_a_call_like_any_other() {
        let mut lanes = Lanes::new();
        lanes.place(LIMITED, 2, "asked");
        assert_eq!(ask(&mut lanes, false), None);
        lanes.place(LIMITED, 1, "older");
        assert!(lanes.unask().is_empty(), "these have no admission");
        assert_eq!([ask(&mut lanes, true), ask(&mut lanes, true)], [Some("older"), Some("asked")]);
    }
}
