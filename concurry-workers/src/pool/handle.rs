//! What every typed handle wraps.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use concurry_core::call::CallError;

use super::PoolStats;
use crate::runtime::Runtime;
use crate::worker::Worker;

/// A pool of workers. The typed handle of a worker derefs to this.
///
/// Clones are the same pool. Dropping the last handle lets the workers finish what was submitted, in the background,
/// and then end.
///
/// # Examples
///
/// The facade's documentation shows typed handles; this is what they have in common:
///
/// ```
/// use concurry_workers::pool::PoolHandle;
/// use concurry_workers::worker::Worker;
///
/// fn backlog<W: Worker>(pool: &PoolHandle<W>) -> usize {
///     pool.stats().queued
/// }
/// ```
pub struct PoolHandle<W: Worker> {
    owner: Arc<Owner<W>>,
}

/// The last one out closes the queue.
struct Owner<W: Worker> {
    runtime: Arc<dyn Runtime<W>>,
}

impl<W: Worker> Drop for Owner<W> {
    fn drop(&mut self) {
        self.runtime.close();
    }
}

impl<W: Worker> PoolHandle<W> {
    pub(crate) fn new(runtime: Arc<dyn Runtime<W>>) -> Self {
        Self { owner: Arc::new(Owner { runtime }) }
    }

    /// Submits a call; a pool that is stopped answers it at once.
    #[doc(hidden)]
    pub fn submit(&self, message: W::Message) {
        if let Err(message) = self.owner.runtime.submit(message) {
            W::refuse(message, self.owner.runtime.refusal());
        }
    }

    /// Lets the calls that run finish, answers those that wait with [`CallError::Stopped`], ends the workers, and returns
    /// when they have ended. Later calls are answered with [`CallError::Stopped`].
    ///
    /// Blocks this thread; from a method of this very pool it returns at once, since it cannot outlive itself.
    pub fn stop(&self) {
        for message in self.owner.runtime.stop() {
            W::refuse(message, CallError::Stopped);
        }
        self.owner.runtime.wait_until_ended();
    }

    /// Lets nothing more in, waits until every call that was submitted is done, for `deadline` at most, and then stops.
    /// Says whether all were done in time; what was not is answered with [`CallError::Stopped`].
    ///
    /// Blocks this thread.
    pub fn drain(&self, deadline: Duration) -> bool {
        self.owner.runtime.close();
        let drained = self.owner.runtime.wait_until_empty(deadline);
        for message in self.owner.runtime.stop() {
            W::refuse(message, CallError::Stopped);
        }
        if drained {
            self.owner.runtime.wait_until_ended();
        }
        drained
    }

    /// What the pool does right now.
    pub fn stats(&self) -> PoolStats {
        self.owner.runtime.stats()
    }

    /// How many workers are there.
    pub fn workers(&self) -> usize {
        self.stats().workers
    }
}

impl<W: Worker> Clone for PoolHandle<W> {
    fn clone(&self) -> Self {
        Self { owner: Arc::clone(&self.owner) }
    }
}

impl<W: Worker> fmt::Debug for PoolHandle<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolHandle").field("stats", &self.stats()).finish()
    }
}
