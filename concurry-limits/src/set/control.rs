//! A set is steered and watched at run time.

use std::time::Duration;

use concurry_core::clock::Timestamp;

use super::board::{Board, Effects};
use super::demand::Demand;
use super::limit_set::{LimitSet, Repr};
use super::slot::{Decision, refusal};
use super::{Admission, Engine, LimitSetStats, LimitStats};
use crate::{LimitError, Request};

impl LimitSet {
    /// Whether a request would be admitted now, and otherwise when. Takes nothing and counts nothing.
    pub fn would_admit(&self, request: impl Request) -> Admission {
        let engine = match self.owned("would_admit") {
            Ok(Some(engine)) => engine,
            Ok(None) => return Admission::Now,
            Err(error) => return Admission::Unknown(error),
        };
        let demand = match Demand::of(&request, &engine.definition) {
            Ok(demand) => demand,
            Err(error) => return Admission::Never(error),
        };
        engine.act(|board, now, _| would_admit(board, &demand, now))
    }

    /// Changes the capacity of a limit for everybody. What is used stays used: below it, nothing more is admitted
    /// until it falls. Waiters that ask for more than the new capacity get [`LimitError::Never`].
    ///
    /// # Errors
    ///
    /// [`LimitError::UnknownKey`]; [`LimitError::Never`] for a capacity of 0 (use [`pause`](Self::pause));
    /// [`LimitError::OwnerOnly`] in another process than the one that built the set.
    pub fn set_capacity(&self, key: &str, capacity: u64) -> Result<(), LimitError> {
        if capacity == 0 {
            let reason = "a capacity of 0 would admit nothing: pause the limit instead".to_owned();
            return Err(LimitError::Never { key: key.to_owned(), requested: 0, capacity, reason });
        }
        self.steer("set_capacity", key, |board, index, now, effects| {
            board.set_capacity(index, capacity, now, effects);
        })
    }

    /// Admits nothing on a limit for this time. A shorter pause never shortens a longer one.
    ///
    /// # Errors
    ///
    /// [`LimitError::UnknownKey`], [`LimitError::OwnerOnly`].
    pub fn pause(&self, key: &str, time: Duration) -> Result<(), LimitError> {
        self.steer("pause", key, |board, index, now, effects| board.pause(index, now + time, now, effects))
    }

    /// Like [`pause`](Self::pause), until an instant of the set's clock.
    ///
    /// # Errors
    ///
    /// [`LimitError::UnknownKey`], [`LimitError::OwnerOnly`].
    pub fn pause_until(&self, key: &str, until: Timestamp) -> Result<(), LimitError> {
        self.steer("pause_until", key, |board, index, now, effects| board.pause(index, until, now, effects))
    }

    /// Ends a pause now; waiters that can be admitted are woken.
    ///
    /// # Errors
    ///
    /// [`LimitError::UnknownKey`], [`LimitError::OwnerOnly`].
    pub fn resume(&self, key: &str) -> Result<(), LimitError> {
        self.steer("resume", key, |board, index, now, effects| {
            board.slots[index].paused_until = None;
            board.pump(now, effects);
        })
    }

    /// What is used, waited for and counted, of all limits at one instant.
    pub fn stats(&self) -> LimitSetStats {
        match &self.repr {
            Repr::Empty(_) => LimitSetStats::default(),
            Repr::Local(engine) => engine.act(|board, now, _| stats(board, engine, now)),
            Repr::Remote(remote) => remote
                .connection
                .stats(remote.id)
                .unwrap_or_else(|error| LimitSetStats { limits: Vec::new(), unreachable: Some(error) }),
        }
    }

    fn owned(&self, operation: &str) -> Result<Option<&Engine>, LimitError> {
        match &self.repr {
            Repr::Empty(_) => Ok(None),
            Repr::Local(engine) => Ok(Some(engine)),
            Repr::Remote(_) => Err(LimitError::OwnerOnly { operation: operation.to_owned() }),
        }
    }

    fn steer(
        &self,
        operation: &str,
        key: &str,
        act: impl FnOnce(&mut Board, usize, Timestamp, &mut Effects),
    ) -> Result<(), LimitError> {
        let Some(engine) = self.owned(operation)? else { return Ok(()) };
        let unknown = || LimitError::UnknownKey { key: key.to_owned(), known: engine.definition.keys() };
        let index = engine.definition.index(key).ok_or_else(unknown)?;
        engine.act(|board, now, effects| act(board, index, now, effects));
        Ok(())
    }
}

fn would_admit(board: &mut Board, demand: &Demand, now: Timestamp) -> Admission {
    match board.judge(demand, now) {
        Decision::Now => Admission::Now,
        Decision::Later { index, at: Some(at) } => Admission::In(at - now, board.slots[index].key.clone()),
        Decision::Later { index, at: None } | Decision::Behind { index, .. } => {
            Admission::OnRelease(board.slots[index].key.clone())
        }
        never @ Decision::Never { .. } => {
            let error = refusal(&mut board.slots, demand, &never, None, now);
            if let Decision::Never { index, .. } = never {
                board.slots[index].refused -= 1; // a question is no refusal
            }
            Admission::Never(error)
        }
    }
}

fn stats(board: &mut Board, engine: &Engine, now: Timestamp) -> LimitSetStats {
    let Board { slots, queue, .. } = board;
    let limits = slots.iter_mut().zip(&engine.definition.limits).enumerate();
    let limits = limits.map(|(index, (slot, limit))| {
        let in_use = slot.state.in_use(now);
        LimitStats {
            key: slot.key.clone(),
            kind: limit.typetag_name().to_owned(),
            capacity: slot.capacity,
            in_use,
            available: slot.capacity.saturating_sub(in_use),
            utilisation: ratio(in_use, slot.capacity),
            waiting: queue.waiting_for(index),
            admitted: slot.admitted,
            refused: slot.refused,
            total_wait: slot.total_wait,
            paused_for: slot.paused_until.filter(|until| *until > now).map(|until| until - now),
        }
    });
    LimitSetStats { limits: limits.collect(), unreachable: None }
}

#[expect(clippy::cast_precision_loss, reason = "a share that is shown needs no more than 53 bits")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
