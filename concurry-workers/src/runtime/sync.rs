//! Mode sync: the method runs in the caller, before the call returns.
//!
//! Callers on several threads take turns. A worker that calls itself would wait for itself: that call is answered with
//! [`CallError::WouldDeadlock`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use concurry_core::call::CallError;

use super::{Runtime, Setup, Shared, restart};
use crate::attempt::Ran;
use crate::construct::{construct, dismiss};
use crate::error::InitError;
use crate::pool::{PoolStats, Route};
use crate::worker::{Message, Worker};
use concurry_core::sync::lock;

struct Sync<W: Worker> {
    shared: Arc<Shared<W>>,
    worker: Mutex<Option<W>>,
    /// The thread that runs a method right now.
    holder: Mutex<Option<ThreadId>>,
    closed: AtomicBool,
}

/// Makes the one worker, here.
pub(crate) fn start<W: Worker + Send>(setup: Setup<W>) -> Result<Arc<dyn Runtime<W>>, InitError> {
    let shared = Shared::new(setup);
    let worker = construct(shared.args(), shared.limits_of(0))?;
    shared.queue.worker_started(0);
    Ok(Arc::new(Sync {
        shared,
        worker: Mutex::new(Some(worker)),
        holder: Mutex::new(None),
        closed: AtomicBool::new(false),
    }))
}

impl<W: Worker + Send> Sync<W> {
    fn is_mine(&self) -> bool {
        *lock(&self.holder) == Some(std::thread::current().id())
    }

    /// Runs one attempt; gives it back when there is no worker.
    fn run(&self, mut message: W::Message) -> Result<(), W::Message> {
        if let Some((_, admission)) = message.admission() {
            admission.block(self.shared.queue.limits());
        }
        let mut slot = lock(&self.worker);
        let Some(worker) = slot.as_mut() else { return Err(message) };
        *lock(&self.holder) = Some(std::thread::current().id());
        let ran = worker.run(message);
        if ran == Ran::Panicked {
            slot.take().into_iter().for_each(dismiss);
            match restart(&self.shared, 0) {
                Ok(worker) => *slot = Some(worker),
                Err(error) => self.shared.worker_ended(0, Some(&error)),
            }
        }
        self.shared.count(ran == Ran::Panicked);
        *lock(&self.holder) = None;
        if self.closed.load(Ordering::SeqCst) && self.shared.queue.returning() == 0 {
            self.end_worker(slot.take());
        }
        Ok(())
    }

    /// Ends the worker once it is free and no call may come back; does nothing from one of its own methods, where `run`
    /// does it afterwards.
    fn end(&self) {
        self.closed.store(true, Ordering::SeqCst);
        if !self.is_mine() {
            let mut slot = lock(&self.worker);
            if self.shared.queue.returning() == 0 {
                self.end_worker(slot.take());
            }
        }
    }

    fn end_worker(&self, worker: Option<W>) {
        if let Some(worker) = worker {
            dismiss(worker);
            self.shared.worker_ended(0, None);
        }
    }
}

impl<W: Worker + Send> Runtime<W> for Sync<W> {
    fn submit(&self, route: Route, message: W::Message) -> Result<(), W::Message> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(message);
        }
        if self.is_mine() {
            W::refuse(message, CallError::WouldDeadlock);
            return Ok(());
        }
        self.run(message)?;
        // While it backs off, here, others have their turns.
        while let Some(message) = route.age.and_then(|age| self.shared.queue.take(age)) {
            if let Err(message) = self.run(message) {
                W::refuse(message, self.shared.refusal());
            }
        }
        Ok(())
    }

    fn refusal(&self) -> CallError {
        self.shared.refusal()
    }

    fn close(&self) {
        self.end();
    }

    fn stop(&self) -> Vec<W::Message> {
        self.closed.store(true, Ordering::SeqCst);
        for message in self.shared.queue.stop() {
            W::refuse(message, CallError::Stopped);
        }
        self.end();
        Vec::new()
    }

    fn wait_until_empty(&self, deadline: Duration) -> bool {
        self.is_mine() || self.shared.wait_until_empty(deadline)
    }

    fn wait_until_ended(&self) {}

    fn stats(&self) -> PoolStats {
        let running = usize::from(lock(&self.holder).is_some());
        PoolStats { running, ..self.shared.stats() }
    }
}
