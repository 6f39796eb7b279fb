//! Mode async: a worker is a task on tokio, on the caller's runtime if there is one, else on our own.
//!
//! The worker's task takes calls in order and takes the worker's fair lock for each before the next: `&self async` calls
//! then run side by side as tasks of their own under the read lock, `&mut self` calls run alone under the write lock.
//! Methods that are not async run on tokio's blocking threads, under the same locks.
//!
//! When the runtime is shut down, its tasks are dropped: each guard here then answers, counts or refuses what it stands
//! for, so no caller waits for a runtime that is gone.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use concurry_core::call::CallError;
use concurry_core::panics::discard;
use concurry_core::sync::lock;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::RwLock;

use super::{Runtime, Setup, Shared, own, restart};
use crate::attempt::{Ran, marking, poll_job, refuse};
use crate::error::InitError;
use crate::pool::serving::within;
use crate::pool::{Note, Noted, PoolStats, Popped, Route, Sleeper};
use crate::worker::{Access, ExclusiveGuard, Job, SharedGuard, Worker};

struct Tasks<W: Worker> {
    shared: Arc<Shared<W>>,
    handle: Handle,
    /// Makes and starts a worker; known here, where the worker is known to be shareable.
    begin: Begin<W>,
    /// One change at a time.
    resizing: Mutex<()>,
}

type Begin<W> = fn(&Arc<Shared<W>>, &Handle, usize) -> Result<(), InitError>;

/// Makes the workers here, one after the other, and then starts a task for each.
pub(crate) fn start<W: Worker + Send + Sync>(setup: Setup<W>) -> Result<Arc<dyn Runtime<W>>, InitError> {
    let handle = Handle::try_current().unwrap_or_else(|_| own::handle().clone());
    let shared = Shared::new(setup);
    let workers: Result<Vec<W>, InitError> =
        (0..shared.workers).map(|index| shared.construct(index)).collect();
    for (index, worker) in workers?.into_iter().enumerate() {
        shared.queue.worker_started(index);
        spawn(&shared, &handle, index, worker);
    }
    let (pool, tokio) = (Arc::downgrade(&shared), handle.clone());
    shared.queue.hires_by(Box::new(move |index| {
        let Some(shared) = pool.upgrade() else { return };
        let here = tokio.clone();
        // The constructor is the user's code, and may block.
        tokio.spawn_blocking(move || {
            if let Err(error) = begin(&shared, &here, index) {
                shared.worker_ended(index, Some(&error));
            }
        });
    }));
    Ok(Arc::new(Tasks { shared, handle, begin: begin::<W>, resizing: Mutex::new(()) }))
}

fn begin<W: Worker + Send + Sync>(
    shared: &Arc<Shared<W>>,
    handle: &Handle,
    index: usize,
) -> Result<(), InitError> {
    let worker = {
        let _serving = shared.serve();
        shared.construct(index)?
    };
    spawn(shared, handle, index, worker);
    Ok(())
}

fn spawn<W: Worker + Send + Sync>(shared: &Arc<Shared<W>>, handle: &Handle, index: usize, worker: W) {
    let lifetime = Lifetime { shared: Arc::clone(shared), index, lost: None };
    handle.spawn(within(shared.queue.number(), Some(index), serve(lifetime, index, worker)));
}

/// The time in which a worker is there; it ends with the task, also when the runtime drops the task.
struct Lifetime<W: Worker> {
    shared: Arc<Shared<W>>,
    index: usize,
    lost: Option<InitError>,
}

impl<W: Worker> Drop for Lifetime<W> {
    fn drop(&mut self) {
        match &self.lost {
            Some(error) => self.shared.worker_ended(self.index, Some(error)),
            None if std::thread::panicking() => {
                self.shared.worker_ended(self.index, Some(&"its task panicked"));
            }
            None => self.shared.worker_ended(self.index, None),
        }
    }
}

/// A call that was taken and has not ended; it ends with this guard, also when the runtime drops its task.
struct Running<W: Worker> {
    shared: Arc<Shared<W>>,
    index: usize,
    ended: Ran,
    noted: Noted,
}

