//! The engine of a set: one lock around the board, the clock, and what has to happen after the lock was released.
//!
//! Everything goes through [`Engine::act`]: it locks, reads the clock once, lets the board act, releases, and only then arms
//! the timer, lets the other sets hear in which those stand who were granted something, and wakes. A waker may run anything, so
//! none is called under the lock; and a manual clock may fire a timer request while it is made, so none is made under the lock
//! either.
//!
//! What a set of one limit can do in its [`Lane`] does not even lock, but to make room for further admissions now and then; nor does
//! giving back what is held of one of several.

mod give_back;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, PoisonError, Weak};

use concurry_core::clock::{Clock, SystemClock, Timestamp};
use concurry_core::panics::discard;

use super::board::{Board, Effects, Entered};
use super::demand::{Demand, mask_of};
use super::lane::Lane;
use super::ledger::{Ledger, Step};
use super::next::Next;
use super::plan::Patience;
use super::queue::{Queue, Waiter};
use super::rest::Panic;
use super::returns::Returns;
use super::slot::{Decision, Nature, Slot, reason, refusal};
use super::timer::{self, Timer};
use super::{Definition, Wish};
use crate::LimitError;
use crate::sync::{Mutex, lock};

pub(crate) struct Engine {
    pub(crate) definition: Arc<Definition>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The same, where it is the system's: reading it is most of what an admission costs.
    system: Option<Arc<SystemClock>>,
    /// The way past the lock.
    lane: Option<Lane>,
    /// The way back past the lock, of a set that has no lane.
    returns: Returns,
    /// Who is woken before a release is counted.
    pub(super) next: Option<Next>,
    nature: Nature,
    locked: Mutex<Locked>,
    this: Weak<Self>,
}

struct Locked {
    board: Board,
    /// The way past the board; of a set that has no lane.
    ledger: Option<Ledger>,
    /// The latest time that was acted at: time does not go back from one holder of the lock to the next.
    now: Timestamp,
    timer: Timer,
    /// The place of whom [`Next`] follows.
    next: Option<u64>,
}

impl Engine {
    pub(crate) fn new(definition: Arc<Definition>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let now = clock.now();
        let slots = Slot::all(&definition, now);
        let nature = Nature::of(&slots);
        Self::with_slots(definition, clock, slots, nature, now)
    }

    /// An engine that goes on with `slots`, one a limit of the definition, which are of this nature: they are not asked.
    pub(super) fn with_slots(
        definition: Arc<Definition>,
        clock: Arc<dyn Clock>,
        mut slots: Vec<Slot>,
        nature: Nature,
        now: Timestamp,
    ) -> Arc<Self> {
        let lane = if let [slot] = &mut slots[..] { slot.lane(now) } else { None };
        let system = Some(SystemClock::shared())
            .filter(|system| std::ptr::addr_eq(Arc::as_ptr(system), Arc::as_ptr(&clock)));
        let returns = Returns::new(if lane.is_none() { slots.len() } else { 0 });
        let ledger = lane.is_none().then(|| Ledger::new(&mut slots, &returns, now));
        let next = (lane.is_some() && nature.timed == 0).then(Next::new);
        let board = Board { slots, queue: Queue::default(), next_timer: None };
        let locked = Mutex::new(Locked { board, ledger, now, timer: Timer::default(), next: None });
        Arc::new_cyclic(|this| Self {
            definition,
            clock,
            system,
            lane,
            returns,
            next,
            nature,
            locked,
            this: Weak::clone(this),
        })
    }

    /// Ends this engine, in which nobody waits; what stays are its limits, and the latest time at which they were asked.
    pub(super) fn into_slots(self) -> (Vec<Slot>, Timestamp) {
        let locked = self.locked.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (mut slots, ledger, now) = (locked.board.slots, locked.ledger, locked.now);
        if let Some(mut ledger) = ledger {
            ledger.close(&mut slots, now);
        }
        if let (Some(lane), [slot]) = (&self.lane, &mut slots[..])
            && let Some(word) = lane.close()
        {
            slot.leave(&lane.counted(word, now));
        }
        (slots, now)
    }

    pub(super) fn has_lane(&self) -> bool {
        self.lane.is_some()
    }

    #[inline]
    fn now(&self) -> Timestamp {
        match &self.system {
            Some(system) => system.now(),
            None => self.clock.now(),
        }
    }

