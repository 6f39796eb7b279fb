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
use concurry_core::panics::contain;
use concurry_core::sync::lock;
use tokio::runtime::Handle;

use super::here;
use super::lending::{Guard, Loan, Slot};
use super::running::{Call, Running};
use super::{Runtime, Setup, Shared, own};
use crate::attempt::{Ran, marking, poll_job, refuse};
use crate::error::InitError;
use crate::pool::serving::{Runner, within};
use crate::pool::{Known, Note, PoolStats, Popped, Route, Sleeper, tell_all};
use crate::worker::{Access, ExclusiveGuard, Job, Worker};

/// Why a worker that was to come does not.
const SHUT_DOWN: &str = "the tokio runtime of its pool is shut down, or has no thread for it";

/// As many as tokio lets a task take from a channel in one go.
const CALLS_A_STINT: usize = 128;

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
    let what = "a tokio runtime";
    let handle = match Handle::try_current() {
        Ok(handle) => handle,
        Err(_) => own::handle().map_err(|source| InitError::Start { what, source })?.clone(),
    };
    let shared = Shared::new(setup);
    let workers: Result<Vec<W>, InitError> = {
        let _context = handle.enter();
        (0..shared.workers).map(|index| shared.construct(index)).collect()
    };
    for (index, worker) in workers?.into_iter().enumerate() {
        shared.queue.worker_started(index);
        spawn(&shared, &handle, index, worker);
    }
    let tokio = handle.clone();
    shared.hires_by(move |shared, index| {
        let (hired, here) = (Hired { shared: Some(shared), index }, tokio.clone());
        // The constructor is the user's code, and may block. A system without another thread has this panic.
        contain("a tokio runtime", || drop(tokio.spawn_blocking(move || hired.begin(&here))));
    });
    shared.known.get_or_init(|| Known::new::<W>(&shared.queue, &handle));
    Ok(Arc::new(Tasks { shared, handle, begin: begin::<W>, resizing: Mutex::new(()) }))
}

/// A worker that was hired and has not begun. If it never does, as a runtime that is shut down runs nothing, that is told.
struct Hired<W: Worker> {
    shared: Option<Arc<Shared<W>>>,
    index: usize,
}

impl<W: Worker + Send + Sync> Hired<W> {
    fn begin(mut self, handle: &Handle) {
        let Some(shared) = self.shared.take() else { return };
        if let Err(error) = begin(&shared, handle, self.index) {
            shared.worker_ended(self.index, Some(&error));
        }
    }
}

impl<W: Worker> Drop for Hired<W> {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.worker_ended(self.index, Some(&SHUT_DOWN));
        }
    }
}

fn begin<W: Worker + Send + Sync>(
    shared: &Arc<Shared<W>>,
    handle: &Handle,
    index: usize,
) -> Result<(), InitError> {
    let worker = {
        let (_serving, _context) = (shared.serve(), handle.enter());
        shared.construct(index)?
    };
    spawn(shared, handle, index, worker);
    Ok(())
}

fn spawn<W: Worker + Send + Sync>(shared: &Arc<Shared<W>>, handle: &Handle, index: usize, worker: W) {
    let lifetime = Lifetime { shared: Arc::clone(shared), index, lost: None, is_over: false };
    let runner = Some(Runner::alone(index));
    handle.spawn(within(shared.queue.number(), runner, serve(lifetime, index, worker)));
}

/// The time in which a worker is there; it ends with the task, also when the runtime drops the task.
struct Lifetime<W: Worker> {
    shared: Arc<Shared<W>>,
    index: usize,
    lost: Option<InitError>,
    /// Whether the pool wants no more of it.
    is_over: bool,
}

impl<W: Worker> Drop for Lifetime<W> {
    fn drop(&mut self) {
        match &self.lost {
            Some(error) => self.shared.worker_ended(self.index, Some(error)),
            None if std::thread::panicking() => {
                self.shared.worker_ended(self.index, Some(&"its task panicked"));
            }
            None => {
                self.shared.worker_ended(self.index, None);
                if !self.is_over {
                    self.shared.nobody_comes(&SHUT_DOWN);
                }
            }
        }
    }
}

