//! Ends a child for the sake of one call, which was cancelled by force.
//!
//! Promises: the child is ended only if it runs that call, and no other call dies with it. So first all is taken back that the
//! child has not begun; from then on it begins nothing. If the last call that it has begun is the one, the child is asked to
//! end, and ended if it is still there after a grace. Its owner sees it go, as it would any other.

use std::sync::{Arc, MutexGuard};
use std::task::{Wake, Waker};

use concurry_core::call::Look;
use concurry_core::sync::lock;
use concurry_limits::LimitSetAcquisition;

use super::driver::Driver;
use super::flight::{Flight, Gate, Refused, Sent};
use crate::pool::TakesAhead;
use crate::process::{Group, Link};
use crate::worker::{Message, Worker};

impl<W: Worker> TakesAhead for Driver<W> {
    /// Takes back what the child has not begun: once `cancel` has returned, a call has begun or never will. If it is the one that
    /// runs, the child is told.
    fn is_cancelled(&self) {
        let flight = lock(&self.flight);
        if flight.sent.iter().all(|sent| sent.call.message.is_wanted()) {
            return;
        }
        // What was acquired for a call does not go back into the queue with it.
        let is_over = |sent: &Sent<W::Message>| sent.is_lent && !sent.call.message.is_wanted();
        self.take_back_but(flight, is_over, |_| ());
        self.cancel_running();
    }

    fn end_by_force(&self, call: usize, age: Option<u64>) -> bool {
        let is_it = |sent: &Sent<W::Message>| match age {
            Some(age) => sent.call.age() == age,
            None => sent.call.message.call() == call,
        };
        let flight = lock(&self.flight);
        if flight.ending.is_some() || !flight.sent.iter().any(is_it) {
            return false;
        }
        let group = self.take_back_but(flight, is_it, |flight| {
            let running = flight.sent.back().filter(|last| is_it(last)).map(|last| last.id);
            let group = flight.link.as_ref().map(Link::group).filter(|_| running.is_some());
            if group.is_some() {
                flight.ending = running;
                flight.gate = Gate::Barred;
            }
            group
        });
        if let Some(group) = group {
            self.end(group);
        }
        true
    }

    fn help(self: Arc<Self>, call: usize, look: Look<'_>) -> bool {
        self.stand_in(call, look)
    }
}

/// Has the owner answer calls that were cancelled before they began; what had been acquired for them.
fn not_run<M>(flight: &mut Flight<M>, cancelled: Vec<Sent<M>>) -> Vec<LimitSetAcquisition> {
    let mut unlent = Vec::new();
    for Sent { id, is_lent, call, .. } in cancelled {
        if let Some(link) = &flight.link {
            unlent.extend(link.unlend(id).filter(|_| is_lent));
            link.nudge();
        }
        flight.refused.push(Refused::Taken(call, None));
    }
    unlent
}

impl<W: Worker> Driver<W> {
    /// Takes back what the child has not begun. What `is_over` of that is not run; what `look` makes of the others' state under the
    /// same lock.
    fn take_back_but<R>(
        &self,
        mut flight: MutexGuard<'_, Flight<W::Message>>,
        is_over: impl Fn(&Sent<W::Message>) -> bool,
        look: impl FnOnce(&mut Flight<W::Message>) -> R,
    ) -> R {
        let calls = flight.take_back();
        let found = !calls.is_empty();
        let (over, others): (Vec<_>, Vec<_>) = calls.into_iter().partition(is_over);
        let unlent = not_run(&mut flight, over);
        let result = look(&mut flight);
        drop(flight);
        unlent.into_iter().for_each(LimitSetAcquisition::undo);
        if found {
            self.returned(others);
        }
        result
    }

    /// Has the child, which makes its worker anew, as much time for that as it had to start.
    pub(super) fn expects_worker(&self) {
        let group = lock(&self.flight).link.as_ref().map(Link::group);
        if let (Some(timeout), Some(group)) = (self.shared.processes.process.start_timeout, group) {
            let over = Waker::from(Arc::new(GraceIsOver(group)));
            let guard = self.clock.wake_at(self.clock.now() + timeout, over);
            let before = lock(&self.flight).overdue.replace(guard);
            drop(before);
        }
    }

    /// Asks a child to end; when the grace is over it is not asked any more.
    fn end(&self, group: Arc<Group>) {
        let grace = self.shared.processes.kill_grace;
        if grace.is_zero() {
            return group.kill();
        }
        group.terminate();
        // The clock may call the waker right here, so not under the lock.
        let over = Waker::from(Arc::new(GraceIsOver(group)));
        let guard = self.clock.wake_at(self.clock.now() + grace, over);
        // If the child is gone by now, this ends nobody: its group knows that.
        let before = lock(&self.flight).grace.replace(guard);
        drop(before);
    }
}

struct GraceIsOver(Arc<Group>);

impl Wake for GraceIsOver {
    fn wake(self: Arc<Self>) {
        self.0.kill();
    }
}