impl<W: Worker> Running<W> {
    /// Takes a step of an async method.
    fn poll(&mut self, job: &mut Job, context: &mut Context<'_>) -> Poll<Ran> {
        Note::within(&mut self.noted, || poll_job(job, context))
    }

    fn end(mut self, ran: Ran) {
        self.ended = ran;
    }
}

impl<W: Worker> Drop for Running<W> {
    fn drop(&mut self) {
        self.shared.call_ended(self.index, self.ended, self.noted.take());
    }
}

/// A worker under its lock, with the mark that a panic leaves.
struct Slot<W> {
    worker: Arc<RwLock<W>>,
    crashed: Arc<AtomicBool>,
}

async fn serve<W: Worker + Send + Sync>(mut lifetime: Lifetime<W>, index: usize, worker: W) {
    let shared = Arc::clone(&lifetime.shared);
    let slot = Slot { worker: Arc::new(RwLock::new(worker)), crashed: Arc::default() };
    while let Popped::Message((message, noted)) =
        poll_fn(|context| shared.queue.poll_pop(index, context, &|| false)).await
    {
        let running = Running { shared: Arc::clone(&shared), index, ended: Ran::Returned, noted };
        if let Err((message, error)) = take(&slot, index, message, running).await {
            refuse::<W>(message, CallError::WorkerLost { reason: error.to_string() });
            lifetime.lost = Some(error);
            break;
        }
    }
    // All calls hold the lock while they run: when this has it, they have ended.
    drop(slot.worker.write().await);
    discard(slot.worker);
}

/// Runs one call; returns when the next may be taken. Gives the message back when the worker, crashed before, could not be
/// made anew.
async fn take<W: Worker + Send + Sync>(
    slot: &Slot<W>,
    index: usize,
    message: W::Message,
    mut running: Running<W>,
) -> Result<(), (W::Message, InitError)> {
    let Access { exclusive, is_async } = W::access(&message);
    let guard = match lend(slot, index, exclusive, &running.shared).await {
        Ok(guard) => guard,
        Err(error) => return Err((message, error)),
    };
    match guard {
        Guard::Shared(guard) if is_async => {
            let job = Note::within(&mut running.noted, || W::start_shared(guard, message));
            if let Some(mut job) = job {
                // The first step is taken here, so that calls start in the order of their submission: tokio runs the task
                // that was spawned last first.
                match poll_fn(|context| Poll::Ready(running.poll(&mut job, context))).await {
                    Poll::Ready(ran) => running.end(ran),
                    Poll::Pending => {
                        let pool = running.shared.queue.number();
                        drop(tokio::spawn(within(pool, None, run(job, running))));
                    }
                }
            } else {
                running.end(Ran::Failed); // its limits did not admit it
            }
        }
        Guard::Exclusive(guard) if is_async => {
            let job = Note::within(&mut running.noted, || W::start_exclusive(guard, message));
            if let Some(job) = job {
                let sleeper = Sleeper::<W>::new(&running.shared.queue, index);
                sleeper.watch(run(job, running)).await;
            } else {
                running.end(Ran::Failed);
            }
        }
        Guard::Shared(guard) => {
            let crashed = Arc::clone(&slot.crashed);
            tokio::task::spawn_blocking(move || {
                let shared = Arc::clone(&running.shared);
                let _serving = shared.serve();
                run_here(running, &crashed, || guard.run_shared(message));
            });
        }
        Guard::Exclusive(mut guard) => {
            let crashed = Arc::clone(&slot.crashed);
            let run = tokio::task::spawn_blocking(move || {
                let shared = Arc::clone(&running.shared);
                shared.work(index, || run_here(running, &crashed, || guard.run(message)));
            });
            // A panic of the method is caught in `run`; what is left is a runtime that shuts down.
            drop(run.await);
        }
    }
    Ok(())
}

/// Runs an async method to its end.
async fn run<W: Worker>(mut job: Job, mut running: Running<W>) {
    let ran = poll_fn(|context| running.poll(&mut job, context)).await;
    running.end(ran);
}