async fn serve<W: Worker + Send + Sync>(mut lifetime: Lifetime<W>, index: usize, worker: W) {
    let shared = Arc::clone(&lifetime.shared);
    let mut slot = Slot::new(worker);
    let mut next = None;
    loop {
        match poll_fn(|context| stint(&shared, index, &mut slot, &mut next, context)).await {
            Stint::Over => tokio::task::yield_now().await,
            Stint::Ended => {
                lifetime.is_over = true;
                break;
            }
            Stint::Alone(job, running) => next = run_alone(job, running).await.next(),
            Stint::Call(call) => {
                let (message, running) = call.begin(&shared, index);
                match take(&mut slot, message, running).await {
                    Ok(call) => next = call,
                    Err((message, error)) => {
                        refuse::<W>(message, CallError::WorkerLost { reason: error.to_string() });
                        lifetime.lost = Some(error);
                        // At once: calls that still run there may wait for some of those that are told then.
                        drop(lifetime);
                        return slot.end(&shared).await;
                    }
                }
            }
        }
    }
    slot.end(&shared).await;
}

/// What a worker's task has done in one go.
enum Stint<W: Worker> {
    /// As much as it may before others who share the thread have their turn.
    Over,
    /// All that there will be.
    Ended,
    /// All but for this call, which has to wait for its worker or is not async.
    Call(Call<W>),
    /// All but for this call of an async `&mut self` method, which has begun and waits: no other may run beside it.
    Alone(Job, Running<W>),
}

/// Takes calls, and runs the async methods among them as far as they go without waiting: those that are short end here, and the
/// others, if they take `&self`, become tasks of their own. Each takes its first step here, so that calls start in the order of their
/// submission: tokio runs the task that was spawned last first.
fn stint<W: Worker + Send + Sync>(
    shared: &Arc<Shared<W>>,
    index: usize,
    slot: &mut Slot<W>,
    next: &mut Option<Call<W>>,
    context: &mut Context<'_>,
) -> Poll<Stint<W>> {
    for left in (0..CALLS_A_STINT).rev() {
        let call = match next.take() {
            Some(call) => call,
            None => match shared.queue.poll_take(index, context, &|| false) {
                Poll::Ready(Popped::Message(taken)) => Call::of(taken),
                Poll::Ready(Popped::Closed | Popped::Interrupted) => return Poll::Ready(Stint::Ended),
                Poll::Pending => return Poll::Pending,
            },
        };
        let Access { exclusive, is_async } = W::access(&call.message);
        let guard = if is_async { slot.lend_now(exclusive) } else { None };
        let Some(guard) = guard else { return Poll::Ready(Stint::Call(call)) };
        let (message, mut running) = call.begin(shared, index);
        if !exclusive {
            running.beside(slot.next_run());
        }
        let ended = match first_step(running, guard, message, context) {
            Ok(ended) => Some(ended),
            Err((job, running)) if exclusive => return Poll::Ready(Stint::Alone(job, running)),
            Err((job, running)) => {
                drop(tokio::spawn(run(job, running)));
                None
            }
        };
        // None is taken that would not begin at once: the runtime may drop this task where it yields.
        *next = ended.filter(|_| left > 0).and_then(Running::next);
    }
    Poll::Ready(Stint::Over)
}

/// Takes the first step of an async method; what is to be gone on with, if that is not its last.
fn first_step<W: Worker>(
    mut running: Running<W>,
    guard: Guard<W>,
    message: W::Message,
    context: &mut Context<'_>,
) -> Result<Running<W>, (Job, Running<W>)> {
    let stepped = running.step(|| {
        let job = match guard {
            Guard::Shared(guard) => W::start_shared(guard, message),
            Guard::Exclusive(guard) => W::start_exclusive(guard, message),
        };
        job.map(|mut job| (poll_job(&mut job, context), job))
    });
    match stepped {
        None => Ok(running.ended(Ran::Failed)), // its limits did not admit it
        Some((Poll::Ready(ran), _)) => Ok(running.ended(ran)),
        Some((Poll::Pending, job)) => Err((job, running)),
    }
}

