//! Gives a child its calls, several ahead.
//!
//! Pumping takes calls from the queue and sends them. One thread pumps at a time; who comes meanwhile has it done once more by
//! the one who is at it. No lock is held while the user's code encodes a call.
//!
//! What a child has not begun goes back into the queue when the child dies, when the pool stops, when another worker is idle,
//! when a part of it is cancelled, when the call before it takes too long, or panics: how long it takes to make the worker anew
//! nobody knows.

use std::cell::Cell;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::task::{Context, Poll, Wake, Waker};

use concurry_core::call::CallError;
use concurry_core::clock::{self, Clock};
use concurry_core::sync::lock;

use super::flight::{Flight, Gate, Refused, Sent};
use crate::pool::{Outlook, Popped, Taken, TakesAhead, serving};
use crate::process::Link;
use crate::runtime::Shared;
use crate::worker::{Message, Worker};

/// The calls of one worker.
pub(super) struct Driver<W: Worker> {
    pub(super) shared: Arc<Shared<W>>,
    pub(super) number: usize,
    pub(super) clock: Arc<dyn Clock>,
    turn: AtomicU8,
    pub(super) flight: Mutex<Flight<W::Message>>,
    pub(super) nobody_answers: Condvar,
}

/// Nobody pumps; somebody pumps; somebody pumps and must pump once more.
const IDLE: u8 = 0;
const PUMPING: u8 = 1;
const AGAIN: u8 = 2;

/// So many calls are encoded before the first of them is sent: a lock and a look at who sleeps for all of them.
const AT_ONCE: usize = 16;

/// A child with fewer calls than these is sent the next one as it is submitted.
pub(super) const FEW: usize = 16;

thread_local! {
    static SUBMITS: Cell<bool> = const { Cell::new(false) };
}

/// Runs `submit`, which may send the call that it submits right here, if a child has room for it.
pub(in crate::runtime) fn submitting<R>(submit: impl FnOnce() -> R) -> R {
    let before = SUBMITS.replace(true);
    let result = submit();
    SUBMITS.set(before);
    result
}

impl<W: Worker> Driver<W> {
    pub(super) fn new(shared: &Arc<Shared<W>>, number: usize) -> Arc<Self> {
        let clock = clock::system();
        let driver = Arc::new(Self {
            shared: Arc::clone(shared),
            number,
            turn: AtomicU8::new(IDLE),
            flight: Mutex::new(Flight::new(clock.now())),
            nobody_answers: Condvar::new(),
            clock,
        });
        let ender: Weak<dyn TakesAhead> = Arc::downgrade(&driver) as _;
        shared.queue.takes_ahead(number, Waker::from(Arc::clone(&driver)), ender);
        driver
    }

    /// There is a child.
    pub(super) fn connected(&self, link: Link) {
        let mut flight = lock(&self.flight);
        if flight.is_closing {
            link.stop();
        }
        // Calls may have been refused while there was none who could be nudged.
        link.nudge();
        flight.link = Some(link);
    }

    /// How many calls have been answered.
    pub(super) fn calls_answered(&self) -> u64 {
        lock(&self.flight).answered
    }

    /// Whether the child has nothing to do.
    pub(super) fn is_at_rest(&self) -> bool {
        lock(&self.flight).sent.is_empty()
    }

    /// Gets the attention of the owner, if it waits for a child.
    pub(super) fn nudge(&self) {
        if let Some(link) = &lock(&self.flight).link {
            link.nudge();
        }
    }

    /// Has another child take over what `next` is the link of, once this one has answered all that it has begun; until then it
    /// is sent nothing more. Whether it has taken over: the old one has been told to stop then.
    pub(super) fn hand_over(&self, next: &mut Option<Link>) -> bool {
        lock(&self.flight).gate = Gate::Barred;
        self.put_back();
        let mut flight = lock(&self.flight);
        let is_busy = !flight.sent.is_empty() || flight.ending.is_some();
        // One that was told to stop has no successor: nobody would tell that one.
        if is_busy || flight.is_closing || flight.link.is_none() {
            return false;
        }
        // What was put down for the owner meanwhile is seen to from the new one on.
        next.iter().for_each(Link::nudge);
        let before = std::mem::replace(&mut flight.link, next.take());
        flight.has_no_past();
        drop(flight);
        if let Some(link) = before {
            link.stop();
        }
        true
    }

    /// The child is gone, as it was told to.
    pub(super) fn disconnected(&self) {
        let link = lock(&self.flight).link.take();
        drop(link);
    }

    /// The child has made its worker anew.
    pub(super) fn has_worker(&self) {
        let overdue = lock(&self.flight).has_worker();
        drop(overdue);
    }

    pub(super) fn is_closing(&self) -> bool {
        lock(&self.flight).is_closing
    }

    /// There is no child to run a call: who else is idle may look for it.
    pub(super) fn declines(&self) {
        let context = &mut Context::from_waker(Waker::noop());
        let declined = self.shared.queue.poll_take(self.number, context, &|| true);
        debug_assert!(matches!(declined, Poll::Ready(Popped::Interrupted)), "it was not to take a call");
    }

