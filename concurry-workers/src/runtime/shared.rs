//! What the modes with a queue have in common.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use concurry_core::call::CallError;
use concurry_core::clock;
use concurry_core::mode::ExecutionMode;
use concurry_core::panics::log;
use concurry_core::park;
use concurry_limits::LimitPool;

use super::{Restarts, Setup};
use crate::attempt::{Ran, refuse, reject};
use crate::construct::construct;
use crate::error::InitError;
use crate::pool::serving::{self, Runner, Served, Serving};
use crate::pool::{
    Counters, Counts, Hire, Known, Noted, PoolStats, Queue, Refused, Route, Sleeper, tell_all,
};
use crate::process::Settings;
use crate::worker::Worker;
use concurry_core::sync::lock;

/// The part of a pool that its workers and its handle share.
pub(crate) struct Shared<W: Worker> {
    pub(crate) queue: Arc<Queue<W::Message>>,
    pub(crate) args: Mutex<W::Args>,
    pub(crate) limits: LimitPool,
    pub(crate) counters: Counters,
    pub(crate) restarts: Restarts,
    pub(crate) mode: ExecutionMode,
    pub(crate) name: String,
    pub(crate) workers: usize,
    pub(crate) processes: Settings,
    /// Held to the last run: a pool goes on without its handles.
    pub(super) known: OnceLock<Known>,
    /// Why the last worker ended although nobody stopped the pool.
    lost: OnceLock<String>,
}

impl<W: Worker> Shared<W> {
    pub(crate) fn new(setup: Setup<W>) -> Arc<Self> {
        Arc::new(Self {
            queue: setup.queue,
            args: Mutex::new(setup.args),
            limits: setup.limits,
            counters: Counters::default(),
            restarts: setup.restarts,
            mode: setup.mode,
            name: setup.name,
            workers: setup.workers,
            processes: setup.processes,
            known: OnceLock::new(),
            lost: OnceLock::new(),
        })
    }

    /// Has workers come with calls, by `start`.
    pub(super) fn hires_by(self: &Arc<Self>, start: impl Fn(Arc<Self>, usize) + Send + Sync + 'static) {
        let (pool, queue) = (Arc::downgrade(self), Arc::downgrade(&self.queue));
        let start = move |number| match (pool.upgrade(), queue.upgrade()) {
            (Some(shared), _) => start(shared, number),
            // Nobody is left who could make a worker: no call may wait for one.
            (None, Some(queue)) => {
                queue.worker_ended(number);
                for message in queue.stop() {
                    refuse::<W>(message, CallError::Stopped);
                }
            }
            (None, None) => {}
        };
        let pool = Arc::downgrade(self) as Weak<dyn Send + Sync>;
        self.queue.hires_by(Hire { start: Box::new(start), pool });
    }

    /// A clone of the constructor's arguments, which is the user's code.
    pub(crate) fn args(&self) -> W::Args {
        lock(&self.args).clone()
    }

    /// Makes worker `index`.
    pub(crate) fn construct(&self, index: usize) -> Result<W, InitError> {
        construct(|| self.args(), self.limits_of(index))
    }

    /// The limits of worker `index`: a pool of its own over the shared sets.
    pub(crate) fn limits_of(&self, index: usize) -> LimitPool {
        self.limits.for_worker(index)
    }

    /// Marks this thread as one that serves the pool.
    pub(crate) fn serve(&self) -> Serving {
        serving::enter(self.queue.number(), None)
    }

    /// Runs `body` as worker `number`, on this thread: while it is asleep there, the worker runs nothing.
    pub(crate) fn work<R>(&self, number: usize, body: impl FnOnce() -> R) -> R {
        self.work_as(Runner::alone(number), None, body).0
    }

    /// Runs `body` on this thread as a method of the pool; and says whether it has submitted a call to the pool.
    pub(crate) fn work_as<R>(&self, runner: Runner, age: Option<u64>, body: impl FnOnce() -> R) -> (R, bool) {
        let served = Served::new(self.queue.number(), Some(runner));
        let serving = serving::enter_as(served.watched());
        let sleeper = Arc::new(Sleeper::<W>::new(&self.queue, runner, age));
        let result = park::watched(sleeper, body);
        (result, serving.leave())
    }

