//! [`LimitPool`].

use std::fmt;
use std::ops::Index;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::balancing::{Position, by_default};
use super::{LimitPoolBalancing, LimitPoolStats, PooledSetStats};
use crate::remote::{RemoteGrant, Wait};
use crate::set::{acquire_earliest, acquire_of};
use crate::{Acquire, LimitError, LimitSet, LimitSetAcquisition, Request};

/// Several [`LimitSet`]s, one of which is picked for each request: regions, accounts, keys.
///
/// A pool belongs to one worker; the sets are shared. A clone has the same sets and a position of its own.
/// The default pool has one empty set, so every request succeeds at once.
///
/// In configuration it is `{"sets": [{"limits": […], "config": …}, …], "balancing": "round_robin"}`.
///
/// # Examples
///
/// ```
/// use concurry_limits::{CallLimit, LimitPool, LimitPoolBalancing, LimitSet, Window};
///
/// let region = |name| {
///     LimitSet::builder()
///         .limit(CallLimit::new(1, Window::MINUTE))
///         .config(serde_json::json!({ "region": name }))
///         .build()
/// };
/// let pool = LimitPool::new([region("us")?, region("eu")?]).load_balancing(LimitPoolBalancing::EarliestAvailable);
/// assert_eq!(pool.acquire(())?.config()["region"], "us");
/// assert_eq!(pool.acquire(())?.config()["region"], "eu");
/// assert!(pool.try_acquire(()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LimitPool {
    sets: Sets,
    balancing: LimitPoolBalancing,
    worker_index: usize,
    position: Position,
    picks: Picks,
}

enum Sets {
    One(LimitSet),
    Many(Arc<[LimitSet]>),
}

/// How often each set was picked.
enum Picks {
    One(AtomicU64),
    Many(Arc<[AtomicU64]>),
}

impl LimitPool {
    /// A pool of these sets that picks by [`LimitPoolBalancing::RoundRobin`] if the
    /// [configuration](concurry_core::config::LimitsConfig) names no other, of the worker with index 0.
    pub fn new(sets: impl IntoIterator<Item = LimitSet>) -> Self {
        let mut sets: Vec<_> = sets.into_iter().collect();
        let sets = match (sets.pop(), sets.is_empty()) {
            (Some(only), true) => Sets::One(only),
            (last, _) => Sets::Many(sets.into_iter().chain(last).collect()),
        };
        Self::of(sets, by_default(), 0)
    }

    fn of(sets: Sets, balancing: LimitPoolBalancing, worker_index: usize) -> Self {
        let picks = match &sets {
            Sets::One(_) => Picks::One(AtomicU64::new(0)),
            Sets::Many(sets) => Picks::Many(sets.iter().map(|_| AtomicU64::new(0)).collect()),
        };
        Self { sets, balancing, worker_index, position: Position::new(worker_index), picks }
    }

    /// Picks by `balancing`.
    pub fn load_balancing(mut self, balancing: LimitPoolBalancing) -> Self {
        self.balancing = balancing;
        self
    }

    /// Makes this the pool of the worker with this index: round robin starts there.
    pub fn with_worker_index(mut self, worker_index: usize) -> Self {
        self.worker_index = worker_index;
        self.position = Position::new(worker_index);
        self
    }

    /// A pool for the worker with this index: the same sets, but fresh ones for those that are private.
    pub fn for_worker(&self, worker_index: usize) -> Self {
        let own = |set: &LimitSet| if set.is_private() { set.fresh() } else { set.clone() };
        let sets = match &self.sets {
            Sets::One(set) => Sets::One(own(set)),
            Sets::Many(sets) if sets.iter().any(LimitSet::is_private) => {
                Sets::Many(sets.iter().map(own).collect())
            }
            Sets::Many(sets) => Sets::Many(Arc::clone(sets)),
        };
        Self::of(sets, self.balancing, worker_index)
    }

    /// Acquires in the set that is picked, on this thread.
    ///
    /// # Errors
    ///
    /// [`LimitError::EmptyPool`] without sets; and those of [`LimitSet::acquire`]. By earliest admission, sets that
    /// cannot serve the request are passed over, and it fails when none can.
    pub fn acquire(&self, request: impl Request) -> Result<LimitSetAcquisition, LimitError> {
        self.blocking(&request, Wait::Forever)
    }

    /// Like [`acquire`](Self::acquire), for at most `timeout`. With [`LimitPoolBalancing::EarliestAvailable`] it fails at once
    /// only when all sets are known to be too late; but the owner of sets in another process knows of its own alone, and
    /// those are waited in no longer when all of them are.
    ///
    /// # Errors
    ///
    /// Those of [`acquire`](Self::acquire) and [`LimitSet::acquire_timeout`].
    pub fn acquire_timeout(
        &self,
        request: impl Request,
        timeout: Duration,
    ) -> Result<LimitSetAcquisition, LimitError> {
        self.blocking(&request, Wait::For(timeout))
    }