/// Runs a method that is not async; `method` borrows its guard, which is held to the end.
fn run_here<W: Worker>(mut running: Running<W>, crashed: &Arc<AtomicBool>, method: impl FnOnce() -> Ran) {
    let ran = Note::within(&mut running.noted, || marking(Some(crashed), method));
    running.end(ran);
}

/// A worker on loan.
enum Guard<W> {
    Shared(SharedGuard<W>),
    Exclusive(ExclusiveGuard<W>),
}

/// Waits for the worker's lock, and has the worker made anew first if it has crashed.
async fn lend<W: Worker + Send + Sync>(
    slot: &Slot<W>,
    index: usize,
    exclusive: bool,
    shared: &Arc<Shared<W>>,
) -> Result<Guard<W>, InitError> {
    loop {
        let guard = if exclusive {
            let guard = Arc::clone(&slot.worker).write_owned().await;
            Guard::Exclusive(ExclusiveGuard::new(guard, &slot.crashed))
        } else {
            let guard = Arc::clone(&slot.worker).read_owned().await;
            Guard::Shared(SharedGuard::new(guard, &slot.crashed))
        };
        if !slot.crashed.load(Ordering::SeqCst) {
            return Ok(guard);
        }
        drop(guard);
        replace(shared, index, slot).await?;
    }
}

/// Makes a worker anew, when the calls that still run on the old one have ended.
async fn replace<W: Worker + Send + Sync>(
    shared: &Arc<Shared<W>>,
    index: usize,
    slot: &Slot<W>,
) -> Result<(), InitError> {
    let mut worker = Arc::clone(&slot.worker).write_owned().await;
    let (shared, crashed) = (Arc::clone(shared), Arc::clone(&slot.crashed));
    let made = tokio::task::spawn_blocking(move || {
        let _serving = shared.serve();
        let made = restart(&shared, index)?;
        discard(std::mem::replace(&mut *worker, made));
        crashed.store(false, Ordering::SeqCst);
        Ok(())
    });
    made.await.unwrap_or_else(|error| {
        Err(InitError::Start { what: "a constructor, while the runtime shuts down", source: error.into() })
    })
}

impl<W: Worker> Runtime<W> for Tasks<W> {
    fn submit(&self, route: Route, message: W::Message) -> Result<(), W::Message> {
        self.shared.submit(route, message)
    }

    fn refusal(&self) -> CallError {
        self.shared.refusal()
    }

    fn close(&self) {
        self.shared.queue.close();
    }

    fn stop(&self) -> Vec<W::Message> {
        self.shared.queue.stop()
    }

    fn wait_until_empty(&self, deadline: Duration) -> bool {
        self.blocking(|| self.shared.wait_until_empty(deadline)).unwrap_or(false)
    }

    fn wait_until_ended(&self) {
        self.blocking(|| self.shared.wait_until_ended());
    }

    fn resize(&self, workers: usize) -> Result<(), InitError> {
        let _alone = lock(&self.resizing);
        let (before, hired) = self.shared.queue.set_target(workers);
        for (place, index) in hired.iter().enumerate() {
            if let Err(error) = (self.begin)(&self.shared, &self.handle, *index) {
                hired[place..].iter().for_each(|index| self.shared.queue.worker_ended(*index));
                self.shared.queue.set_target(before);
                return Err(error);
            }
        }
        Ok(())
    }

    fn stats(&self) -> PoolStats {
        self.shared.stats()
    }
}

impl<W: Worker> Tasks<W> {
    /// Blocks without holding up the workers' own tasks. On the only thread of their runtime that cannot be done: it is
    /// not done then, and the workers end when the caller awaits next.
    fn blocking<R>(&self, wait: impl FnOnce() -> R) -> Option<R> {
        match Handle::try_current() {
            Ok(here) if here.runtime_flavor() == RuntimeFlavor::MultiThread => {
                Some(tokio::task::block_in_place(wait))
            }
            Ok(here) if here.id() == self.handle.id() => None,
            _ => Some(wait()),
        }
    }
}