    /// Puts a call into the queue, or gives it back when that is closed. A call that has to leave for it is answered.
    pub(crate) fn submit(&self, route: Route, message: W::Message) -> Result<(), W::Message> {
        match self.queue.push(route, message) {
            Ok(None) => {}
            Ok(Some(displaced)) => refuse::<W>(displaced, CallError::Displaced),
            Err(Refused::Full(message, capacity)) => reject::<W>(message, capacity),
            Err(Refused::WouldDeadlock(message)) => refuse::<W>(message, CallError::WouldDeadlock),
            Err(Refused::Closed(message)) => return Err(message),
        }
        Ok(())
    }

    pub(crate) fn refusal(&self) -> CallError {
        match self.lost.get() {
            Some(reason) => CallError::WorkerLost { reason: reason.clone() },
            None => CallError::Stopped,
        }
    }

    /// Notes what later calls are told; of a pool that was stopped, they are told that. To be called before the queue is
    /// emptied, so that whoever finds it closed finds the reason as well.
    fn is_lost(&self, reason: &dyn fmt::Display) {
        if !self.queue.is_stopped() {
            self.lost.get_or_init(|| reason.to_string());
        }
    }

    /// Worker `number` ended for good, because of `reason` if nobody asked it to. When it was the last one, the calls that wait
    /// are answered with that reason: nobody would ever run them.
    pub(crate) fn worker_ended(&self, number: usize, reason: Option<&dyn fmt::Display>) {
        if let Some(reason) = reason {
            log(
                || tracing::error!(pool = %self.name, %reason, "a worker is lost: it could not be made anew"),
            );
        }
        self.queue.worker_ended(number);
        if !self.queue.is_deserted() {
            tell_all::<W>(self.queue.waited_for_in_vain());
            return;
        }
        if self.queue.hires() && !self.queue.is_over() {
            // The next call has a worker made.
            if let Some(reason) = reason {
                self.nobody_comes(reason);
            }
            return;
        }
        if let Some(reason) = reason {
            self.is_lost(reason);
        }
        for message in self.queue.stop() {
            refuse::<W>(message, self.refusal());
        }
    }

    /// Of a pool whose workers come with calls, the one that was to run what waits does not come: if it was the only one, those calls are
    /// told why.
    pub(crate) fn nobody_comes(&self, reason: &dyn fmt::Display) {
        if !self.queue.hires() {
            return;
        }
        for message in self.queue.take_waiting() {
            refuse::<W>(message, CallError::WorkerLost { reason: reason.to_string() });
        }
    }

    /// Ends the pool because of `reason`, which every call is told.
    pub(crate) fn give_up(&self, reason: &dyn fmt::Display) {
        log(|| tracing::error!(pool = %self.name, %reason, "the pool gives up"));
        self.is_lost(reason);
        for message in self.queue.stop() {
            refuse::<W>(message, self.refusal());
        }
    }

    pub(crate) fn wait_until_empty(&self, deadline: Duration) -> bool {
        let clock = clock::system();
        self.queue.wait_until_empty(&*clock, clock.now() + deadline)
    }

    pub(crate) fn wait_until_ended(&self) {
        self.queue.wait_until_deserted();
    }

    pub(crate) fn stats(&self) -> PoolStats {
        let Counts { queued, running, workers, retried, followed, unwanted } = self.queue.counts();
        let (worker_states, (queue_wait, run_time)) = self.queue.measures();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PoolStats {
            name: self.name.clone(),
            mode: self.mode,
            workers,
            worker_states,
            queued,
            running,
            // An attempt that is followed by another is not the end of its call, and has failed, if not by its method.
            done: read(&self.counters.ended).saturating_sub(followed),
            failed: (read(&self.counters.failed) + unwanted).saturating_sub(followed),
            retried,
            crashed: read(&self.counters.crashed),
            restarts: read(&self.counters.restarts),
            recycled: read(&self.counters.recycled),
            queue_wait,
            run_time,
        }
    }

    /// A call has ended that a worker took from the queue and ran as this one of its methods.
    pub(crate) fn call_ended(&self, runner: Runner, how: Ran, noted: Noted) {
        self.count(how, &noted);
        self.queue.finished_as(runner, noted);
    }

    /// An attempt has ended.
    pub(crate) fn count(&self, how: Ran, noted: &Noted) {
        self.counters.ended(how);
        #[cfg(feature = "metrics")]
        self.queue.metered.ended(how);
        if let Some(note) = noted {
            note.ended(how.name());
        }
    }
}

/// Makes worker `index` anew after a panic.
pub(crate) fn restart<W: Worker>(shared: &Shared<W>, index: usize) -> Result<W, InitError> {
    shared.rebuild(|| shared.construct(index))
}
