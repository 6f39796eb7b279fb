//! Calls that a worker takes before it is free to run them: a process has its next calls at hand when it has done one.
//!
//! Promises: what is taken ahead still counts as waiting; it is taken only while nobody is idle who could run it at once, and
//! comes back, to its old place, when somebody goes idle, the pool stops, or the worker is one too many or dies. A call with
//! `#[limited]` is never taken ahead: what it was granted would be held while it waits. Where the oldest call is displaced
//! by new ones, nothing is taken ahead, since the oldest would be out of reach.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::task::Waker;

use concurry_core::call::Look;
use concurry_core::panics::discard;
use concurry_core::when_full::WhenFull;

use super::cancelled::Swept;
use super::ending::tell;
use super::lanes::Need;
use super::notes::Noted;
use super::queue::{Queue, State};
use super::taken::Taken;
use crate::worker::Queued;

/// A worker that has calls at hand in a place of its own.
pub(crate) trait TakesAhead: Send + Sync {
    /// Nobody needs the result of one of the calls that it has at hand.
    fn is_cancelled(&self);
    /// Ends the worker if it runs this call, known by its age or else by its number; whether it had the call.
    fn end_by_force(&self, call: usize, age: Option<u64>) -> bool;
    /// Has `look` look for the end of this call, reading its answer meanwhile, if it is the only one that the worker has and nobody else
    /// reads it; whether it was.
    fn help(self: Arc<Self>, call: usize, look: Look<'_>) -> bool;
}

/// What a worker that has calls at hand is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// Go on.
    Fine,
    /// Put back what it has not begun: somebody else could run it, or nobody is to.
    PutBack,
}

/// The workers that take calls ahead, by number.
#[derive(Default)]
pub(super) struct Ahead {
    hands: Vec<Hand>,
    /// Calls that were taken and not begun, of all workers: of each all that it has at hand but one.
    waiting: usize,
    /// How many of them have room, and are to be woken for the next call.
    with_room: usize,
}

/// What one worker has at hand.
#[derive(Default)]
struct Hand {
    /// None when that worker is not there, or takes none ahead.
    waker: Option<Waker>,
    ender: Option<Weak<dyn TakesAhead>>,
    /// Calls that it has, by age and number, in the order in which it runs them; the first one runs.
    calls: VecDeque<(u64, usize)>,
    /// Those of them that any worker could run.
    free: usize,
    /// It has found no more, and is to be woken for the next one.
    has_room: bool,
}

impl Ahead {
    #[inline]
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    #[inline]
    fn hand(&mut self, number: usize) -> Option<&mut Hand> {
        self.hands.get_mut(number)
    }

    /// Worker `number` takes a call; whether it is the only one that it has, and so counts as running.
    #[inline]
    fn adds(&mut self, number: usize, need: Need, age: u64, call: impl FnOnce() -> usize) -> bool {
        let Some(hand) = self.hand(number) else { return true };
        hand.calls.push_back((age, call()));
        hand.free += usize::from(need.is_free());
        let is_first = hand.calls.len() == 1;
        self.waiting += usize::from(!is_first);
        is_first
    }

    /// Worker `number` has the calls of these ages no more, which have ended or are put back; how many of them had not begun, and
    /// whether it has none any more.
    fn removes(&mut self, number: usize, ages: &[u64], free: usize, have_ended: bool) -> (usize, bool) {
        let Some(hand) = self.hand(number) else { return (0, !ages.is_empty()) };
        let before = hand.calls.len().saturating_sub(1);
        for age in ages {
            // What ends stands at the front, and what is put back at the end: a call that is tried again may be there twice.
            let calls = &mut hand.calls;
            let is_it = |(other, _): &(u64, usize)| other == age;
            let place = if have_ended { calls.iter().position(is_it) } else { calls.iter().rposition(is_it) };
            place.and_then(|place| calls.remove(place));
        }
        hand.free = hand.free.saturating_sub(free);
        let after = hand.calls.len().saturating_sub(1);
        let ended = !ages.is_empty() && hand.calls.is_empty();
        self.waiting -= before - after;
        (before - after, ended)
    }

    /// The worker that is to be woken for a call which needs this: one that has room for it, and the fewest calls.
    #[inline]
    pub(super) fn with_room(&mut self, need: Need) -> Option<Waker> {
        if need.limited.is_some() {
            return None;
        }
        let hand = match need.worker {
            Some(number) => self.hand(number).filter(|hand| hand.has_room),
            None => self.hands.iter_mut().filter(|hand| hand.has_room).min_by_key(|hand| hand.calls.len()),
        }?;
        hand.has_room = false;
        let waker = hand.waker.clone();
        self.with_room -= 1;
        waker
    }

    /// Whether anybody is to be woken for a call.
    #[inline]
    pub(super) fn is_short(&self) -> bool {
        self.with_room > 0
    }

    pub(super) fn set_has_room(&mut self, number: usize, has_room: bool) {
        let Some(hand) = self.hands.get_mut(number) else { return };
        let before = std::mem::replace(&mut hand.has_room, has_room);
        self.with_room = self.with_room + usize::from(has_room) - usize::from(before);
    }

