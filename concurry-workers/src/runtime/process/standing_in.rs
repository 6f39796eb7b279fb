//! The answer to a call that is waited for, read by who waits for it.
//!
//! Only while it is the only call that the child has: what comes then is its answer, or about limits. So no other caller's code runs on
//! that thread but what it would run anyhow, by releasing a limit or by submitting a call.

use std::sync::Arc;

use concurry_core::call::Look;
use concurry_core::sync::lock;

use super::driver::Driver;
use super::flight::Gate;
use super::returns::Ended;
use crate::process::StandIn;
use crate::worker::{Message, Worker};

impl<W: Worker> Driver<W> {
    /// Has `look` look for the answer to this call while the owner sleeps, if the child has no other; whether that was so.
    pub(super) fn stand_in(self: &Arc<Self>, call: usize, look: Look<'_>) -> bool {
        // The owner looks after each answer whether its child is to give way.
        if !self.shared.processes.recycling.is_off() {
            return false;
        }
        let Some((stand_in, id)) = self.has_only(call) else { return false };
        let is_due =
            || self.has_only(call).is_some_and(|(now, now_id)| Arc::ptr_eq(&now, &stand_in) && now_id == id);
        let (mut ended, mut calls, mut answer, mut answering) = (Ended::default(), Vec::new(), None, None);
        stand_in.look(
            id,
            &is_due,
            &mut |frame, waited| {
                answering = Some(Answering::begin(self));
                let read = [(frame, waited)];
                self.take_out(&read, &mut ended, &mut calls);
                answer = Some(read);
            },
            look,
        );
        let (Some([(frame, waited)]), Some(call)) = (answer, calls.pop()) else { return true };
        let _serving = self.shared.serve();
        self.has_answer(call, frame, waited, &mut ended);
        self.settle(&mut ended);
        self.pump();
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

/// Somebody else than the owner answers a call of the child.
struct Answering<'a, W: Worker>(&'a Driver<W>);

impl<'a, W: Worker> Answering<'a, W> {
    /// Before the owner can read anything again, the child's end included.
    fn begin(driver: &'a Driver<W>) -> Self {
        lock(&driver.flight).answering += 1;
        Self(driver)
    }
}

impl<W: Worker> Drop for Answering<'_, W> {
    fn drop(&mut self) {
        let mut flight = lock(&self.0.flight);
        flight.answering -= 1;
        if flight.answering == 0 && std::mem::take(&mut flight.is_owner_waiting) {
            self.0.nobody_answers.notify_one();
        }
    }
}
