//! The slots of a set and its queue, under the engine's lock: decides, takes and hands over.
//!
//! Invariant, whenever the lock is free: no waiter could be admitted that is not behind an earlier one with whom it
//! shares a key; and the first of each group that depends on time alone knows its instant (it sleeps to it itself, or
//! [`Board::next_timer`] is at most that instant).

use std::cmp::Reverse;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use concurry_core::call::Panicked;
use concurry_core::clock::Timestamp;
use concurry_core::panics::{InTurn, catch, contain};
use smallvec::SmallVec;

use super::cell::{Branch, Grant};
use super::demand::{Demand, mask_of};
use super::queue::{Queue, Waiter};
use super::slot::{Decision, Slot, decide, refusal, take};
use super::{Engine, Item, Wish};
use crate::LimitError;

/// What has to happen once the lock is free.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) wakers: SmallVec<[Waker; 2]>,
    /// The other sets in which those stand who were granted something: they hold nobody up there any more.
    pub(super) others: Vec<Arc<Engine>>,
}

impl Effects {
    fn look_at_the_others(&mut self, Waiter { cell, branch }: &Waiter) {
        let others = (0..).zip(cell.branches()).filter(|(other, _)| other != branch);
        for (_, Branch { engine, .. }) in others {
            if !self.others.iter().any(|known| Arc::ptr_eq(known, engine)) {
                self.others.push(Arc::clone(engine));
            }
        }
    }
}

impl Drop for Effects {
    /// Wakes whoever was told something, also when a user's limit panicked after that.
    fn drop(&mut self) {
        for waker in self.wakers.drain(..) {
            contain("a waker", || waker.wake());
        }
    }
}

/// What became of the first of a line.
enum Attended {
    /// It waits no more.
    Ended,
    /// It waits; until then, if that depends on time alone.
    Waits(Option<Timestamp>),
}

/// Ends the waiting of the first of a line, if it can be ended.
fn attend(
    slots: &mut [Slot],
    head: &Waiter,
    is_blocked: bool,
    now: Timestamp,
    effects: &mut Effects,
) -> Attended {
    // One that another set has granted holds nobody up here, and is refused by nobody.
    if head.cell.is_elsewhere() {
        return Attended::Ended;
    }
    if is_blocked {
        return Attended::Waits(None);
    }
    match decide(slots, head.wishes(), now).by(head.cell.deadline()) {
        Decision::Later { at, .. } => return Attended::Waits(at),
        Decision::Now => {
            if hand_over(slots, head, now, effects) {
                effects.look_at_the_others(head);
            }
        }
        never => refuse(slots, head, &never, now, effects),
    }
    Attended::Ended
}

/// Takes for a waiter and tells it, unless another set was first.
fn hand_over(slots: &mut [Slot], waiter: &Waiter, now: Timestamp, effects: &mut Effects) -> bool {
    let Some(claim) = waiter.cell.claim() else { return false };
    take(slots, waiter.wishes(), now - waiter.cell.since, now);
    effects.wakers.push(claim.grant(Grant { branch: waiter.branch, taken_at: now }));
    true
}

/// Tells a waiter that it waits in vain.
#[cold]
fn refuse(slots: &mut [Slot], waiter: &Waiter, decision: &Decision, now: Timestamp, effects: &mut Effects) {
    let time = now - waiter.cell.since;
    let error = refusal(slots, waiter.wishes(), decision, Some(time), now);
    effects.wakers.extend(waiter.cell.refuse(waiter.branch, error));
}

/// Tells a waiter that it waits in vain, since a limit panicked.
#[cold]
fn refuse_for(panic: &Panicked, slots: &mut [Slot], waiter: &Waiter, effects: &mut Effects) -> Attended {
    let wish = waiter.wishes().first();
    let (index, requested) = wish.map_or((0, 0), |wish| (wish.index(), wish.requested));
    let slot = &mut slots[index];
    slot.refused += 1;
    let (key, capacity) = (slot.key.clone(), slot.capacity);
    let reason = format!("a limit panicked: {panic}");
    let error = LimitError::Never { key, requested, capacity, reason };
    effects.wakers.extend(waiter.cell.refuse(waiter.branch, error));
    Attended::Ended
}

