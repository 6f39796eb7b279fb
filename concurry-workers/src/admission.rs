//! Admission before dispatch: what a call declares that it needs, and how it comes by it.
//!
//! A method with `#[limited(…)]` names amounts of the pool's limits. Its call waits in the pool's queue until they admit it,
//! occupying no worker, and the method finds what was acquired in its parameter. What was granted to a call that is never
//! run is taken back as though it had never been asked for; and so is what was granted to one that then has to wait for its worker:
//! no call holds what another call may be waiting for on that worker.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use concurry_core::call::{CallError, NotAdmitted, Promise};
use concurry_core::panics;
use concurry_limits::{Acquire, LimitError, LimitPool, LimitSetAcquisition};

/// The admission of one call.
#[derive(Default)]
pub struct Admission(State);

#[derive(Default)]
enum State {
    /// Nothing was asked for, or what was granted has been taken out.
    #[default]
    None,
    /// These amounts are needed.
    Needed(Vec<(&'static str, u64)>),
    /// It stands in the queue of the limits.
    Waiting(Box<Standing>),
    /// It is to be run.
    Granted(Box<Granted>),
    /// It is not to be run, because of this.
    Refused(CallError),
}

/// A place in the queue of the limits, perhaps with a grant that nobody has taken yet. Dropping it gives both up, which may
/// wake others: so not under a lock.
pub(crate) struct Standing {
    needed: Vec<(&'static str, u64)>,
    acquire: Acquire,
}

/// What was granted, and what it was asked for with.
struct Granted {
    needed: Vec<(&'static str, u64)>,
    acquired: LimitSetAcquisition,
}

impl Admission {
    /// Of a call that needs these amounts.
    pub fn of(needed: Vec<(&'static str, u64)>) -> Self {
        Self(State::Needed(needed))
    }

    /// Of a call to which this was granted elsewhere.
    pub(crate) fn granted(acquired: LimitSetAcquisition) -> Self {
        Self(State::Granted(Box::new(Granted { needed: Vec::new(), acquired })))
    }

    /// What is asked for, as long as it was not decided on.
    pub(crate) fn needed(&self) -> Vec<(&'static str, u64)> {
        match &self.0 {
            State::Needed(needed) => needed.clone(),
            State::Waiting(standing) => standing.needed.clone(),
            State::None | State::Granted(_) | State::Refused(_) => Vec::new(),
        }
    }

    /// The call is not to be run. What it had is in what is returned, to be dropped outside of a lock.
    pub(crate) fn refuse(&mut self, error: CallError) -> Self {
        std::mem::replace(self, Self(State::Refused(error)))
    }

    /// Asks `limits`, or asks again; ready when it is decided. Then `waker` was not, or is not any more, of use.
    pub(crate) fn poll(&mut self, limits: &LimitPool, waker: &Waker) -> Poll<()> {
        if let State::Needed(needed) = &mut self.0 {
            let needed = std::mem::take(needed);
            let acquire = limits.acquire_async(needed.as_slice());
            self.0 = State::Waiting(Box::new(Standing { needed, acquire }));
        }
        let State::Waiting(standing) = &mut self.0 else { return Poll::Ready(()) };
        match Pin::new(&mut standing.acquire).poll(&mut Context::from_waker(waker)) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(outcome) => {
                let needed = std::mem::take(&mut standing.needed);
                self.decide(needed, outcome);
                Poll::Ready(())
            }
        }
    }

    /// Asks `limits` whether that can be now; whether it is decided.
    pub(crate) async fn is_decided(&mut self, limits: &LimitPool) -> bool {
        let needed = match std::mem::take(&mut self.0) {
            State::Needed(needed) => needed,
            other => {
                self.0 = other;
                return true;
            }
        };
        let Some(outcome) = limits.acquire_async(needed.as_slice()).now().await else {
            self.0 = State::Needed(needed);
            return false;
        };
        self.decide(needed, outcome);
        true
    }

    /// Whoever it is for has to wait for something else first, which may wait for the very thing that was granted: gives it back,
    /// to be asked for again. Whether something was granted.
    pub(crate) fn give_way(&mut self) -> bool {
        let acquired = self.lend();
        acquired.map(LimitSetAcquisition::undo).is_some()
    }

    /// Takes out what was granted, of a call that may come back; then it is to be asked for again.
    pub(crate) fn lend(&mut self) -> Option<LimitSetAcquisition> {
        if !matches!(self.0, State::Granted(_)) {
            return None;
        }
        let State::Granted(granted) = std::mem::take(&mut self.0) else { return None };
        self.0 = State::Needed(granted.needed);
        Some(granted.acquired)
    }

    /// Leaves the queue of the limits, to ask anew some time; the place there, which is yet to be dropped.
    pub(crate) fn leave(&mut self) -> Option<Standing> {
        if !matches!(self.0, State::Waiting(_)) {
            return None;
        }
        let State::Waiting(mut standing) = std::mem::take(&mut self.0) else { return None };
        self.0 = State::Needed(std::mem::take(&mut standing.needed));
        Some(*standing)
    }

    fn decide(&mut self, needed: Vec<(&'static str, u64)>, outcome: Result<LimitSetAcquisition, LimitError>) {
        self.0 = match outcome {
            Ok(acquired) => State::Granted(Box::new(Granted { needed, acquired })),
            Err(error) => State::Refused(CallError::NotAdmitted(NotAdmitted::new(Box::new(error)))),
        };
    }

    /// What was granted, or why the call is not run.
    pub(crate) fn take(&mut self) -> Result<LimitSetAcquisition, CallError> {
        match std::mem::take(&mut self.0) {
            State::Granted(granted) => Ok(granted.acquired),
            State::Refused(error) => Err(error),
            State::None | State::Needed(_) | State::Waiting(_) => Err(CallError::Stopped),
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if let State::Granted(granted) = std::mem::take(&mut self.0) {
            granted.acquired.undo();
        }
    }
}

/// A call with what it needs, which `amounts` finds out from its arguments: the user's code, whose panic answers the call.
pub fn asking<T, E, A>(
    promise: Promise<T, E>,
    args: A,
    amounts: impl FnOnce(A) -> (A, Admission),
) -> Option<(Promise<T, E>, A, Admission)> {
    match panics::catch(|| amounts(args)) {
        Ok((args, admission)) => Some((promise, args, admission)),
        Err(panic) => {
            promise.complete(Err(CallError::Panicked(panic)));
            None
        }
    }
}

/// The promise and what was granted, when the call is to be run; otherwise it has been answered.
pub fn admitted<T, E>(
    promise: Promise<T, E>,
    mut admission: Admission,
) -> Option<(Promise<T, E>, LimitSetAcquisition)> {
    if !promise.is_open() {
        return None;
    }
    match admission.take() {
        Ok(acquired) => Some((promise, acquired)),
        Err(error) => {
            promise.complete(Err(error.widen()));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use concurry_core::park::block_on;
    use concurry_limits::{LimitSet, ResourceLimit};

    use super::*;
    use crate::limit_server::{ConnectLimits, LimitServer};

    #[test]
    fn a_far_set_is_waited_for_until_it_answers() {
        let set = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).build().unwrap();
        let server = LimitServer::bind("127.0.0.1:0", "a token", &set).unwrap();
        let far = LimitSet::connect(server.address(), "a token").unwrap();
        for limits in [LimitPool::new([far]), LimitPool::new([set.clone()])] {
            let mut admission = Admission::of(vec![("doors", 1)]);
            let held = set.acquire(()).unwrap();
            assert!(!block_on(admission.is_decided(&limits)), "not now");
            assert_eq!(admission.needed(), [("doors", 1)], "it is to be asked for again");
            drop(held);
            assert!(block_on(admission.is_decided(&limits)));
            drop(admission.take().unwrap());
            while set.stats().limits[0].in_use > 0 {
                std::thread::yield_now(); // what is given back is on its way
            }
        }
    }
}
