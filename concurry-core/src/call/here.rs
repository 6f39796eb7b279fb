//! A call that was done when it was made, as those of mode sync are: its outcome stands in the [`Call`](super::Call) itself, since
//! there is no other end to share it with. So it costs no allocation.
//!
//! What few ask of such a call (callbacks, chains of calls) makes a cell of it, and all is as for any other.

use std::sync::{Arc, PoisonError};

use super::cell::Cell;
use super::{CallError, Outcome};
use crate::modelled::{Mutex, lock};
use crate::panics::discard;

pub(super) struct Here<T, E>(Mutex<State<T, E>>);

enum State<T, E> {
    Done(Outcome<T, E>),
    Taken,
    Shared(Arc<Cell<T, E>>),
}

/// What is there instead of an outcome: the cell that was made of the call.
pub(super) type Elsewhere<T, E> = Arc<Cell<T, E>>;

impl<T, E> Here<T, E> {
    pub(super) fn new(outcome: Outcome<T, E>) -> Self {
        Self(Mutex::new(State::Done(outcome)))
    }

    /// A call whose outcome was taken.
    pub(super) fn taken() -> Self {
        Self(Mutex::new(State::Taken))
    }

    /// Takes the outcome.
    pub(super) fn take(&self) -> Result<Outcome<T, E>, Elsewhere<T, E>> {
        lock(&self.0).take()
    }

    /// As [`take`](Self::take), for who has the call for itself.
    pub(super) fn take_mut(&mut self) -> Result<Outcome<T, E>, Elsewhere<T, E>> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether it failed, or was taken.
    pub(super) fn has_failed(&self) -> Result<bool, Elsewhere<T, E>> {
        match &*lock(&self.0) {
            State::Done(outcome) => Ok(outcome.is_err()),
            State::Taken => Ok(true),
            State::Shared(cell) => Err(Arc::clone(cell)),
        }
    }

    /// The cell of the call.
    pub(super) fn share(&self) -> Elsewhere<T, E> {
        let mut state = lock(&self.0);
        let cell = match std::mem::replace(&mut *state, State::Taken) {
            State::Done(outcome) => Cell::done(outcome),
            // It was taken, and is no outcome that anybody could be told of.
            State::Taken => Cell::taken(),
            State::Shared(cell) => cell,
        };
        *state = State::Shared(Arc::clone(&cell));
        cell
    }
}

impl<T, E> State<T, E> {
    fn take(&mut self) -> Result<Outcome<T, E>, Elsewhere<T, E>> {
        match self {
            Self::Done(_) => {}
            Self::Taken => return Ok(Err(CallError::Taken)),
            Self::Shared(cell) => return Err(Arc::clone(cell)),
        }
        let Self::Done(outcome) = std::mem::replace(self, Self::Taken) else {
            return Ok(Err(CallError::Taken));
        };
        Ok(outcome)
    }
}

impl<T, E> Drop for Here<T, E> {
    /// Nobody took the outcome, which is foreign.
    fn drop(&mut self) {
        let state = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if matches!(state, State::Done(_)) {
            discard(std::mem::replace(state, State::Taken));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::Duration;

    use crate::call::{Call, CallError};

    #[test]
    fn a_call_whose_result_was_taken_is_looked_at_and_told_by_nobody() {
        let call: Call<u64, String> = Call::ended(Ok(7));
        assert_eq!(call.result_timeout(Duration::ZERO).unwrap(), 7);
        let (tell, told) = std::sync::mpsc::channel();
        call.on_done(move |outcome| tell.send(outcome.is_ok()).unwrap_or_default());
        assert!(told.try_recv().is_err());
        assert_eq!(call.peek(Result::is_ok), None);
        assert!(call.is_done() && !call.cancel());
        assert!(matches!(call.map(|value| value + 1).result(), Err(CallError::Taken)));
    }
}
