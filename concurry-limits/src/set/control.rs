//! A set is steered and watched at run time.

use concurry_core::clock::Timestamp;

use super::board::{Board, Effects};
use super::demand::Demand;
use super::limit_set::{LimitSet, Repr};
use super::slot::{Decision, decide, reason};
use super::{Admission, Engine, LimitSetStats, LimitStats, Until};
use crate::remote::{RemoteSet, Steering};
use crate::{LimitError, Request};

impl LimitSet {
    /// Whether a request would be admitted now, and otherwise when. Takes nothing and counts nothing.
    pub fn would_admit(&self, request: impl Request) -> Admission {
        self.admission(&request, false)
    }

    /// As [`would_admit`](Self::would_admit), for a request that stands in the queue itself: that somebody does keeps no
    /// instant from it.
    #[doc(hidden)]
    pub fn would_admit_queued(&self, request: impl Request) -> Admission {
        self.admission(&request, true)
    }

    pub(crate) fn admission(&self, request: &impl Request, queued: bool) -> Admission {
        let engine = match &self.repr {
            Repr::Empty(_) => return Admission::Now,
            Repr::Local(engine) => engine,
            Repr::Remote(remote) => return would_admit_elsewhere(remote, request, queued),
        };
        let demand = match Demand::of(request, &engine.definition) {
            Ok(demand) => demand,
            Err(error) => return Admission::Never(error),
        };
        engine.act(|board, now, effects| would_admit(board, &demand, queued, now, effects))
    }

    /// Changes the capacity of a limit for everybody. What is used stays used: below it, nothing more is admitted
    /// until it falls. Waiters that ask for more than the new capacity get [`LimitError::Never`].
    ///
    /// # Errors
    ///
    /// [`LimitError::UnknownKey`]; [`LimitError::Never`] for a capacity of 0 (use [`pause`](Self::pause)); where the set
    /// lives in another process, [`LimitError::Disconnected`], and [`LimitError::OwnerOnly`] when that is a limit server.
    pub fn set_capacity(&self, key: &str, capacity: u64) -> Result<(), LimitError> {
        if capacity == 0 {
            let reason = "a capacity of 0 would admit nothing: pause the limit instead".to_owned();
            return Err(LimitError::Never { key: key.to_owned(), requested: 0, capacity, reason });
        }
        let order = |key| Ok(Steering::SetCapacity { key, capacity });
        self.steer(key, order, |board, index, now, effects| board.set_capacity(index, capacity, now, effects))
    }

    /// Admits nothing on a limit for a time, or until an instant of the set's clock. A shorter pause never shortens a
    /// longer one. What is held stays held, and can be released.
    ///
    /// # Errors
    ///
    /// [`LimitError::UnknownKey`]; where the set lives in another process, [`LimitError::Disconnected`], and
    /// [`LimitError::OwnerOnly`] when that is a limit server, or when an instant of its clock was named.
    pub fn pause(&self, key: &str, until: impl Into<Until>) -> Result<(), LimitError> {
        let until = until.into();
        let order = |key| match until {
            Until::After(time) => Ok(Steering::Pause { key, time }),
            Until::At(_) => Err(LimitError::OwnerOnly { operation: "pause until an instant".to_owned() }),
        };
        self.steer(key, order, |board, index, now, effects| {
            board.pause(index, until.instant(now), now, effects);
        })
    }

    /// Ends a pause of a limit now, and whatever [`feedback`](Self::feedback) holds it back; waiters that can be admitted
    /// are woken.
    ///
    /// # Errors
    ///
    /// [`LimitError::UnknownKey`]; where the set lives in another process, [`LimitError::Disconnected`], and
    /// [`LimitError::OwnerOnly`] when that is a limit server.
    pub fn resume(&self, key: &str) -> Result<(), LimitError> {
        self.steer(key, |key| Ok(Steering::Resume { key }), Board::resume)
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

    /// Lets the board act on the limit of that key, or sends the owner the order to.
    fn steer(
        &self,
        key: &str,
        order: impl FnOnce(String) -> Result<Steering, LimitError>,
        act: impl FnOnce(&mut Board, usize, Timestamp, &mut Effects),
    ) -> Result<(), LimitError> {
        let engine = match &self.repr {
            Repr::Empty(_) => return Ok(()),
            Repr::Local(engine) => engine,
            Repr::Remote(remote) => {
                let order = order(key.to_owned())?;
                return remote.connection.steer(remote.id, order).map(drop);
            }
        };
        let unknown = || LimitError::UnknownKey { key: key.to_owned(), known: engine.definition.keys() };
        let index = engine.definition.index(key).ok_or_else(unknown)?;
        engine.act(|board, now, effects| act(board, index, now, effects));
        Ok(())
    }
}

fn would_admit_elsewhere(remote: &RemoteSet, request: &impl Request, queued: bool) -> Admission {
    let mut amounts = Vec::new();
    request.for_each_amount(&mut |key, amount| amounts.push((key.to_owned(), amount)));
    let question = Steering::WouldAdmit { request: amounts, queued };
    let unanswered = || LimitError::Disconnected { reason: "it did not answer the question".to_owned() };
    match remote.connection.steer(remote.id, question) {
        Ok(answer) => answer.unwrap_or_else(|| Admission::Unknown(unanswered())),
        Err(error) => Admission::Unknown(error),
    }
}

fn would_admit(
    board: &mut Board,
    demand: &Demand,
    queued: bool,
    now: Timestamp,
    effects: &mut Effects,
) -> Admission {
    let decision = match board.judge(&demand.wishes, demand.mask, now, effects) {
        // It stands there itself, so no others are meant.
        Decision::Later { .. } if queued => decide(&mut board.slots, &demand.wishes, now),
        decision => decision,
    };
    match decision {
        Decision::Now => Admission::Now,
        Decision::Later { index, at: Some(at), .. } => {
            Admission::In(at - now, board.slots[index].key.clone())
        }
        Decision::Later { index, .. } | Decision::Late { index, .. } | Decision::Behind { index } => {
            Admission::OnRelease(board.slots[index].key.clone())
        }
        never @ Decision::Never { .. } => {
            // A question is no refusal.
            Admission::Never(reason(&mut board.slots, &demand.wishes, &never, None, now))
        }
    }
}

fn stats(board: &mut Board, engine: &Engine, now: Timestamp) -> LimitSetStats {
    let Board { slots, queue, .. } = board;
    let limits = slots.iter_mut().zip(engine.definition.known()).enumerate();
    let limits = limits.map(|(index, (slot, known))| {
        let in_use = slot.state.in_use(now);
        LimitStats {
            key: slot.key.clone(),
            kind: known.kind.to_owned(),
            capacity: slot.capacity,
            in_use,
            available: slot.available(now),
            utilisation: ratio(in_use, slot.capacity),
            waiting: queue.waiting_for(index),
            admitted: slot.admitted,
            refused: slot.refused,
            total_wait: slot.total_wait,
            paused_for: slot.paused_until(now).map(|until| until - now),
        }
    });
    LimitSetStats { limits: limits.collect(), unreachable: None }
}

#[expect(clippy::cast_precision_loss, reason = "a share that is shown needs no more than 53 bits")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
