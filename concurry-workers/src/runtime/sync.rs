//! Mode sync: the method runs in the caller, before the call returns.
//!
//! Callers on several threads take turns. A worker that calls itself would wait for itself: that call is answered with
//! [`CallError::WouldDeadlock`]. The last to leave a pool that takes no more calls ends its worker.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use concurry_core::call::CallError;
use concurry_core::panics::discard;
use concurry_core::sync::lock;

use super::{Runtime, Setup, Shared, restart};
use crate::attempt::{Ran, marking, refuse};
use crate::error::InitError;
use crate::pool::serving::serves;
use crate::pool::{Note, Noted, PoolStats, Route, WorkerStates};
use crate::worker::{Message, Worker};

struct Sync<W: Worker> {
    shared: Arc<Shared<W>>,
    worker: Mutex<Option<W>>,
    /// Whether a method runs right now.
    busy: AtomicBool,
}

/// Makes the one worker, here.
pub(crate) fn start<W: Worker + Send>(setup: Setup<W>) -> Result<Arc<dyn Runtime<W>>, InitError> {
    let shared = Shared::new(setup);
    let worker = shared.construct(0)?;
    shared.queue.worker_started(0);
    Ok(Arc::new(Sync { shared, worker: Mutex::new(Some(worker)), busy: AtomicBool::new(false) }))
}

/// A call from its submission to its end, with its turns in it.
struct Stay<'a, W: Worker>(&'a Sync<W>);

impl<W: Worker> Drop for Stay<'_, W> {
    fn drop(&mut self) {
        if self.0.shared.queue.leaves() {
            self.0.end();
        }
    }
}

impl<W: Worker> Sync<W> {
    /// Runs one attempt; gives it back when there is no worker.
    fn run(&self, mut message: W::Message, mut noted: Noted) -> Result<(), W::Message> {
        if let Some((_, admission)) = message.admission() {
            Note::within(&mut noted, || admission.block(self.shared.queue.limits()));
        }
        let mut slot = lock(&self.worker);
        let Some(worker) = slot.as_mut() else { return Err(message) };
        let _serving = self.shared.serve();
        self.busy.store(true, Ordering::Relaxed);
        if let Some(note) = &mut noted {
            note.is_taken(self.shared.queue.clock().now());
        }
        let ran = Note::within(&mut noted, || marking(None, || worker.run(message)));
        if ran == Ran::Panicked {
            slot.take().into_iter().for_each(discard);
            match restart(&self.shared, 0) {
                Ok(worker) => *slot = Some(worker),
                Err(error) => self.shared.worker_ended(0, Some(&error)),
            }
        }
        self.shared.count(ran, &noted);
        self.shared.queue.ran_here(noted);
        self.busy.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Ends the worker when nobody runs it any more, nor will.
    fn end_if_over(&self) {
        if self.shared.queue.has_ended() {
            self.end();
        }
    }

    fn end(&self) {
        let worker = lock(&self.worker).take();
        if let Some(worker) = worker {
            discard(worker);
            self.shared.worker_ended(0, None);
        }
    }
}

impl<W: Worker + Send> Runtime<W> for Sync<W> {
    fn submit(&self, route: Route, message: W::Message) -> Result<(), W::Message> {
        let Some(noted) = self.shared.queue.begin(route.age, || message.method()) else {
            return Err(message);
        };
        let _stay = Stay(self);
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
