//! Mode sync: the method runs in the caller, before the call returns.
//!
//! Callers on several threads take turns. A worker that calls itself would wait for itself: that call is answered with
//! [`CallError::WouldDeadlock`]. The last to leave a pool that takes no more calls ends its worker.
//!
//! Most calls need neither message nor cell: the method is called as such, and its outcome goes into the call (`run_here`). What has
//! a retry, limits or a span goes the way of all modes.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::task::Poll;
use std::time::Duration;

use concurry_core::call::{CallError, apart};
use concurry_core::panics::discard;
use concurry_core::park;
use concurry_core::sync::lock;

use super::{Here, Runtime, Setup, Shared, restart};
use crate::attempt::{Ran, marking, refuse};
use crate::error::InitError;
use crate::pool::serving::serves;
use crate::pool::{Note, Noted, PoolStats, Route, WorkerStates};
use crate::worker::{Message, Worker};

struct Sync<W: Worker> {
    shared: Arc<Shared<W>>,
    turn: Mutex<Turn<W>>,
    /// Whether a method runs right now.
    busy: AtomicBool,
}

/// What the caller has whose turn it is.
struct Turn<W> {
    worker: Option<W>,
    /// How many calls were run without a message.
    count: u64,
}

/// Makes the one worker, here.
pub(crate) fn start<W: Worker + Send>(setup: Setup<W>) -> Result<Arc<dyn Runtime<W>>, InitError> {
    let shared = Shared::new(setup);
    let worker = shared.construct(0)?;
    shared.queue.worker_started(0);
    let turn = Mutex::new(Turn { worker: Some(worker), count: 0 });
    Ok(Arc::new(Sync { shared, turn, busy: AtomicBool::new(false) }))
}

/// A call from its submission to its end, with its turns in it.
struct Stay<'a, W: Worker>(&'a Sync<W>);

impl<W: Worker> Drop for Stay<'_, W> {
    #[inline]
    fn drop(&mut self) {
        if self.0.shared.queue.leaves() {
            self.0.end();
        }
    }
}

impl<W: Worker> Sync<W> {
    /// A call comes; none when no more may.
    #[inline]
    fn enter(&self) -> Option<Stay<'_, W>> {
        let is_let_in = self.shared.queue.enters();
        Some(Stay(self)).filter(|_| is_let_in)
    }

    /// Runs one attempt; gives it back when there is no worker.
    fn run(&self, mut message: W::Message, mut noted: Noted) -> Result<(), W::Message> {
        let turn = Note::within(&mut noted, || self.wait_for(&mut message));
        let Some(mut turn) = turn else { return Err(message) };
        let Some(worker) = self.worker(&mut turn) else { return Err(message) };
        let ran = self.take_turn(&mut noted, || marking(None, || worker.run(message)));
        self.ran(&mut turn, ran, noted);
        Ok(())
    }

    /// Waits for what the call needs of the limits and for its turn, and holds neither while it waits for the other. None when the
    /// pool is stopped while it waits for limits.
    fn wait_for(&self, message: &mut W::Message) -> Option<MutexGuard<'_, Turn<W>>> {
        let queue = &self.shared.queue;
        let limits = queue.limits();
        loop {
            let Some((_, admission)) = message.admission() else { return Some(lock(&self.turn)) };
            // As who waits for limits in a method: a pool that this thread works for is not told that it sleeps.
            let is_decided = park::idle_on(poll_fn(|context| {
                if admission.poll(limits, context.waker()).is_ready() {
                    return Poll::Ready(true);
                }
                queue.poll_stopped(context).map(|()| false)
            }));
            if !is_decided {
                drop(admission.leave());
                return None;
            }
            match self.turn.try_lock() {
                Ok(turn) => return Some(turn),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => admission.give_way(),
            };
            let turn = lock(&self.turn);
            if park::still_on(admission.is_decided(limits)) {
                return Some(turn);
            }
        }
    }

    /// The worker, if it is to run anything more.
    #[inline]
    fn worker<'a>(&self, turn: &'a mut Turn<W>) -> Option<&'a mut W> {
        turn.worker.as_mut().filter(|_| !self.shared.queue.has_stopped())
    }

    /// Runs a method of the worker.
    #[inline]
    fn take_turn(&self, noted: &mut Noted, method: impl FnOnce() -> Ran) -> Ran {
        let _serving = self.shared.serve();
        self.busy.store(true, Ordering::Relaxed);
        if let Some(note) = noted {
            note.is_taken(self.shared.queue.clock().now());
        }
        Note::within(noted, method)
    }

    /// A method was run.
    #[inline]
    fn ran(&self, turn: &mut Turn<W>, ran: Ran, noted: Noted) {
        if ran == Ran::Panicked {
            self.renew(turn);
        }
        self.shared.count(ran, &noted);
        self.shared.queue.ran_here(noted);
        self.busy.store(false, Ordering::Relaxed);
    }

    #[cold]
    fn renew(&self, turn: &mut Turn<W>) {
        if self.shared.queue.is_last() {
            // Nobody runs this one any more; whoever leaves last ends it.
            return;
        }
        let _serving = self.shared.serve();
        turn.worker.take().into_iter().for_each(discard);
        match restart(&self.shared, 0) {
            Ok(worker) => turn.worker = Some(worker),
            Err(error) => self.shared.worker_ended(0, Some(&error)),
        }
    }

    /// Ends the worker when nobody runs it any more, nor will.
    fn end_if_over(&self) {
        if self.shared.queue.has_ended() {
            self.end();
        }
    }

    fn end(&self) {
        let worker = lock(&self.turn).worker.take();
        if let Some(worker) = worker {
            // Its drop is the user's code, as its methods are.
            let serving = self.shared.serve();
            discard(worker);
            drop(serving);
            self.shared.worker_ended(0, None);
        }
    }
}