/// What became of a waiter that came in.
pub(super) enum Entered {
    /// It was granted at once.
    Granted,
    /// It stands in the queue at this place.
    Standing(u64),
    /// It can never be granted, or too late.
    Never(Decision),
    /// Another set had granted it already.
    Closed,
}

pub(super) struct Board {
    pub(super) slots: Vec<Slot>,
    pub(super) queue: Queue,
    /// When the first of those waiters can be admitted that do not sleep for themselves.
    pub(super) next_timer: Option<Timestamp>,
}

impl Board {
    /// Admits a newcomer, if nobody with whom it shares a key came earlier.
    pub(super) fn admit(&mut self, demand: &Demand, now: Timestamp, effects: &mut Effects) -> Decision {
        let decision = self.judge(&demand.wishes, demand.mask, now, effects);
        if decision == Decision::Now {
            take(&mut self.slots, &demand.wishes, Duration::ZERO, now);
        }
        decision
    }

    /// Whether a newcomer can be admitted.
    pub(super) fn judge(
        &mut self,
        wishes: &[Wish],
        mask: u128,
        now: Timestamp,
        effects: &mut Effects,
    ) -> Decision {
        self.pass_over(mask, now, effects);
        match (decide(&mut self.slots, wishes, now), self.queue.ahead_of(mask)) {
            (Decision::Now, Some(ahead)) => {
                Decision::Behind { index: (ahead.mask & mask).trailing_zeros() as usize }
            }
            // What it would be without those ahead is too early by what they take.
            (Decision::Later { index, not_before, .. }, Some(_)) => {
                Decision::Later { index, at: None, not_before }
            }
            (decision, _) => decision,
        }
    }

    /// Takes those out who stand first for one of these keys and were granted by another set, which is just about to say
    /// so here. Those behind them come before any newcomer.
    fn pass_over(&mut self, mask: u128, now: Timestamp, effects: &mut Effects) {
        if self.queue.has_gone(mask) {
            self.pump(now, effects);
        }
    }

    /// Grants a waiter at once, or lets it stand in the queue.
    pub(super) fn enter(&mut self, waiter: Waiter, now: Timestamp, effects: &mut Effects) -> Entered {
        let mask = mask_of(waiter.wishes());
        self.pass_over(mask, now, effects);
        let behind = self.queue.ahead_of(mask).is_some();
        let cell = Arc::clone(&waiter.cell);
        let at = match decide(&mut self.slots, waiter.wishes(), now).by(cell.deadline()) {
            never @ (Decision::Never { .. } | Decision::Late { .. }) => return Entered::Never(never),
            Decision::Now if !behind => {
                return if hand_over(&mut self.slots, &waiter, now, effects) {
                    Entered::Granted
                } else {
                    Entered::Closed
                };
            }
            Decision::Later { at, .. } if !behind => at,
            _ => None,
        };
        // The waiter itself is running: it reads its instant before it sleeps, so there is nobody to wake.
        drop(cell.arm(waiter.branch, at));
        if let (Some(at), false) = (at, cell.is_self_timed()) {
            self.next_timer = Some(self.next_timer.map_or(at, |next| next.min(at)));
        }
        Entered::Standing(self.queue.join(waiter))
    }

    /// Walks the queue once and grants whatever can be granted, in order.
    pub(super) fn pump(&mut self, now: Timestamp, effects: &mut Effects) {
        self.next_timer = None;
        if self.queue.is_empty() {
            return;
        }
        let mut heads = self.queue.heads();
        let mut blocked: u128 = 0;
        while let Some(Reverse((_, index))) = heads.pop() {
            let mask = self.queue.groups[index].mask;
            if self.serve(index, mask & blocked != 0, now, effects) {
                heads.extend(self.queue.groups[index].line.first().map(|(seq, _)| Reverse((seq, index))));
            } else {
                blocked |= mask;
            }
        }
        self.queue.end_walk(heads);
    }

    /// Of a set of one limit that holds what it admits: the thread that is next, if whatever is given back lets it go on.
    pub(super) fn next_by_any_release(&mut self, now: Timestamp) -> Option<(u64, &Waiter)> {
        let ([group], [slot]) = (&self.queue.groups[..], &mut self.slots[..]) else { return None };
        let (place, head) = group.line.first()?;
        let wants_one = matches!(head.wishes(), [wish] if wish.requested == 1);
        // More than the capacity is held after it was lowered.
        let is_next = wants_one && slot.restraint.is_none() && slot.state.in_use(now) <= slot.capacity;
        (is_next && head.cell.is_self_timed()).then_some((place, head))
    }

