//! Asking the limits of a call that declares what it needs, outside of the queue's lock.
//!
//! The worker that found the call asks. When the limits do not admit it, they have the lane opened again, and a worker look at
//! it, once it is worth asking again.

use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

use concurry_core::call::CallError;
use concurry_core::panics::{self, discard};
use concurry_limits::LimitPool;

use super::ending::{tell, wake};
use super::lane::Asked;
use super::lanes::Need;
use super::queue::{Popped, Queue, taken};
use super::staffing::Help;
use super::taken::Taken;
use crate::admission::Admission;
use crate::worker::Queued;

impl<M: Queued> Queue<M> {
    /// Asks the limits of a call; the call, if it is to be run.
    pub(super) fn ask(
        self: &Arc<Self>,
        number: usize,
        need: Need,
        age: u64,
        mut message: M,
    ) -> Option<Popped<Taken<M>>> {
        let waker = Waker::from(Arc::new(Opens { queue: Arc::downgrade(self), need }));
        let decided = match message.admission() {
            Some((_, admission)) => is_decided(admission, &self.options.limits, &waker),
            None => true,
        };
        let mut state = self.state();
        if !decided {
            state.notes.is_held(age);
        }
        let mut _undone = None;
        if state.stopped {
            // It was not there to be given back. What it had is dropped outside of the lock.
            _undone = message.admission().map(|(_, admission)| admission.refuse(CallError::Stopped));
        }
        let decided = decided || state.stopped;
        match state.lanes.asked(need, age, message, decided) {
            Asked::Admitted(message) => {
                // The next one of its lane may be admitted as well, and its own wake-up has been used.
                let heir = state.heir(need);
                let noted = state.begins(number, need, age, &message);
                taken(state, number, heir);
                Some(Popped::Message(Taken { need, age, message, noted }))
            }
            Asked::Waits(place) => {
                drop(state);
                drop(place);
                None
            }
            Asked::Withdrawn(message) => {
                state.relieve(need);
                let noted = state.leaves(age);
                let submitter = state.submitters.pop_front();
                tell(state);
                wake(submitter);
                discard(message);
                drop(noted);
                None
            }
        }
    }

    /// It is worth asking for the first call of a lane.
    fn open(&self, need: Need) {
        let mut state = self.state();
        let help = Help { idle: state.heir(need), hired: state.hire() };
        drop(state);
        self.help(help);
    }
}

/// Asks, or asks again. A panic of a user's own limit is the answer.
fn is_decided(admission: &mut Admission, limits: &LimitPool, waker: &Waker) -> bool {
    match panics::catch(|| admission.poll(limits, waker).is_ready()) {
        Ok(is_decided) => is_decided,
        Err(panic) => {
            discard(admission.refuse(CallError::Panicked(panic)));
            true
        }
    }
}

/// Has a lane's first call asked for once more.
struct Opens<M> {
    queue: Weak<Queue<M>>,
    need: Need,
}

impl<M: Queued> Wake for Opens<M> {
    fn wake(self: Arc<Self>) {
        if let Some(queue) = self.queue.upgrade() {
            queue.open(self.need);
        }
    }
}