    /// The worker that has most of what any could run, when somebody is idle.
    pub(super) fn fullest(&self) -> Option<Waker> {
        let full = self.hands.iter().filter(|hand| hand.free > 1);
        full.max_by_key(|hand| hand.free).and_then(|hand| hand.waker.clone())
    }

    /// All that have calls at hand which have not begun.
    pub(super) fn all(&self) -> Vec<Waker> {
        let full = self.hands.iter().filter(|hand| hand.calls.len() > 1);
        full.filter_map(|hand| hand.waker.clone()).collect()
    }

    /// Whether worker `number` has any call.
    pub(super) fn has_calls(&self, number: usize) -> bool {
        self.hands.get(number).is_some_and(|hand| !hand.calls.is_empty())
    }

    /// The workers that have a call of this number: of one that has ended, and is not settled yet, another may have it by now.
    pub(super) fn who_have(&self, call: usize) -> Vec<Weak<dyn TakesAhead>> {
        let has_it = |hand: &&Hand| hand.calls.iter().any(|(_, number)| *number == call);
        self.hands.iter().filter(has_it).filter_map(|hand| hand.ender.clone()).collect()
    }

    /// The worker that has this call and no other.
    pub(super) fn whose(&self, call: usize) -> Option<Weak<dyn TakesAhead>> {
        let has_it_alone = |hand: &&Hand| hand.calls.len() == 1 && hand.calls[0].1 == call;
        self.hands.iter().find(has_it_alone)?.ender.clone()
    }

    /// What ends each of them by force.
    pub(super) fn enders(&self) -> Vec<Weak<dyn TakesAhead>> {
        self.hands.iter().filter_map(|hand| hand.ender.clone()).collect()
    }

    /// The place of a call among those that a worker has at hand and has not begun.
    pub(super) fn place_of(&self, call: usize, age: Option<u64>) -> Option<usize> {
        let is_it = |(other, number): &(u64, usize)| age.map_or(*number == call, |age| *other == age);
        self.hands.iter().find_map(|hand| hand.calls.iter().skip(1).position(is_it))
    }

    /// How many calls of less than this age are at hand and have not begun: of one worker, or of all.
    pub(super) fn older(&self, age: u64, worker: Option<usize>) -> usize {
        let hands = self.hands.iter().enumerate();
        let hands = hands.filter(|(number, _)| worker.is_none_or(|worker| worker == *number));
        let older = |hand: &Hand| hand.calls.iter().skip(1).filter(|(other, _)| *other < age).count();
        hands.map(|(_, hand)| older(hand)).sum()
    }

    pub(super) fn ended(&mut self, number: usize) -> Option<Waker> {
        self.set_has_room(number, false);
        let hand = self.hands.get_mut(number)?;
        hand.ender = None;
        hand.waker.take()
    }
}

impl<M: Queued> Queue<M> {
    /// Worker `number` takes calls ahead from now on; `waker` has it look for more, or put some back.
    pub(crate) fn takes_ahead(&self, number: usize, waker: Waker, ender: Weak<dyn TakesAhead>) {
        let mut state = self.state();
        state.take_in();
        let hands = &mut state.ahead.hands;
        if hands.len() <= number {
            hands.resize_with(number + 1, Hand::default);
        }
        hands[number].ender = Some(ender);
        let before = hands[number].waker.replace(waker);
        drop(state);
        drop(before);
    }

    /// Takes up to `most` calls for worker `number` to run after those that it has. When there are fewer, and it `is_short` of
    /// calls, it is woken for the next one.
    pub(crate) fn take_ahead(
        &self,
        number: usize,
        most: usize,
        is_short: bool,
        into: &mut Vec<Taken<M>>,
    ) -> Outlook {
        let mut state = self.state();
        if state.is_to_put_back(number) {
            return Outlook::PutBack;
        }
        if self.options.when_full == WhenFull::DropOldest {
            return Outlook::Fine;
        }
        let (before, waiting) = (into.len(), state.ahead.waiting());
        loop {
            while into.len() - before < most {
                let Some(taken) = state.next_ahead(number) else { break };
                into.push(taken);
            }
            let has_room = is_short && into.len() - before < most;
            // Nothing is put down any more from here on that it is not woken for.
            if !has_room || self.inbox.shut_if_empty() {
                state.ahead.set_has_room(number, has_room);
                break;
            }
            state.take_in();
        }
        // One that has none any more runs the first of them: that one waits no more.
        let begun = (into.len() - before).saturating_sub(state.ahead.waiting() - waiting);
        let submitters = state.rooms(begun);
        drop(state);
        submitters.into_iter().for_each(Waker::wake);
        Outlook::Fine
    }

