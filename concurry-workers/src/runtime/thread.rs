//! Mode thread: a worker is made, used and dropped on a thread of its own, so it may hold what is not `Send`.

use std::io;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use concurry_core::call::CallError;
use concurry_core::clock;
use concurry_core::mode::ExecutionMode;
use concurry_core::panics::{catch, discard};
use concurry_core::spin::Spin;
use concurry_core::sync::lock;
use crossbeam_channel::{Sender, unbounded};

use super::pace::Pace;
use super::process::submitting;
use super::{Runtime, Setup, Shared, restart};
use crate::attempt::{Ran, contained};
use crate::error::InitError;
use crate::pool::{Note, PoolStats, Popped, Route, tell_all};
use crate::worker::Worker;

/// A pool whose workers are served by threads of this process; process mode uses it too, with the owners of children as threads.
pub(super) struct Threads<W: Worker> {
    shared: Arc<Shared<W>>,
    serve: Serve<W>,
    /// One change at a time.
    resizing: Mutex<()>,
}

/// Starts a thread a worker, and returns when all have made their workers.
pub(crate) fn start<W: Worker>(setup: Setup<W>) -> Result<Arc<dyn Runtime<W>>, InitError> {
    spawn_all(Shared::new(setup), serve::<W>)
}

/// What runs on the thread of worker `index`. It reports once, when its worker is ready or could not be made, and returns
/// when its worker has ended, with an error when it is lost.
pub(super) type Serve<W> = fn(&Arc<Shared<W>>, usize, Ready) -> Result<(), InitError>;

/// Where a new worker reports, by its number, if anybody waits for that.
pub(super) struct Ready(Option<(usize, Sender<Report>)>);

type Report = (usize, Result<(), InitError>);

impl Ready {
    /// Tells whether the worker could be made. `init` listens until each has reported, so the report arrives.
    ///
    /// # Errors
    ///
    /// Why it could not be made, when nobody listens.
    pub(super) fn report<T>(self, made: Result<T, InitError>) -> Result<Option<T>, InitError> {
        let Some((index, listener)) = self.0 else { return made.map(Some) };
        let (made, report) = match made {
            Ok(made) => (Some(made), Ok(())),
            Err(error) => (None, Err(error)),
        };
        drop(listener.send((index, report)));
        Ok(made)
    }
}

/// Starts a thread a worker. The first failure ends all the others and is what `init` returns.
pub(super) fn spawn_all<W: Worker>(
    shared: Arc<Shared<W>>,
    serve: Serve<W>,
) -> Result<Arc<dyn Runtime<W>>, InitError> {
    let numbers: Vec<usize> = (0..shared.workers).collect();
    for index in &numbers {
        shared.queue.worker_started(*index);
    }
    if let Err(error) = spawn(&shared, serve, &numbers, || shared.queue.close()) {
        shared.queue.close();
        shared.queue.wait_until_deserted();
        return Err(error);
    }
    shared.hires_by(move |shared, index| {
        if let Err(source) = spawn_one(&shared, serve, index, Ready(None)) {
            let error = InitError::Start { what: "a worker's thread", source };
            shared.worker_ended(index, Some(&error));
        }
    });
    Ok(Arc::new(Threads { shared, serve, resizing: Mutex::new(()) }))
}

/// Starts the workers of these numbers, which count as being there, and waits until all have made their workers, or do not count any
/// more; calls `give_up` as soon as one could not.
fn spawn<W: Worker>(
    shared: &Arc<Shared<W>>,
    serve: Serve<W>,
    numbers: &[usize],
    give_up: impl Fn(),
) -> Result<(), InitError> {
    let (ready, reports) = unbounded();
    let (mut failure, mut lost) = (None, Vec::new());
    for (place, index) in numbers.iter().enumerate() {
        if let Err(source) = spawn_one(shared, serve, *index, Ready(Some((*index, ready.clone())))) {
            failure = Some(InitError::Start { what: "a worker's thread", source });
            numbers[place..].iter().for_each(|index| shared.queue.worker_ended(*index));
            break;
        }
    }
    drop(ready);
    // Each thread that was started reports exactly once; the channel is empty and closed after the last.
    for (index, report) in reports {
        if let Err(error) = report {
            failure.get_or_insert(error);
            lost.push(index);
            give_up();
        }
    }
    // They have reported a little before: as long as one counts, another would be taken for one too many in its place.
    for index in lost {
        shared.queue.wait_until_absent(index);
    }
    failure.map_or(Ok(()), Err)
}

