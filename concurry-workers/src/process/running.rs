//! The call that a child runs, as far as it can be cancelled from its pool.
//!
//! The word comes on another thread than the one that runs the call, and may come before that has begun: a call that was
//! cancelled by then is found so when it begins.

use std::sync::Mutex;

use concurry_core::call::Canceller;
use concurry_core::sync::lock;

#[derive(Default)]
pub(super) struct Running(Mutex<State>);

#[derive(Default)]
struct State {
    /// The id of the call that runs, and what cancels it.
    call: Option<(u64, Canceller)>,
    /// The id of the last call that was cancelled and did not run then.
    early: Option<u64>,
}

impl Running {
    /// The call of this id begins.
    pub(super) fn begins(&self, id: u64, canceller: Canceller) {
        let mut state = lock(&self.0);
        let is_cancelled = state.early == Some(id);
        state.call = Some((id, canceller.clone()));
        drop(state);
        if is_cancelled {
            canceller.cancel();
        }
    }

    /// It has ended.
    pub(super) fn ends(&self) {
        let call = lock(&self.0).call.take();
        drop(call);
    }

    /// Nobody needs the result of the call of this id any more.
    pub(super) fn cancel(&self, id: u64) {
        let canceller = {
            let mut state = lock(&self.0);
            match &state.call {
                Some((running, canceller)) if *running == id => Some(canceller.clone()),
                _ => {
                    state.early = Some(id);
                    None
                }
            }
        };
        if let Some(canceller) = canceller {
            canceller.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use concurry_core::call::channel;

    use super::Running;

    #[test]
    fn the_call_that_runs_is_cancelled_whenever_the_word_comes() {
        let running = Running::default();
        for early in [true, false] {
            let (promise, call) = channel::<(), Infallible>();
            if early {
                running.cancel(7);
            }
            running.begins(7, call.canceller());
            if !early {
                running.cancel(7);
            }
            assert!(!promise.is_open());
            running.ends();
        }
    }

    #[test]
    fn no_other_call_is_cancelled() {
        let running = Running::default();
        let (promise, call) = channel::<(), Infallible>();
        running.cancel(6);
        running.begins(7, call.canceller());
        running.cancel(8);
        assert!(promise.is_open());
    }
}