/// Runs one call, which may have to wait for its worker; returns when the next may be taken: with that, if it is there, or with the
/// same one, if it is for a [`stint`]. Gives the message back when the worker, crashed before, could not be made anew.
async fn take<W: Worker + Send + Sync>(
    slot: &mut Slot<W>,
    message: W::Message,
    mut running: Running<W>,
) -> Result<Option<Call<W>>, (W::Message, InitError)> {
    let Access { exclusive, is_async } = W::access(&message);
    let call = (running.age(), message);
    let (guard, message) = match slot.lend_to(call, exclusive, (running.index, &running.shared)).await? {
        Loan::Lent(guard, message) => {
            if let Some(note) = &mut running.noted {
                // Until now it has waited, be it for what others have on loan.
                note.is_taken(running.shared.queue.clock().now());
            }
            (guard, message)
        }
        Loan::NotNow(message) => {
            running.put_back(message);
            return Ok(None);
        }
        Loan::InVain => {
            drop(running.ended(Ran::Failed));
            return Ok(None);
        }
    };
    match guard {
        Guard::Shared(_) | Guard::Exclusive(_) if is_async => Ok(running.leave(message)),
        Guard::Shared(guard) => {
            let crashed = Some(slot.crashed()).filter(|_| !W::SURVIVES_PANICS);
            running.beside(slot.next_run());
            tokio::task::spawn_blocking(move || {
                run_here(running, crashed.as_ref(), || guard.run_shared(message));
            });
            Ok(None)
        }
        Guard::Exclusive(mut guard) => {
            let crashed = slot.crashed();
            let run = tokio::task::spawn_blocking(move || {
                let shared = Arc::clone(&running.shared);
                shared.work(running.index, || run_in_turn(running, message, &mut guard, &crashed))
            });
            // A panic of the method is caught in `run`; what is left is a runtime that shuts down.
            Ok(run.await.unwrap_or_default())
        }
    }
}

/// Runs an async method to its end that has its worker for itself: while it waits, the worker sleeps.
async fn run_alone<W: Worker>(mut job: Job, mut running: Running<W>) -> Running<W> {
    let sleeper = Sleeper::<W>::new(&running.shared.queue, Runner::alone(running.index), None);
    let ran = sleeper.watch(poll_fn(|context| running.poll(&mut job, context))).await;
    running.ended(ran)
}

/// Runs an async method to its end.
async fn run<W: Worker>(mut job: Job, mut running: Running<W>) {
    let ran = poll_fn(|context| running.poll_beside(&mut job, context)).await;
    drop(running.ended(ran));
}

/// Runs a `&mut self` method that is not async, and those that follow it: to go to another thread and back for each takes a
/// hundred times as long. Gives back the first call that is not one of those.
fn run_in_turn<W: Worker>(
    mut running: Running<W>,
    mut message: W::Message,
    guard: &mut ExclusiveGuard<W>,
    crashed: &Arc<AtomicBool>,
) -> Option<Call<W>> {
    loop {
        let (shared, index) = (Arc::clone(&running.shared), running.index);
        let method = || marking(Some(crashed), || guard.run(message));
        running.ended = Note::within(&mut running.noted, method);
        if crashed.load(Ordering::SeqCst) {
            return None;
        }
        let next = running.next()?;
        let Access { exclusive, is_async } = W::access(&next.message);
        if is_async || !exclusive {
            return Some(next);
        }
        (message, running) = next.begin(&shared, index);
    }
}

/// Runs a method that is not async; `method` borrows its guard, which is held to the end.
fn run_here<W: Worker>(
    mut running: Running<W>,
    crashed: Option<&Arc<AtomicBool>>,
    method: impl FnOnce() -> Ran,
) {
    let ran = running.block(|| marking(crashed, method));
    drop(running.ended(ran));
}

impl<W: Worker> Runtime<W> for Tasks<W> {
    fn submit(&self, route: Route, message: W::Message) -> Result<(), W::Message> {
        let message = match self.shared.queue.put(route, message) {
            Ok(()) => return Ok(()),
            Err(message) => message,
        };
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

    fn may_be_waited_for(&self) -> bool {
        !here::is_run_by_this_thread(&self.handle)
    }

    fn wait_until_empty(&self, deadline: Duration) -> bool {
        here::blocking(|| self.shared.wait_until_empty(deadline))
    }

    fn wait_until_ended(&self) {
        here::blocking(|| self.shared.wait_until_ended());
    }

    fn resize(&self, workers: usize) -> Result<(), InitError> {
        let _alone = lock(&self.resizing);
        let (before, hired) = self.shared.queue.set_target(workers);
        for (place, index) in hired.iter().enumerate() {
            if let Err(error) = (self.begin)(&self.shared, &self.handle, *index) {
                hired[place..].iter().for_each(|index| self.shared.queue.worker_ended(*index));
                self.shared.queue.set_target(before);
                // Calls may have been thought to be for one of those.
                tell_all::<W>(self.shared.queue.waited_for_in_vain());
                return Err(error);
            }
        }
        Ok(())
    }

    fn stats(&self) -> PoolStats {
        self.shared.stats()
    }
}