fn spawn_one<W: Worker>(
    shared: &Arc<Shared<W>>,
    serve: Serve<W>,
    index: usize,
    ready: Ready,
) -> io::Result<()> {
    let thread = thread::Builder::new().name(format!("{}-{index}", shared.name));
    let shared = Arc::clone(shared);
    let run = move || {
        let _serving = shared.serve();
        match catch(|| serve(&shared, index, ready)) {
            Ok(Ok(())) => shared.worker_ended(index, None),
            Ok(Err(reason)) => shared.worker_ended(index, Some(&reason)),
            // Nothing is left that could; but then nobody may wait for ever.
            Err(panic) => shared.worker_ended(index, Some(&panic)),
        }
    };
    thread.spawn(run).map(drop)
}

fn serve<W: Worker>(shared: &Arc<Shared<W>>, index: usize, ready: Ready) -> Result<(), InitError> {
    shared.work(index, || work(shared, index, ready))
}

fn work<W: Worker>(shared: &Shared<W>, index: usize, ready: Ready) -> Result<(), InitError> {
    let Some(mut worker) = ready.report(shared.construct(index))? else { return Ok(()) };
    let (clock, mut spin, mut pace) = (clock::system(), Spin::new(), Pace::default());
    loop {
        // Where calls come one after the other, whoever submits the next one need not wake it.
        let start = clock.now();
        let is_awake = spin.until(&*clock, start, || shared.queue.has_news());
        pace.wait(is_awake, &*clock, start);
        let Popped::Message((message, mut noted)) = shared.queue.pop(index, &|| false) else { break };
        if !is_awake {
            spin.waited(clock.now() - start);
        }
        // It stays where it is until its method takes it: to move it costs about as much as a lock.
        let mut call = Some(message);
        while call.is_some() {
            let run = || call.take().map_or(Ran::Returned, |message| worker.run(message));
            let ran = Note::within(&mut noted, || contained(run));
            pace.ran();
            shared.count(ran, &noted);
            if ran == Ran::Panicked {
                shared.queue.finished(index, noted.take());
                discard(worker);
                if !shared.queue.needs(index) {
                    return Ok(());
                }
                worker = restart(shared, index)?;
            } else {
                noted = shared.queue.next_known(index, noted.take(), &mut call);
            }
        }
    }
    discard(worker);
    Ok(())
}

impl<W: Worker> Runtime<W> for Threads<W> {
    fn submit(&self, route: Route, message: W::Message) -> Result<(), W::Message> {
        match self.shared.queue.put(route, message) {
            Ok(()) => Ok(()),
            Err(message) if self.shared.mode == ExecutionMode::Process => {
                submitting(|| self.shared.submit(route, message))
            }
            Err(message) => self.shared.submit(route, message),
        }
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

    fn resize(&self, workers: usize) -> Result<(), InitError> {
        let _alone = lock(&self.resizing);
        let (before, hired) = self.shared.queue.set_target(workers);
        spawn(&self.shared, self.serve, &hired, || ()).inspect_err(|_| {
            self.shared.queue.set_target(before);
            // Calls may have been thought to be for one of those.
            tell_all::<W>(self.shared.queue.waited_for_in_vain());
        })
    }

    fn stats(&self) -> PoolStats {
        self.shared.stats()
    }
}