    /// Lets the board act at this moment.
    pub(super) fn act<R>(&self, act: impl FnOnce(&mut Board, Timestamp, &mut Effects) -> R) -> R {
        // Dropped last: then no lock is held.
        let mut effects = Effects::default();
        let result = self.act_first(act, &mut effects);
        // One after the other, and not one within the other: a grant may lead to another without end.
        while let Some(other) = effects.others.pop() {
            // What panics there is told to who waits there.
            discard(other.act_first(Board::pump, &mut effects));
        }
        drop(effects);
        result.unwrap_or_else(|payload| resume_unwind(payload))
    }

    /// Lets the board act; the effects are left to be done. What it panicked with is handed out when all else has been seen to.
    fn act_first<R>(
        &self,
        act: impl FnOnce(&mut Board, Timestamp, &mut Effects) -> R,
        effects: &mut Effects,
    ) -> Result<R, Panic> {
        let (result, request) = {
            let mut locked = lock(&self.locked);
            let locked = &mut *locked;
            // Closed before the clock is read: what it has counted is from before this moment then.
            let closed = self.lane.as_ref().and_then(|lane| Some((lane, lane.close()?)));
            locked.now = locked.now.max(self.now());
            if let Some((lane, word)) = closed {
                locked.board.slots[0].leave(&lane.counted(word, locked.now));
            }
            if let Some(ledger) = &mut locked.ledger {
                ledger.close(&mut locked.board.slots, locked.now);
            }
            let (board, now) = (&mut locked.board, locked.now);
            let result = catch_unwind(AssertUnwindSafe(|| act(board, now, effects)));
            if locked.board.queue.is_empty() {
                match (&self.lane, &mut locked.ledger) {
                    (Some(lane), _) => locked.board.slots[0].enter(lane, locked.now),
                    (None, Some(ledger)) => ledger.open(&mut locked.board.slots, locked.now),
                    (None, None) => {}
                }
            }
            if let Some(next) = &self.next {
                next.follow(&mut locked.board, locked.now, &mut locked.next);
            }
            (result, locked.timer.follow(locked.board.next_timer))
        };
        // Before anybody is woken: what a waker runs may take long, and may wait for this very set.
        if let Some((at, version)) = request {
            self.arm(at, version);
        }
        result
    }

    fn arm(&self, at: Timestamp, version: u64) {
        let waker = timer::waker(&self.this);
        let guard = self.clock.wake_at(at, waker);
        let mut locked = lock(&self.locked);
        let unwanted = locked.timer.keep(guard, version);
        drop(locked);
        drop(unwanted);
    }

    /// Admits a demand now or tells why not: a timeout, if it was given `patience` that cannot be enough.
    /// The answer is when it was taken; `Ok(None)` asks the caller to wait.
    pub(super) fn admit(&self, demand: &Demand, patience: Patience) -> Result<Option<Timestamp>, LimitError> {
        if self.take_in_lane(demand) {
            // When that was matters to nobody: nothing that goes by time held the limit back.
            return Ok(Some(Timestamp::default()));
        }
        match self.take_in_ledger(demand) {
            Some(now) => Ok(Some(now)),
            None => self.admit_locked(demand, patience),
        }
    }

    /// As [`admit`](Self::admit), for who has found the lane or the ledger closed, or too little there.
    pub(super) fn admit_locked(
        &self,
        demand: &Demand,
        patience: Patience,
    ) -> Result<Option<Timestamp>, LimitError> {
        self.act(|board, now, effects| {
            let decision = board.admit(demand, now, effects).by(patience.deadline());
            match (&decision, patience) {
                (Decision::Now, _) => Ok(Some(now)),
                (Decision::Never { .. }, Patience::Question) => {
                    Err(reason(&mut board.slots, &demand.wishes, &decision, None, now))
                }
                (_, Patience::Question) => Ok(None),
                (Decision::Never { .. } | Decision::Late { .. }, _) | (_, Patience::None) => {
                    Err(refusal(&mut board.slots, &demand.wishes, &decision, None, now))
                }
                _ => Ok(None),
            }
        })
    }

    /// Whether `wishes` are known to be admitted after `deadline` only, or never.
    pub(super) fn is_late(&self, wishes: &[Wish], deadline: Timestamp) -> bool {
        self.act(|board, now, effects| {
            let decision = board.judge(wishes, mask_of(wishes), now, effects).by(Some(deadline));
            matches!(decision, Decision::Late { .. } | Decision::Never { .. })
        })
    }