    /// Whether a call waits that no worker has taken.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.state().lanes.is_empty()
    }

    /// Calls of these ages that worker `number` had at hand have ended, `free` of them of those that any worker could run; and
    /// what was noted of them.
    pub(crate) fn settled(&self, number: usize, ages: &[u64], free: usize, noted: Vec<Noted>) {
        if ages.is_empty() {
            return;
        }
        let mut state = self.state();
        let rooms = state.lets_go(number, ages, free, true);
        let submitters = state.rooms(rooms);
        let ended: Vec<_> = noted.into_iter().map(|noted| state.notes.ran(noted)).collect();
        tell(state);
        submitters.into_iter().for_each(Waker::wake);
        for noted in ended {
            self.tell_of(noted);
        }
    }

    /// Puts calls back that worker `number` had taken, to their old places. Gives back those that nobody is to run any more.
    pub(crate) fn put_back(&self, number: usize, calls: Vec<Taken<M>>) -> Vec<M> {
        let mut state = self.state();
        let free = calls.iter().filter(|call| call.need.is_free()).count();
        let ages: Vec<u64> = calls.iter().map(Taken::age).collect();
        state.lets_go(number, &ages, free, false);
        if state.stopped {
            let notes: Vec<_> = ages.iter().map(|age| state.leaves(*age)).collect();
            tell(state);
            drop(notes);
            return calls.into_iter().map(|call| call.message).collect();
        }
        // Those that wait for limits are not looked through for who was cancelled; and its cancellation found no such call.
        let is_over = |call: &Taken<M>| call.need.limited.is_some() && !call.message.is_wanted();
        let (over, calls): (Vec<_>, Vec<_>) = calls.into_iter().partition(is_over);
        let notes: Vec<_> = over.iter().map(|call| state.leaves(call.age)).collect();
        let rooms = state.rooms(over.len());
        let helps: Vec<_> = calls.into_iter().map(|call| state.replace(call)).collect();
        let swept = if state.submitters.is_empty() { None } else { state.sweep() };
        // What was put back takes the room of what may be put down.
        state.take_in();
        // Whoever waits for room finds what is put back counted as before.
        tell(state);
        for help in helps {
            self.help(help);
        }
        swept.into_iter().for_each(Swept::clear_away);
        rooms.into_iter().for_each(Waker::wake);
        for call in over {
            discard(call.message);
        }
        drop(notes);
        Vec::new()
    }
}

impl<M> State<M> {
    /// Calls that wait, wherever.
    pub(super) fn backlog(&self) -> usize {
        self.lanes.len() + self.backing_off.len() + self.ahead.waiting()
    }
}

impl<M: Queued> State<M> {
    /// Whether worker `number` has calls at hand that it is not to keep.
    fn is_to_put_back(&mut self, number: usize) -> bool {
        let (stopped, surplus, idle) = (self.stopped, self.has_surplus(), self.idle.len());
        let Some(hand) = self.ahead.hand(number) else { return false };
        (hand.calls.len() > 1 && (stopped || surplus)) || (hand.free > 1 && idle > 0)
    }

    /// Worker `number` takes a call that it has looked for. One that was not run, but is not settled either, may still count as
    /// its running one.
    pub(super) fn begins(&mut self, number: usize, need: Need, age: u64, message: &M) -> Noted {
        self.running += usize::from(self.ahead.adds(number, need, age, || message.call()));
        self.takes(number, need, age)
    }

    /// The next call that worker `number` may take ahead. Those who are idle, or on their way here, come first.
    fn next_ahead(&mut self, number: usize) -> Option<Taken<M>> {
        if self.stopped || self.has_surplus() {
            return None;
        }
        let others = self.workers.coming() + self.idle.len();
        let is_for = |need: Need| need.limited.is_none() && need.worker == Some(number);
        let (may_take, need) = match self.lanes.oldest(number)? {
            need if need.is_free() => (self.lanes.len() > others, need),
            need => (is_for(need), need),
        };
        if !may_take {
            return None;
        }
        let (age, message) = self.lanes.pop_of(need)?;
        let noted = self.begins(number, need, age, &message);
        Some(Taken { need, age, message, noted })
    }

    /// Worker `number` has the calls of these ages no more; for how many there is room now.
    fn lets_go(&mut self, number: usize, ages: &[u64], free: usize, have_ended: bool) -> usize {
        let (rooms, ended) = self.ahead.removes(number, ages, free, have_ended);
        self.running -= usize::from(ended);
        for _ in ages {
            self.workers.ran(number);
        }
        rooms
    }

    /// Puts a call back that was taken.
    fn replace(&mut self, call: Taken<M>) -> super::staffing::Help {
        let Taken { need, age, message, noted } = call;
        self.cancelled += usize::from(!message.is_wanted());
        self.notes.returns(age, noted);
        // One that was routed stays so, as long as that worker is there.
        let worker = need.worker.filter(|worker| self.workers.returns_to(*worker));
        self.place_for(Need { worker, ..need }, age, message)
    }

    pub(super) fn rooms(&mut self, rooms: usize) -> Vec<Waker> {
        let rooms = rooms.min(self.submitters.len());
        self.submitters.drain(..rooms).collect()
    }
}

/// Somebody has gone idle: who has taken what that one could run puts it back.
pub(super) fn call_back<M>(state: &State<M>) -> Option<Waker> {
    if state.ahead.waiting() == 0 { None } else { state.ahead.fullest() }
}
