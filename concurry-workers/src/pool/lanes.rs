//! The calls that wait for a worker, in lanes: each is first in, first out by age, and a worker takes the oldest call of
//! all that it may take.
//!
//! Most calls stand in the free lane: any worker may take any of them. The others have a lane for what they need: a worker
//! that was chosen for them, or limits, by the method that declared them. A lane whose next call is not admitted yet is shut
//! (`lane`); calls of other lanes pass by.
//!
//! A call stands in the queue of the limits only while a worker that may run it is free. What it was granted otherwise would be
//! held while those are busy, perhaps waiting for that very thing.
//!
//! Asking limits runs foreign code, so it is done outside of the queue's lock, by the worker that found the call; meanwhile
//! the call is out of its lane and still counts as waiting.

use std::collections::BTreeMap;

use concurry_core::call::is_soon_answered;

use super::inbox::Inbox;
use super::lane::{Asked, Calls, Lane, leave};
use crate::admission::Standing;
use crate::worker::Message;

/// The call that so many others go before is fetched while the next one runs: it takes about as long as a few short ones.
const AHEAD: usize = 2;

/// What the calls of a lane need: a certain worker, limits that the method of this number declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Need {
    pub(super) worker: Option<usize>,
    pub(super) limited: Option<u16>,
}

impl Need {
    pub(super) fn is_free(self) -> bool {
        self == Self::default()
    }
}

pub(super) struct Lanes<M> {
    pub(super) free: Calls<M>,
    pub(super) others: BTreeMap<Need, Lane<M>>,
    /// How many wait, those that are being asked for among them.
    len: usize,
}

/// What a worker finds.
pub(super) enum Found<M> {
    /// A call to run.
    Call(Need, u64, M),
    /// A call whose limits must be asked first.
    Ask(Need, u64, M),
}

