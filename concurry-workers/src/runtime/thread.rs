//! Mode thread: a worker is made, used and dropped on a thread of its own, so it may hold what is not `Send`.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use concurry_core::call::CallError;
use concurry_core::panics::{catch, discard};
use crossbeam_channel::{Sender, unbounded};

use super::{Runtime, Setup, Shared, restart};
use crate::attempt::{Ran, contained};
use crate::error::InitError;
use crate::pool::{PoolStats, Popped, Route};
use crate::worker::Worker;

/// A pool whose workers are served by threads of this process; process mode uses it too, with dispatchers as threads.
pub(super) struct Threads<W: Worker> {
    shared: Arc<Shared<W>>,
}

/// Starts a thread a worker, and returns when all have made their workers.
pub(crate) fn start<W: Worker>(setup: Setup<W>) -> Result<Arc<dyn Runtime<W>>, InitError> {
    spawn_all(Shared::new(setup), serve::<W>)
}

/// What runs on the thread of worker `index`. It reports once, when its worker is ready or could not be made, and returns
/// when its worker has ended, with an error when it is lost.
pub(super) type Serve<W> = fn(&Shared<W>, usize, Ready) -> Result<(), InitError>;

/// Where a new worker reports.
pub(super) struct Ready(Sender<Result<(), InitError>>);

impl Ready {
    /// Tells whether the worker could be made. `init` listens until each has reported, so the report arrives.
    pub(super) fn report<T>(self, made: Result<T, InitError>) -> Option<T> {
        let (made, report) = match made {
            Ok(made) => (Some(made), Ok(())),
            Err(error) => (None, Err(error)),
        };
        drop(self.0.send(report));
        made
    }
}

/// Starts a thread a worker. The first failure ends all the others and is what `init` returns.
pub(super) fn spawn_all<W: Worker>(
    shared: Arc<Shared<W>>,
    serve: Serve<W>,
) -> Result<Arc<dyn Runtime<W>>, InitError> {
    let (ready, reports) = unbounded();
    let mut failure = None;
    for index in 0..shared.workers {
        shared.queue.worker_started(index);
        let thread = thread::Builder::new().name(format!("{}-{index}", shared.name));
        let spawned = thread.spawn({
            let (shared, ready) = (Arc::clone(&shared), Ready(ready.clone()));
            move || {
                let _serving = shared.serve();
                match catch(|| serve(&shared, index, ready)) {
                    Ok(Ok(())) => shared.worker_ended(index, None),
                    Ok(Err(reason)) => shared.worker_ended(index, Some(&reason)),
                    // Nothing is left that could; but then nobody may wait for ever.
                    Err(panic) => shared.worker_ended(index, Some(&panic)),
                }
            }
        });
        if let Err(source) = spawned {
            failure = Some(InitError::Start { what: "a worker's thread", source });
            shared.queue.worker_ended(index);
            break;
        }
    }
    drop(ready);
    // Each thread that was started reports exactly once; the channel is empty and closed after the last.
    for report in reports {
        if let Err(error) = report {
            failure.get_or_insert(error);
            shared.queue.close();
        }
    }
    match failure {
        None => Ok(Arc::new(Threads { shared })),
        Some(error) => {
            shared.queue.close();
            shared.queue.wait_until_deserted();
            Err(error)
        }
    }
}

fn serve<W: Worker>(shared: &Shared<W>, index: usize, ready: Ready) -> Result<(), InitError> {
    let Some(mut worker) = ready.report(shared.construct(index)) else { return Ok(()) };
    while let Popped::Message(message) = shared.queue.pop(index, &|| false) {
        let mut next = Some(message);
        while let Some(message) = next.take() {
            let ran = contained(|| worker.run(message));
            shared.count(ran == Ran::Panicked);
            if ran == Ran::Panicked {
                shared.queue.finished(index);
                discard(worker);
                worker = restart(shared, index)?;
            } else {
                next = shared.queue.next(index);
            }
        }
    }
    discard(worker);
    Ok(())
}

impl<W: Worker> Runtime<W> for Threads<W> {
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
        self.shared.wait_until_empty(deadline)
    }

    fn wait_until_ended(&self) {
        self.shared.wait_until_ended();
    }

    fn stats(&self) -> PoolStats {
        self.shared.stats()
    }
}
