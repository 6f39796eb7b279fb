//! Async methods that block their thread, as with [`Call::result`](concurry_core::call::Call::result): then the method sleeps there, and
//! perhaps its worker with it.
//!
//! They are polled too often to have each poll watched. So a pool of mode async is known here by its number, and a thread that is about
//! to sleep is asked what it runs. Where the runtime has other threads, they go on with what else this one was to run: that may be
//! what is waited for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::task::Waker;

use concurry_core::park::{Sleepers, sleep_by};
use concurry_core::sync::lock;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::deadlock::Sleeper;
use super::queue::Queue;
use super::serving::{self, Runner, Served};
use crate::worker::Worker;

/// A pool of which methods may sleep.
trait Sleeping: Send + Sync {
    /// The method as a sleeper, with which its worker sleeps if it `holds` that.
    fn sleeper(&self, served: Served, holds: bool) -> Option<Arc<dyn Sleepers>>;
}

/// The queue of a pool, for who knows its worker.
struct Pool<W: Worker>(Weak<Queue<W::Message>>);

impl<W: Worker> Sleeping for Pool<W> {
    fn sleeper(&self, served: Served, holds: bool) -> Option<Arc<dyn Sleepers>> {
        let sleeper = Sleeper::<W>::new(&self.0.upgrade()?, served.runner?, served.age);
        Some(Arc::new(sleeper.holding(holds)))
    }
}

/// By number.
static POOLS: Mutex<BTreeMap<usize, Arc<dyn Sleeping>>> = Mutex::new(BTreeMap::new());

/// That a pool is known here, until this is dropped.
pub(crate) struct Known(usize);

impl Known {
    /// Has the pool of this queue told when its async methods send a thread to sleep.
    pub(crate) fn new<W: Worker>(queue: &Arc<Queue<W::Message>>) -> Self {
        sleep_by(sleep);
        lock(&POOLS).insert(queue.number(), Arc::new(Pool::<W>(Arc::downgrade(queue))));
        Self(queue.number())
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        let pool = lock(&POOLS).remove(&self.0);
        drop(pool);
    }
}

fn sleep(waker: &Waker, park: fn()) {
    let flavor = Handle::try_current().map(|handle| handle.runtime_flavor());
    let is_shared = matches!(flavor, Ok(RuntimeFlavor::MultiThread));
    let sleepers = those_who_sleep(is_shared);
    for sleeper in &sleepers {
        sleeper.falls_asleep(waker);
    }
    if is_shared && !sleepers.is_empty() {
        tokio::task::block_in_place(park);
    } else {
        park();
    }
    for sleeper in &sleepers {
        sleeper.wakes_up();
    }
}

/// What this thread runs for pools that would not be told otherwise; `is_shared` says whether other threads run what else it would.
fn those_who_sleep(is_shared: bool) -> Vec<Arc<dyn Sleepers>> {
    let all = serving::all();
    let unwatched = all.iter().enumerate().filter(|(_, served)| !served.is_watched);
    let sleeper = |(place, served): (usize, &Served)| {
        let runner = served.runner?;
        let pool = lock(&POOLS).get(&served.pool).cloned()?;
        // One that runs beside others, but takes its first step in the task of its worker, holds that up.
        let is_its_worker =
            |outer: &Served| outer.pool == served.pool && outer.runner == Some(Runner::alone(runner.worker));
        let holds = !is_shared || all[place + 1..].iter().any(is_its_worker);
        pool.sleeper(*served, holds)
    };
    unwatched.filter_map(sleeper).collect()
}
