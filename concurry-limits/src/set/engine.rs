//! The engine of a set: one lock around the board, the clock, and what has to happen after the lock was released.
//!
//! Everything goes through [`Engine::act`]: it locks, reads the clock once, lets the board act, releases, and only then
//! wakes and arms the timer. A waker may run anything, so none is called under the lock; and a manual clock may fire a
//! timer request while it is made, so none is made under the lock either.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Wake, Waker};
use std::time::Duration;

use concurry_core::clock::{Clock, Timestamp, WakeGuard};

use super::board::{Board, Effects, Entered};
use super::demand::Demand;
use super::queue::{Queue, Waiter};
use super::slot::{Decision, Slot, refusal};
use super::{Definition, Item};
use crate::LimitError;
use crate::sync::lock;

pub(crate) struct Engine {
    pub(crate) definition: Arc<Definition>,
    pub(crate) clock: Arc<dyn Clock>,
    locked: Mutex<Locked>,
    this: Weak<Self>,
}

struct Locked {
    board: Board,
    /// The latest time that was acted at: time does not go back from one holder of the lock to the next.
    now: Timestamp,
    timer: Timer,
}

/// The one request to the clock that serves all waiters that do not sleep for themselves.
#[derive(Default)]
struct Timer {
    at: Option<Timestamp>,
    /// Grows with each change, so that a request that is being made knows whether it is still wanted.
    version: u64,
    guard: Option<WakeGuard>,
}

impl Engine {
    pub(crate) fn new(definition: Arc<Definition>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let now = clock.now();
        let slots = definition.limits.iter().map(|limit| Slot::new(&**limit, now)).collect();
        Self::with_slots(definition, clock, slots, now)
    }

    /// An engine that goes on with `slots`, one a limit of the definition.
    pub(super) fn with_slots(
        definition: Arc<Definition>,
        clock: Arc<dyn Clock>,
        slots: Vec<Slot>,
        now: Timestamp,
    ) -> Arc<Self> {
        let board = Board { slots, queue: Queue::default(), next_timer: None };
        let locked = Mutex::new(Locked { board, now, timer: Timer::default() });
        Arc::new_cyclic(|this| Self { definition, clock, locked, this: Weak::clone(this) })
    }

    /// Ends this engine, in which nobody waits; what stays are its limits.
    pub(super) fn into_slots(self) -> Vec<Slot> {
        self.locked.into_inner().unwrap_or_else(PoisonError::into_inner).board.slots
    }

    /// Lets the board act at this moment.
    pub(super) fn act<R>(&self, act: impl FnOnce(&mut Board, Timestamp, &mut Effects) -> R) -> R {
        let mut effects = Effects::default();
        let (result, request) = {
            let mut locked = lock(&self.locked);
            let locked = &mut *locked;
            locked.now = locked.now.max(self.clock.now());
            let result = act(&mut locked.board, locked.now, &mut effects);
            (result, locked.timer.follow(locked.board.next_timer))
        };
        effects.wakers.into_iter().for_each(Waker::wake);
        if let Some((at, version)) = request {
            self.arm(at, version);
        }
        result
    }

    fn arm(&self, at: Timestamp, version: u64) {
        let waker = Waker::from(Arc::new(Pump(Weak::clone(&self.this))));
        let guard = self.clock.wake_at(at, waker);
        let mut locked = lock(&self.locked);
        let unwanted =
            if locked.timer.version == version { locked.timer.guard.replace(guard) } else { Some(guard) };
        drop(locked);
        drop(unwanted);
    }

    /// Admits a demand now or tells why not: a timeout, if it was given `patience` that cannot be enough.
    /// The answer is when it was taken; `Ok(None)` asks the caller to wait.
    pub(super) fn admit(&self, demand: &Demand, patience: Patience) -> Result<Option<Timestamp>, LimitError> {
        self.act(|board, now, _| {
            let decision = board.admit(demand, now);
            let waited = match (&decision, patience) {
                (Decision::Now, _) => return Ok(Some(now)),
                (Decision::Never { .. }, _) | (_, Patience::None) => None,
                (Decision::Later { at: Some(at), .. }, Patience::Until(deadline)) if *at > deadline => {
                    Some(Duration::ZERO)
                }
                _ => return Ok(None),
            };
            Err(refusal(&mut board.slots, demand, &decision, waited, now))
        })
    }

    pub(super) fn enter(&self, waiter: Waiter) -> Result<Entered, LimitError> {
        self.act(|board, now, effects| {
            let demand = waiter.demand.clone();
            match board.enter(waiter, now, effects) {
                Entered::Never(never) => Err(refusal(&mut board.slots, &demand, &never, None, now)),
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

    pub(crate) fn settle(&self, items: &[Item]) {
        self.act(|board, now, effects| board.settle(items, now, effects));
    }

    /// Takes back what was taken at `taken_at` and never reached the one who asked.
    pub(crate) fn undo(&self, items: &[Item], taken_at: Timestamp) {
        self.act(|board, now, effects| board.undo(items, taken_at, now, effects));
    }

    /// The error of a waiter that waited for so long and leaves.
    pub(super) fn timeout(&self, demand: &Demand, since: Timestamp) -> LimitError {
        self.act(|board, now, _| {
            let decision = board.judge(demand, now);
            refusal(&mut board.slots, demand, &decision, Some(now - since), now)
        })
    }
}

/// How long a request may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    None,
    Until(Timestamp),
    Forever,
}

impl Timer {
    /// Follows what the board wants; the answer is a request to make.
    fn follow(&mut self, wanted: Option<Timestamp>) -> Option<(Timestamp, u64)> {
        if wanted == self.at {
            return None;
        }
        self.at = wanted;
        self.version += 1;
        self.guard = None;
        Some((wanted?, self.version))
    }
}

/// Walks the queue when its time has come.
struct Pump(Weak<Engine>);

impl Wake for Pump {
    fn wake(self: Arc<Self>) {
        if let Some(engine) = self.0.upgrade() {
            engine.pump();
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("definition", &self.definition).finish_non_exhaustive()
    }
}