    /// Ends the waiting of the first of a group, if it can be ended; otherwise it waits on, and is told until when.
    fn serve(&mut self, index: usize, is_blocked: bool, now: Timestamp, effects: &mut Effects) -> bool {
        let line = &mut self.queue.groups[index].line;
        let Some((_, head)) = line.first() else { return false };
        let slots = &mut self.slots;
        // When a user's own limit panics, that is what its waiter is told, and the walk goes on.
        let attended = catch(|| attend(slots, head, is_blocked, now, effects));
        let at = match attended.unwrap_or_else(|panic| refuse_for(&panic, slots, head, effects)) {
            Attended::Ended => {
                line.next();
                return true;
            }
            Attended::Waits(at) => at,
        };
        effects.wakers.extend(head.cell.arm(head.branch, at));
        if let (Some(at), false) = (at, head.cell.is_self_timed()) {
            self.next_timer = Some(self.next_timer.map_or(at, |next| next.min(at)));
        }
        false
    }

    /// Takes a waiter out; those behind it may be next.
    pub(super) fn leave(&mut self, mask: u128, seq: u64, now: Timestamp, effects: &mut Effects) {
        if let Some((_, true)) = self.queue.leave(mask, seq) {
            self.pump(now, effects);
        }
    }

    /// Settles what an acquisition held.
    pub(super) fn settle(&mut self, items: &[Item], now: Timestamp, effects: &mut Effects) {
        let mut each = InTurn::default();
        for item in items.iter().filter(|item| item.requested > 0 || item.used() > 0) {
            let state = &mut self.slots[item.index()].state;
            each.run(|| state.settle(item.requested, item.used(), now));
        }
        self.pump(now, effects);
        each.end();
    }

    /// Takes a grant back that never reached its waiter.
    pub(super) fn undo(
        &mut self,
        taken: impl Iterator<Item = Wish>,
        (taken_at, waited): (Timestamp, Duration),
        now: Timestamp,
        effects: &mut Effects,
    ) {
        let mut each = InTurn::default();
        for wish in taken.filter(|wish| wish.requested > 0) {
            let slot = &mut self.slots[wish.index()];
            each.run(|| slot.state.undo(wish.requested, taken_at, now));
            if let Some(restraint) = &mut slot.restraint {
                restraint.undo(wish.requested, taken_at);
            }
            slot.admitted -= 1;
            slot.total_wait = slot.total_wait.saturating_sub(waited);
        }
        self.pump(now, effects);
        each.end();
    }

    /// Changes a capacity; waiters that ask for more are told.
    pub(super) fn set_capacity(
        &mut self,
        index: usize,
        capacity: u64,
        now: Timestamp,
        effects: &mut Effects,
    ) {
        self.slots[index].state.set_capacity(capacity, now);
        self.slots[index].capacity = capacity;
        let asks_more = |wish: &Wish| wish.index() == index && wish.requested > capacity;
        let out = self.queue.take_out(|waiter| waiter.wishes().iter().any(asks_more));
        for waiter in out.into_iter().filter(|waiter| !waiter.cell.is_elsewhere()) {
            let reason = crate::limit::ABOVE_CAPACITY.to_owned();
            let never = Decision::Never { index, reason };
            let refused = catch(|| refuse(&mut self.slots, &waiter, &never, now, effects));
            if let Err(panic) = refused {
                refuse_for(&panic, &mut self.slots, &waiter, effects);
            }
        }
        self.pump(now, effects);
    }

    /// Admits nothing on a limit until `until`, or longer if it is paused for longer.
    pub(super) fn pause(&mut self, index: usize, until: Timestamp, now: Timestamp, effects: &mut Effects) {
        self.slots[index].restrain().pause(until);
        self.pump(now, effects);
    }

    /// Ends a pause, and whatever a server said.
    pub(super) fn resume(&mut self, index: usize, now: Timestamp, effects: &mut Effects) {
        self.slots[index].restraint = None;
        self.pump(now, effects);
    }
}

#[cfg(all(test, not(loom)))]
#[path = "board_tests.rs"]
mod tests;