    /// Sends what there is room for.
    pub(super) fn pump(self: &Arc<Self>) {
        if self.turn.swap(AGAIN, Ordering::SeqCst) != IDLE {
            return;
        }
        let _serving = serving::enter(self.shared.queue.number(), None);
        let waker = Waker::from(Arc::clone(self));
        loop {
            self.turn.store(PUMPING, Ordering::SeqCst);
            self.send_what_fits(&waker);
            if self.turn.compare_exchange(PUMPING, IDLE, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                return;
            }
        }
    }

    fn send_what_fits(self: &Arc<Self>, waker: &Waker) {
        let queue = &self.shared.queue;
        loop {
            let (room, calls_at_hand, takings_back) = {
                let flight = lock(&self.flight);
                // Who returns calls has it looked once more.
                if flight.link.is_none() || flight.is_closing || flight.returning > 0 {
                    return;
                }
                if flight.gate != Gate::Open {
                    drop(flight);
                    return self.declines();
                }
                (flight.room(), flight.sent.len(), flight.takings_back)
            };
            if calls_at_hand == 0 {
                match queue.poll_take(self.number, &Context::from_waker(waker), &|| false) {
                    Poll::Ready(Popped::Message(call)) => drop(self.send([call], takings_back)),
                    Poll::Ready(Popped::Closed) => return self.close(),
                    Poll::Ready(Popped::Interrupted) | Poll::Pending => return,
                }
                continue;
            }
            let mut calls = Vec::with_capacity(room);
            let is_short = calls_at_hand < FEW;
            if queue.take_ahead(self.number, room, is_short, &mut calls) == Outlook::PutBack {
                if !self.put_back() {
                    return;
                }
            } else {
                let (mut calls, mut are_sent) = (calls.into_iter(), true);
                while are_sent && calls.len() > 0 {
                    are_sent = self.send(calls.by_ref().take(AT_ONCE), takings_back);
                }
                if !are_sent {
                    self.replace(calls.collect());
                    continue;
                }
                // With few at hand the next one that comes is sent at once; with many, the next answer has it sent.
                return;
            }
        }
    }

    fn close(&self) {
        let mut flight = lock(&self.flight);
        flight.is_closing = true;
        if let Some(link) = &flight.link {
            link.stop();
        }
    }

    /// Puts calls back into the queue; those that nobody is to run any more are refused.
    pub(super) fn replace(&self, calls: Vec<Taken<W::Message>>) {
        let refused = self.shared.queue.put_back(self.number, calls);
        if refused.is_empty() {
            return;
        }
        let mut flight = lock(&self.flight);
        let refused = refused.into_iter().map(|call| Refused::NotTakenBack(call, self.shared.refusal()));
        flight.refused.extend(refused);
        if let Some(link) = &flight.link {
            link.nudge();
        }
    }

    /// Has the owner answer a call that is not run.
    pub(super) fn refuse(&self, call: Taken<W::Message>, error: Option<CallError>) {
        let mut flight = lock(&self.flight);
        flight.refused.push(Refused::Taken(call, error));
        if let Some(link) = &flight.link {
            link.nudge();
        }
    }

    /// Tells the child if nobody needs the result of a call that it has begun: after [`put_back`](Self::put_back), each that is left
    /// is one, though answers of the first may be on their way.
    pub(super) fn cancel_running(&self) {
        let flight = lock(&self.flight);
        let Some(link) = &flight.link else { return };
        for sent in flight.sent.iter().filter(|sent| !sent.call.message.is_wanted()) {
            link.cancel(sent.id);
        }
    }

    /// Puts back what the child has not begun; says whether there was anything.
    pub(super) fn put_back(&self) -> bool {
        let calls = {
            let mut flight = lock(&self.flight);
            // The first has begun, unless there is no worker for it.
            let is_first_begun = flight.gate != Gate::Rebuilding;
            if flight.sent.len() < 2 && is_first_begun { Vec::new() } else { flight.take_back() }
        };
        let found = !calls.is_empty();
        if found {
            self.returned(calls);
        }
        found
    }

    /// Puts calls back into the queue that were taken back, and has more sent.
    pub(super) fn returned(&self, calls: Vec<Sent<W::Message>>) {
        if !calls.is_empty() {
            self.replace(calls.into_iter().map(|sent| sent.call).collect());
        }
        let mut flight = lock(&self.flight);
        flight.returning -= 1;
        if let Some(link) = &flight.link {
            link.nudge();
        }
    }
}

impl<W: Worker> Wake for Driver<W> {
    /// There may be a call. A thread that submits sends it right away; others, whatever they are, leave it to the owner.
    fn wake(self: Arc<Self>) {
        Self::wake_by_ref(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if SUBMITS.get() {
            self.pump();
        }
        let flight = lock(&self.flight);
        match &flight.link {
            Some(_) if SUBMITS.get() => {}
            Some(link) => link.nudge(),
            None => {
                drop(flight);
                self.declines();
            }
        }
    }
}