impl<M> Lanes<M> {
    pub(super) fn new() -> Self {
        Self { free: Calls::new(), others: BTreeMap::new(), len: 0 }
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
            self.free.place(age, message);
            return true;
        }
        let lane = self.others.entry(need).or_insert_with(Lane::new);
        lane.place(age, message);
        lane.is_open()
    }

    /// Takes in what was put down beside the queue; `room` and `ages` as in [`Inbox::empty_into`].
    pub(super) fn take_in(&mut self, inbox: &Inbox<M>, room: usize, ages: u64) -> u64 {
        let (count, age) = inbox.empty_into(&mut self.free, room, ages);
        self.len += count;
        age
    }

    /// Whether there are calls that not any worker may take.
    #[inline]
    pub(super) fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// Whether there are calls that were routed to a certain worker.
    pub(super) fn has_routed(&self) -> bool {
        self.others.keys().any(|need| need.worker.is_some())
    }

    /// Whether no call waits that any worker may take, as far as is known here.
    #[inline]
    pub(super) fn has_no_free(&self) -> bool {
        self.free.0.is_empty()
    }

    /// The call of this age, and the worker that it is for; not while it is being asked for.
    pub(super) fn get(&self, age: u64) -> Option<(Option<usize>, &M)> {
        let other = || self.others.iter().find_map(|(need, lane)| Some((need.worker, lane.get(age)?)));
        self.free.get(age).map(|call| (None, call)).or_else(other)
    }

    /// The oldest call, if any worker may take any. One that comes soon after it is fetched meanwhile.
    pub(super) fn pop_free(&mut self) -> Option<(u64, M)>
    where
        M: Message,
    {
        if !self.others.is_empty() {
            return None;
        }
        let call = self.free.pop()?;
        self.len -= 1;
        if let Some((_, soon)) = self.free.0.get(AHEAD) {
            is_soon_answered(soon.call());
        }
        Some(call)
    }

    /// The next call of a lane without limits.
    pub(super) fn pop_of(&mut self, need: Need) -> Option<(u64, M)> {
        let found = match self.others.get_mut(&need) {
            Some(lane) => lane.pop(),
            None if need.is_free() => self.free.pop(),
            None => None,
        }?;
        self.len -= 1;
        Some(found)
    }

    /// The lane of the oldest call that worker `number` may take.
    pub(super) fn oldest(&self, number: usize) -> Option<Need> {
        if self.others.is_empty() {
            return self.free.age().map(|_| Need::default());
        }
        let free = self.free.age().map(|age| (Need::default(), age));
        let of = |worker| {
            let (first, last) = (Need { worker, limited: None }, Need { worker, limited: Some(u16::MAX) });
            self.others.range(first..=last).filter(|(_, lane)| lane.is_open())
        };
        of(None)
            .chain(of(Some(number)))
            .filter_map(|(need, lane)| Some((*need, lane.age()?)))
            .chain(free)
            .min_by_key(|(_, age)| *age)
            .map(|(need, _)| need)
    }

    /// It is worth asking for the next call of a lane; says whether a worker may find it now.
    pub(super) fn open(&mut self, need: Need) -> bool {
        self.others.get_mut(&need).is_some_and(Lane::open)
    }

    /// Whether worker `number` may find a call now.
    pub(super) fn has_for(&self, number: usize) -> bool {
        self.oldest(number).is_some()
    }

    /// Takes the call of this age out, wherever it stands; one that is being asked for goes when that is over.
    pub(super) fn withdraw(&mut self, age: u64) -> Option<(Need, M)> {
        let mut found = self.free.remove(age).map(|message| (Need::default(), message));
        for (need, lane) in &mut self.others {
            if found.is_some() || lane.withdraw_asked(age) {
                break;
            }
            found = lane.withdraw(age).map(|message| (*need, message));
        }
        self.len -= usize::from(found.is_some());
        found
    }

    /// Takes out the calls without limits whose result nobody needs.
    pub(super) fn take_unwanted(&mut self) -> Vec<(Need, u64, M)>
    where
        M: Message,
    {
        let free = [(Need::default(), &mut self.free)];
        let others = self.others.iter_mut().filter(|(need, _)| need.limited.is_none());
        let others = others.map(|(need, lane)| (*need, &mut lane.calls));
        let mut found = Vec::new();
        for (need, calls) in free.into_iter().chain(others) {
            found.extend(calls.take_unwanted().into_iter().map(|(age, message)| (need, age, message)));
        }
        self.len -= found.len();
        found
    }

    /// The age of the oldest call.
    pub(super) fn oldest_age(&self) -> Option<u64> {
        self.others.values().filter_map(Lane::age).chain(self.free.age()).min()
    }

    /// The oldest of all that waits, taken out.
    pub(super) fn pop_oldest(&mut self) -> Option<(Need, u64, M)> {
        let age = self.oldest_age()?;
        self.withdraw(age).map(|(need, message)| (need, age, message))
    }

    /// All calls, those that are being asked for excepted, whose askers find the pool stopped.
    pub(super) fn take(&mut self) -> Vec<M> {
        let mut calls: Vec<(u64, M)> = self.free.take().collect();
        calls.extend(self.others.values_mut().flat_map(Lane::take));
        self.len -= calls.len();
        calls.sort_by_key(|(age, _)| *age);
        calls.into_iter().map(|(_, message)| message).collect()
    }
}

impl<M: Message> Lanes<M> {
    /// The oldest call that worker `number` may take.
    pub(super) fn find(&mut self, number: usize) -> Option<Found<M>> {
        let need = self.oldest(number)?;
        let Some(lane) = self.others.get_mut(&need) else {
            let (age, message) = self.free.pop()?;
            self.len -= 1;
            return Some(Found::Call(need, age, message));
        };
        if need.limited.is_some() {
            let (age, message) = lane.ask()?;
            return Some(Found::Ask(need, age, message));
        }
        let (age, message) = lane.pop()?;
        self.len -= 1;
        Some(Found::Call(need, age, message))
    }

    /// The limits of a call were asked; `decided` tells whether they have decided.
    pub(super) fn asked(&mut self, need: Need, age: u64, mut message: M, decided: bool) -> Asked<M> {
        self.len -= 1;
        let asked = match self.others.get_mut(&need) {
            Some(lane) => lane.asked(age, message, decided),
            // The worker that it was for has ended.
            None if decided => Asked::Admitted(message),
            None => {
                let place = leave(&mut message);
                self.place(Need { worker: None, ..need }, age, message);
                return Asked::Waits(place);
            }
        };
        self.len += usize::from(matches!(asked, Asked::Waits(_)));
        asked
    }

