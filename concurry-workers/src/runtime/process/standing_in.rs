//! The answer to a call that is waited for, read by who waits for it.
//!
//! Only while it is the only call that the child has: what comes then is its answer, or about limits. So no other caller's code runs on
//! that thread but what it would run anyhow, by releasing a limit or by submitting a call. In pools whose processes give way to new
//! ones the owner looks after each answer whether it is time, and so nobody stands in for it.

use std::sync::Arc;

use concurry_core::call::Look;
use concurry_core::sync::lock;
use concurry_core::waits;

use super::driver::Driver;
use super::flight::Gate;
use super::returns::Ended;
use crate::process::{Frame, StandIn};
use crate::worker::{Message, Worker};

impl<W: Worker> Driver<W> {
    /// Has `look` look for the answer to this call while the owner sleeps, if the child has no other; whether that was so.
    pub(super) fn stand_in(self: &Arc<Self>, call: usize, look: Look<'_>) -> bool {
        let Some((stand_in, id)) = self.has_only(call) else { return false };
        let _serving = self.shared.serve();
        let is_due =
            || self.has_only(call).is_some_and(|(now, now_id)| Arc::ptr_eq(&now, &stand_in) && now_id == id);
        let mut answered = None;
        let mut takes = |frame: Frame, waited| {
            let mut flight = lock(&self.flight);
            // It may have been taken back meanwhile: what its answer means then, the owner says.
            let Some(call) = flight.answered(frame.id, || self.shared.queue.clock().now()) else {
                return Some(frame);
            };
            // Before the owner can read anything again, the child's end included.
            flight.answering += 1;
            answered = Some((call, frame, waited, Answering(self)));
            None
        };
        stand_in.look(id, &is_due, &mut takes, look);
        let Some((call, frame, waited, answering)) = answered else { return true };
        // What this thread has waited for is its own call's.
        waits::apart(|| {
            let mut ended = Ended::default();
            self.has_answer(call, frame, waited, &mut ended);
            // Callbacks of calls that are not run are the owner's, which was told of them; and so are calls that wait.
            self.settle_ended(&mut ended);
            if self.shared.queue.has_waiting() { self.nudge() } else { self.pump() }
        });
        drop(answering);
        true
    }

    /// Waits until all that was read is answered: a pool has not ended before.
    pub(super) fn wait_for_answers(&self) {
        let mut flight = lock(&self.flight);
        flight.is_owner_waiting = flight.answering > 0;
        let nobody = self.nobody_answers.wait_while(flight, |flight| flight.answering > 0);
        drop(nobody);
    }

    /// What reads the answer to this call, and the call's id, if it is all that the child has.
    fn has_only(&self, call: usize) -> Option<(Arc<StandIn>, u64)> {
        let flight = lock(&self.flight);
        let first = flight.sent.front().filter(|_| flight.sent.len() == 1 && flight.gate == Gate::Open)?;
        let stand_in = flight.link.as_ref()?.stand_in().filter(|_| first.call.message.call() == call)?;
        Some((Arc::clone(stand_in), first.id))
    }
}

/// Somebody else than the owner answers a call of the child, and was counted.
struct Answering<'a, W: Worker>(&'a Driver<W>);

impl<W: Worker> Drop for Answering<'_, W> {
    fn drop(&mut self) {
        let mut flight = lock(&self.0.flight);
        flight.answering -= 1;
        if flight.answering == 0 && std::mem::take(&mut flight.is_owner_waiting) {
            self.0.nobody_answers.notify_one();
        }
    }
}