impl<W: Worker + Send> Runtime<W> for Sync<W> {
    fn submit(&self, route: Route, message: W::Message) -> Result<(), W::Message> {
        let Some(_stay) = self.enter() else { return Err(message) };
        let noted = self.shared.queue.begin(route.age, || message.method());
        if serves(self.shared.queue.number()) {
            refuse::<W>(message, CallError::WouldDeadlock);
            return Ok(());
        }
        self.run(message, noted)?;
        // While it backs off, here, others have their turns.
        while let Some((message, noted)) = route.age.and_then(|age| self.shared.queue.take(age)) {
            if let Err(message) = self.run(message, noted) {
                refuse::<W>(message, self.shared.refusal());
            }
        }
        Ok(())
    }

    fn run_here(&self, method: &mut dyn FnMut(&mut W) -> Ran) -> Here {
        let Some(_stay) = self.enter() else { return Here::Refused(self.refusal()) };
        if serves(self.shared.queue.number()) {
            return Here::Refused(CallError::WouldDeadlock);
        }
        let mut turn = lock(&self.turn);
        turn.count += 1;
        let Some(mut noted) = self.shared.queue.begin_here(turn.count) else { return Here::AsMessage };
        let Some(worker) = self.worker(&mut turn) else { return Here::Refused(self.refusal()) };
        let ran = self.take_turn(&mut noted, || apart(|| method(worker)));
        self.ran(&mut turn, ran, noted);
        Here::Ran
    }

    fn refusal(&self) -> CallError {
        self.shared.refusal()
    }

    fn close(&self) {
        self.shared.queue.close();
        self.end_if_over();
    }

    fn stop(&self) -> Vec<W::Message> {
        let waiting = self.shared.queue.stop();
        self.end_if_over();
        waiting
    }

    fn wait_until_empty(&self, deadline: Duration) -> bool {
        self.shared.wait_until_empty(deadline)
    }

    fn wait_until_ended(&self) {
        self.shared.wait_until_ended();
    }

    fn resize(&self, workers: usize) -> Result<(), InitError> {
        if workers == 1 {
            return Ok(());
        }
        Err(InitError::InvalidOption {
            option: "workers",
            value: workers.to_string(),
            expected: "mode sync runs in the caller and has exactly 1 worker",
        })
    }

    fn stats(&self) -> PoolStats {
        let running = usize::from(self.busy.load(Ordering::Relaxed));
        let stats = self.shared.stats();
        let (there, busy) = (usize::from(stats.workers > 0), running.min(stats.workers));
        let worker_states = WorkerStates { idle: there - busy, busy, ..WorkerStates::default() };
        PoolStats { worker_states, running, ..stats }
    }
}