    /// Takes in the ledger, if that is possible now.
    #[inline(never)]
    pub(super) fn take_in_ledger(&self, demand: &Demand) -> Option<Timestamp> {
        if self.lane.is_some() {
            return None;
        }
        let mut locked = lock(&self.locked);
        let Locked { board, ledger, now, .. } = &mut *locked;
        if demand.mask & self.nature.timed != 0 {
            *now = (*now).max(self.now());
        }
        ledger.as_mut()?.take(&mut board.slots, &demand.wishes, *now).then_some(*now)
    }

    /// The steps by which `demand` is taken in the ledger, if there is one and it needs nothing else.
    pub(super) fn steps(&self, demand: &Demand) -> Option<Box<[Step]>> {
        lock(&self.locked).ledger.as_ref()?.steps(&demand.wishes)
    }

    /// Takes in the ledger, by steps. A call, so that the way through a lane is short.
    #[inline(never)]
    pub(super) fn take_steps(&self, steps: &[Step]) -> bool {
        let mut locked = lock(&self.locked);
        let Locked { ledger: Some(ledger), now, .. } = &mut *locked else { return false };
        *now = (*now).max(self.now());
        ledger.take_steps(steps, *now)
    }

    /// Takes without the lock, if that is possible now.
    #[inline]
    fn take_in_lane(&self, demand: &Demand) -> bool {
        self.alone(demand).is_some_and(|cost| self.take_alone(cost))
    }

    /// The same, of one amount.
    #[inline]
    pub(super) fn take_one(&self, wish: Wish) -> bool {
        self.cost_of(wish).is_some_and(|cost| self.take_alone(cost))
    }

    /// What `demand` costs in the lane, if there is one.
    #[inline]
    pub(super) fn alone(&self, demand: &Demand) -> Option<u64> {
        if let [wish] = demand.wishes[..] { self.cost_of(wish) } else { None }
    }

    #[inline]
    fn cost_of(&self, wish: Wish) -> Option<u64> {
        self.lane.as_ref().filter(|_| wish.requested > 0)?.cost(wish.requested)
    }

    /// As [`take_in_lane`](Self::take_in_lane), by its cost.
    #[inline]
    pub(super) fn take_alone(&self, cost: u64) -> bool {
        let take = |lane: &Lane| lane.take(cost, || self.now());
        self.lane.as_ref().is_some_and(|lane| take(lane) || self.makes_room(lane) && take(lane))
    }

    /// Whether there was no room for another admission, and is now. The others find the lane open all the time.
    #[cold]
    #[inline(never)]
    fn makes_room(&self, lane: &Lane) -> bool {
        let is_full = lane.is_full();
        if is_full {
            let mut locked = lock(&self.locked);
            locked.board.slots[0].admitted += lane.collect();
        }
        is_full
    }

    /// As [`take_alone`](Self::take_alone), if there is room, the clock needs not be asked and nobody else is about.
    #[inline]
    pub(super) fn take_at_once(&self, cost: u64) -> bool {
        let taken = |lane: &Lane| lane.take_at_once(cost, || self.system.as_ref()?.carried());
        self.lane.as_ref().and_then(taken) == Some(true)
    }

    /// Ends a take of that cost in the lane, all of which was used, if that is possible now and nobody else is about.
    #[inline]
    pub(super) fn end_alone(&self, cost: u64) -> bool {
        self.lane.as_ref().and_then(|lane| lane.end_at_once(cost)) == Some(true)
    }

    pub(super) fn enter(&self, waiter: Waiter) -> Result<Entered, LimitError> {
        self.act(|board, now, effects| {
            let cell = Arc::clone(&waiter.cell);
            let branch = waiter.branch;
            match board.enter(waiter, now, effects) {
                Entered::Never(never) => {
                    Err(refusal(&mut board.slots, cell.wishes(branch), &never, None, now))
                }
                entered => Ok(entered),
            }
        })
    }

    pub(super) fn leave(&self, mask: u128, seq: u64) {
        self.act(|board, now, effects| board.leave(mask, seq, now, effects));
    }

    pub(super) fn pump(&self) {
        self.act(Board::pump);
    }

    /// The error of a waiter that waited for so long and leaves.
    pub(super) fn timeout(&self, wishes: &[Wish], since: Timestamp) -> LimitError {
        self.act(|board, now, effects| {
            let decision = board.judge(wishes, mask_of(wishes), now, effects);
            refusal(&mut board.slots, wishes, &decision, Some(now - since), now)
        })
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("definition", &self.definition).finish_non_exhaustive()
    }
}