    /// For the lanes that `is_left` says nobody is free to run what the limits may grant: the calls that stand in their queue leave
    /// it. Their places there, to be dropped outside of the lock.
    pub(super) fn unask(&mut self, is_left: impl Fn(Need) -> bool) -> Vec<Standing> {
        if self.others.is_empty() {
            return Vec::new();
        }
        let left = self.others.iter_mut().filter(|(need, _)| is_left(**need));
        left.filter_map(|(_, lane)| lane.unask()).collect()
    }

    /// A worker takes no more calls: what waits for it may be taken by any. How many calls that are, and the places in the queue
    /// of the limits, to be dropped outside of the lock.
    pub(super) fn release(&mut self, number: usize) -> (usize, Vec<Standing>) {
        let (mut calls, mut places) = (0, Vec::new());
        let needs: Vec<Need> =
            self.others.keys().filter(|need| need.worker == Some(number)).copied().collect();
        for need in needs {
            // One that is being asked for comes back to a lane that is not there: see `asked`.
            let Some(mut lane) = self.others.remove(&need) else { continue };
            places.extend(lane.unask());
            for (age, message) in lane.take() {
                self.len -= 1;
                calls += 1;
                self.place(Need { worker: None, ..need }, age, message);
            }
        }
        (calls, places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITED: Need = Need { worker: None, limited: Some(0) };

    fn found(lanes: &mut Lanes<&'static str>, number: usize) -> Option<&'static str> {
        match lanes.find(number)? {
            Found::Call(_, _, message) => Some(message),
            Found::Ask(_, _, message) => panic!("{message} needs limits"),
        }
    }

    fn ask(lanes: &mut Lanes<&'static str>, decided: bool) -> Option<&'static str> {
        let Some(Found::Ask(need, age, message)) = lanes.find(0) else { return None };
        match lanes.asked(need, age, message, decided) {
            Asked::Admitted(message) | Asked::Withdrawn(message) => Some(message),
            Asked::Waits(_) => None,
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
        assert!(lanes.release(1).1.is_empty());
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
    fn what_comes_after_all_was_taken_out_is_asked_for() {
        let mut lanes = Lanes::new();
        lanes.place(LIMITED, 1, "asked");
        assert_eq!(ask(&mut lanes, false), None);
        assert_eq!(lanes.take(), ["asked"]);
        assert!(lanes.place(LIMITED, 2, "later"));
        assert_eq!(ask(&mut lanes, true), Some("later"));
    }

    #[test]
    fn a_word_of_the_limits_that_comes_while_they_are_asked_is_heard() {
        let mut lanes = Lanes::new();
        lanes.place(LIMITED, 1, "limited");
        let Some(Found::Ask(need, age, message)) = lanes.find(0) else { panic!("it needs limits") };
        assert!(!lanes.open(LIMITED), "it is not there to be found");
        assert!(matches!(lanes.asked(need, age, message, false), Asked::Waits(None)));
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
    fn what_is_asked_for_when_its_worker_ends_is_found_by_others() {
        let mut lanes = Lanes::new();
        let need = Need { worker: Some(0), limited: Some(0) };
        lanes.place(need, 1, "limited");
        let Some(Found::Ask(need, age, message)) = lanes.find(0) else { panic!("it needs limits") };
        assert!(lanes.release(0).1.is_empty());
        assert!(matches!(lanes.asked(need, age, message, false), Asked::Waits(None)));
        assert!(matches!(lanes.find(1), Some(Found::Ask(LIMITED, 1, "limited"))));
    }

    #[test]
    fn when_nobody_is_free_the_first_is_a_call_like_any_other() {
        let mut lanes = Lanes::new();
        lanes.place(LIMITED, 2, "asked");
        assert_eq!(ask(&mut lanes, false), None);
        lanes.place(LIMITED, 1, "older");
        assert!(lanes.unask(|_| true).is_empty(), "these have no admission");
        assert_eq!([ask(&mut lanes, true), ask(&mut lanes, true)], [Some("older"), Some("asked")]);
    }
}
