//! Mode thread: a worker is made, used and dropped on a thread of its own, so it may hold what is not `Send`.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use concurry_core::call::CallError;
use crossbeam_channel::{Sender, unbounded};

use super::{Runtime, Setup, Shared, restart};
use crate::attempt::Ran;
use crate::construct::{construct, dismiss};
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

/// What runs on the thread of worker `index`. It reports once, when its worker is ready or could not be made, and when it
/// returns, its worker has ended.
pub(super) type Serve<W> = fn(&Shared<W>, usize, Ready);

/// Where a new worker reports.
pub(super) type Ready = Sender<Result<(), InitError>>;

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
            let (shared, ready) = (Arc::clone(&shared), ready.clone());
            move || {
                shared.serves_here();
                serve(&shared, index, ready);
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

fn serve<W: Worker>(shared: &Shared<W>, index: usize, ready: Ready) {
    let mut worker: W = match construct(shared.args(), shared.limits_of(index)) {
        Ok(worker) => worker,
        Err(error) => return report_failure(shared, index, &ready, error),
    };
    report_ready(ready);
    while let Popped::Message(message) = shared.queue.pop(index, &|| false) {
        let ran = worker.run(message);
        shared.call_ended(index, ran == Ran::Panicked);
        if ran == Ran::Panicked {
            dismiss(worker);
            worker = match restart(shared, index) {
                Ok(made) => made,
                Err(error) => return shared.worker_ended(index, Some(&error)),
            };
        }
    }
    dismiss(worker);
    shared.worker_ended(index, None);
}

/// The worker is there. `init` listens until each has reported, so the report arrives.
pub(super) fn report_ready(ready: Ready) {
    drop(ready.send(Ok(())));
}

/// The worker could not be made.
pub(super) fn report_failure<W: Worker>(shared: &Shared<W>, index: usize, ready: &Ready, error: InitError) {
    shared.queue.worker_ended(index);
    drop(ready.send(Err(error)));
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
