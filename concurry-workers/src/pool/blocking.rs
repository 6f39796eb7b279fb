//! Async methods that block their thread, as with [`Call::result`](concurry_core::call::Call::result): then the method sleeps there, and
//! perhaps its worker with it, or all workers of its pool.
//!
//! They are polled too often to have each poll watched. So a pool of mode async is known here by its number, and a thread that is about
//! to sleep, for as long as it takes, is asked what it runs. Where the pool's runtime has other threads, they go on with what else this
//! one was to run, as long as that runtime has threads for it: that may be what is waited for. So do those of any other task that blocks
//! its thread so, and where it is for a time, or for a limit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::task::Waker;

use concurry_core::park::{Sleepers, sleep_by};
use concurry_core::sync::lock;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::deadlock::{Holds, Sleeper};
use super::queue::Queue;
use super::serving::{self, Runner, Served};
use crate::runtime::here;
use crate::worker::Worker;

/// A pool of which methods may sleep.
trait Sleeping: Send + Sync {
    /// The method as a sleeper, and who cannot go on meanwhile.
    fn sleeper(&self, served: Served, holds: Holds) -> Option<Arc<dyn Sleepers>>;
}

/// The queue of a pool, for who knows its worker.
struct Pool<W: Worker>(Weak<Queue<W::Message>>);

impl<W: Worker> Sleeping for Pool<W> {
    fn sleeper(&self, served: Served, holds: Holds) -> Option<Arc<dyn Sleepers>> {
        let sleeper = Sleeper::<W>::new(&self.0.upgrade()?, served.runner?, served.age);
        Some(Arc::new(sleeper.holding(holds)))
    }
}

/// A pool, and the runtime that polls its methods.
#[derive(Clone)]
struct Entry {
    pool: Arc<dyn Sleeping>,
    runtime: Handle,
}

impl Entry {
    fn has_threads(&self) -> bool {
        self.runtime.runtime_flavor() == RuntimeFlavor::MultiThread
    }
}

/// By number, which is the address of the queue: what is kept here keeps that from being used again.
static POOLS: Mutex<BTreeMap<usize, Entry>> = Mutex::new(BTreeMap::new());

/// That a pool is known here, until this is dropped.
pub(crate) struct Known(usize);

impl Known {
    /// Has the pool of this queue, whose methods this runtime polls, told when they send a thread to sleep.
    pub(crate) fn new<W: Worker>(queue: &Arc<Queue<W::Message>>, runtime: &Handle) -> Self {
        sleep_by(sleep);
        let pool = Arc::new(Pool::<W>(Arc::downgrade(queue)));
        lock(&POOLS).insert(queue.number(), Entry { pool, runtime: runtime.clone() });
        Self(queue.number())
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        let entry = lock(&POOLS).remove(&self.0);
        drop(entry);
    }
}

/// Whether nobody but this thread runs the methods of a pool, as their runtime has no other.
pub(super) fn is_run_by_this_thread(pool: usize) -> bool {
    let entry = lock(&POOLS).get(&pool).cloned();
    entry.is_some_and(|entry| here::is_run_by_this_thread(&entry.runtime))
}

/// Those who sleep, until this is dropped.
struct Asleep(Vec<Arc<dyn Sleepers>>);

impl Drop for Asleep {
    fn drop(&mut self) {
        for sleeper in &self.0 {
            sleeper.wakes_up();
        }
    }
}

fn sleep(waker: Option<&Waker>, park: &dyn Fn()) {
    let (sleepers, runtime) = those_who_sleep();
    // Who sleeps for a time, or for a limit, waits for no call in vain.
    let _asleep = waker.map(|waker| {
        let asleep = Asleep(sleepers);
        for sleeper in &asleep.0 {
            sleeper.falls_asleep(waker);
        }
        asleep
    });
    // What was entered last decides whether this thread may be left, and the pool's own runtime goes on with what it leaves.
    let runtime = runtime.filter(|_| here::has_threads());
    let _context = runtime.as_ref().map(Handle::enter);
    here::blocking(park);
}

/// What this thread runs for pools that would not be told otherwise; and the runtime that polls what it runs, if that has other threads.
fn those_who_sleep() -> (Vec<Arc<dyn Sleepers>>, Option<Handle>) {
    let all = serving::all();
    let (mut sleepers, mut runtime) = (Vec::new(), None);
    for (place, served) in all.iter().enumerate().filter(|(_, served)| !served.is_watched) {
        let entry = lock(&POOLS).get(&served.pool).cloned();
        let (Some(entry), Some(runner)) = (entry, served.runner) else { continue };
        // One that runs beside others, but takes its first step in the task of its worker, holds that up.
        let is_its_worker =
            |one: &Served| one.pool == served.pool && one.runner == Some(Runner::alone(runner.worker));
        let holds = if !entry.has_threads() {
            Holds::Pool
        } else if all[place..].iter().any(is_its_worker) {
            Holds::Worker
        } else {
            Holds::Nobody
        };
        sleepers.extend(entry.pool.sleeper(*served, holds));
        runtime.get_or_insert_with(|| Some(entry.runtime.clone()).filter(|_| entry.has_threads()));
    }
    (sleepers, runtime.flatten())
}