    /// Acquires in the set that is picked if that is possible now.
    ///
    /// # Errors
    ///
    /// Those of [`acquire`](Self::acquire) and [`LimitSet::try_acquire`].
    pub fn try_acquire(&self, request: impl Request) -> Result<LimitSetAcquisition, LimitError> {
        self.blocking(&request, Wait::Never)
    }

    /// Acquires in the set that is picked, in async code. The errors are those of [`acquire`](Self::acquire).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing taken and wakes the next in line.
    pub fn acquire_async(&self, request: impl Request) -> Acquire {
        self.request(&request, Wait::Forever)
    }

    /// Like [`acquire_async`](Self::acquire_async), for at most `timeout` from now.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing taken and wakes the next in line.
    pub fn acquire_async_timeout(&self, request: impl Request, timeout: Duration) -> Acquire {
        self.request(&request, Wait::For(timeout))
    }

    /// The set that is to serve the next request, counted as picked; `None` when all are to be asked.
    fn pick(&self) -> Result<Option<usize>, LimitError> {
        let count = self.sets().len();
        let index = match (count, self.balancing) {
            (0, _) => return Err(LimitError::EmptyPool),
            (1, _) => 0,
            (_, LimitPoolBalancing::EarliestAvailable) => return Ok(None),
            (_, balancing) => self.position.pick(balancing, count),
        };
        self.picks()[index].fetch_add(1, Ordering::Relaxed);
        Ok(Some(index))
    }

    fn blocking(&self, request: &impl Request, wait: Wait) -> Result<LimitSetAcquisition, LimitError> {
        match self.pick()? {
            Some(index) => self[index].blocking(request, wait, index),
            None => self.earliest(request, wait).block(),
        }
    }

    fn request(&self, request: &impl Request, wait: Wait) -> Acquire {
        match self.pick() {
            Ok(Some(index)) => acquire_of(&self[index], index, request, wait),
            Ok(None) => self.earliest(request, wait),
            Err(error) => Acquire::failed(error),
        }
    }

    /// Asks all sets, each time another one first.
    fn earliest(&self, request: &impl Request, wait: Wait) -> Acquire {
        let sets = self.sets();
        let first = self.position.pick(self.balancing, sets.len());
        let sets = sets.iter().enumerate().cycle().skip(first).take(sets.len());
        let picks = match &self.picks {
            Picks::One(_) => None,
            Picks::Many(picks) => Some(Arc::clone(picks)),
        };
        acquire_earliest(sets, request, wait).counted(picks)
    }

    /// What the owner of one of these sets granted, unasked.
    #[doc(hidden)]
    pub fn adopt(&self, grant: &RemoteGrant) -> Option<LimitSetAcquisition> {
        let position = grant.set as usize;
        self.sets().get(position).map(|set| set.adopt(grant, position))
    }

    /// The sets.
    pub fn sets(&self) -> &[LimitSet] {
        match &self.sets {
            Sets::One(set) => std::slice::from_ref(set),
            Sets::Many(sets) => sets,
        }
    }

    /// How a set is picked for a request.
    pub fn balancing(&self) -> LimitPoolBalancing {
        self.balancing
    }

    /// Whether there are no sets, so that every request fails.
    pub fn is_empty(&self) -> bool {
        self.sets().is_empty()
    }

    /// The index of the worker that this pool belongs to.
    pub const fn worker_index(&self) -> usize {
        self.worker_index
    }

    /// What is picked how, and what is used in each set.
    pub fn stats(&self) -> LimitPoolStats {
        let sets = self
            .sets()
            .iter()
            .zip(self.picks())
            .map(|(set, picks)| PooledSetStats { picks: picks.load(Ordering::Relaxed), set: set.stats() });
        LimitPoolStats { balancing: self.balancing, worker_index: self.worker_index, sets: sets.collect() }
    }

    fn picks(&self) -> &[AtomicU64] {
        match &self.picks {
            Picks::One(picks) => std::slice::from_ref(picks),
            Picks::Many(picks) => picks,
        }
    }
}

impl Clone for LimitPool {
    fn clone(&self) -> Self {
        let sets = match &self.sets {
            Sets::One(set) => Sets::One(set.clone()),
            Sets::Many(sets) => Sets::Many(Arc::clone(sets)),
        };
        Self::of(sets, self.balancing, self.worker_index)
    }
}

impl Default for LimitPool {
    fn default() -> Self {
        Self::of(Sets::One(LimitSet::empty()), LimitPoolBalancing::default(), 0)
    }
}

impl Index<usize> for LimitPool {
    type Output = LimitSet;

    fn index(&self, index: usize) -> &LimitSet {
        &self.sets()[index]
    }
}

impl fmt::Debug for LimitPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitPool")
            .field("sets", &self.sets())
            .field("balancing", &self.balancing)
            .field("worker_index", &self.worker_index)
            .finish_non_exhaustive()
    }
}
