//! What every typed handle wraps.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Weak};
use std::time::Duration;

use concurry_core::call::{Call, CallError, Origin, Promise, channel_of};
use concurry_core::mode::ExecutionMode;
use concurry_core::panics;
use concurry_core::retry::Retry;

use super::serving::serves;
use super::{PoolStats, Queue, Route};
use crate::attempt::{Ran, refuse};
use crate::error::InitError;
use crate::options::{MOST_AT_ONCE, too_many};
use crate::retry::{self, Recipe, Rules};
use crate::runtime::{Here, Runtime};
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
    /// What the calls through this handle have in common, if they are to go to one worker.
    affinity: Option<u64>,
}

/// The last one out closes the queue.
struct Owner<W: Worker> {
    runtime: Arc<dyn Runtime<W>>,
    queue: Box<dyn HasQueue<W>>,
    rules: Rules,
    is_sync: bool,
    /// What the pool's calls find it by.
    origin: Origin,
}

/// Keeps the type of messages out of the handle's own: a message may hold a handle of this very pool, and the compiler would
/// go round in a circle when it asks whether that can be sent.
trait HasQueue<W: Worker>: Send + Sync {
    fn queue(&self) -> &Arc<Queue<W::Message>>;
}

impl<W: Worker> HasQueue<W> for Arc<Queue<W::Message>> {
    fn queue(&self) -> &Arc<Queue<W::Message>> {
        self
    }
}

impl<W: Worker> Drop for Owner<W> {
    fn drop(&mut self) {
        self.runtime.close();
    }
}

impl<W: Worker> PoolHandle<W> {
    pub(crate) fn new(runtime: Arc<dyn Runtime<W>>, queue: Arc<Queue<W::Message>>, rules: Rules) -> Self {
        let (origin, is_sync) = (queue.origin(), queue.mode() == ExecutionMode::Sync);
        let queue = Box::new(queue);
        Self { owner: Arc::new(Owner { runtime, queue, rules, is_sync, origin }), affinity: None }
    }

    /// Makes the two ends of a call of this pool.
    #[doc(hidden)]
    pub fn channel<T: 'static, E: 'static>(&self) -> (Promise<T, E>, Call<T, E>) {
        channel_of(self.owner.origin)
    }

    /// A call of a method that needs nothing but its worker and `args`, if that can be run here and now: in mode sync, and if it
    /// is not to be tried again. Otherwise the arguments come back, and are submitted as a message.
    ///
    /// # Errors
    ///
    /// The arguments.
    #[doc(hidden)]
    #[inline]
    pub fn run_here<A, T, E>(
        &self,
        method: u16,
        args: A,
        run: impl FnOnce(&mut W, A) -> Result<T, E>,
    ) -> Result<Call<T, E>, A> {
        if !self.owner.is_sync || self.is_retried(method) {
            return Err(args);
        }
        let (mut given, mut outcome) = (Some((args, run)), None);
        let here = self.owner.runtime.run_here(&mut |worker| {
            let Some((args, run)) = given.take() else { return Ran::Failed };
            match panics::catch(|| run(worker, args)) {
                Ok(result) => {
                    let ran = Ran::of(&result);
                    outcome = Some(result.map_err(CallError::Failed));
                    ran
                }
                Err(panic) => {
                    outcome = Some(Err(CallError::Panicked(panic)));
                    Ran::Panicked
                }
            }
        });
        match (here, given) {
            (Here::AsMessage, Some((args, _))) => Err(args),
            (Here::Refused(error), given) => {
                panics::discard(given.map(|(args, _)| args));
                Ok(Call::ended(Err(error.widen())))
            }
            _ => Ok(Call::ended(outcome.unwrap_or_else(|| Err(CallError::Stopped)))),
        }
    }

    fn is_retried(&self, method: u16) -> bool {
        self.owner.rules.get(usize::from(method)).is_some_and(Option::is_some)
    }

    /// Submits a call; a pool that is stopped answers it at once.
    #[doc(hidden)]
    pub fn submit(&self, message: W::Message) {
        self.submit_aged(None, message);
    }

    /// Submits a call that waits for its limits; when it is cancelled, it leaves their queue at once.
    #[doc(hidden)]
    pub fn submit_limited<T: 'static, E: 'static>(&self, message: W::Message, call: &Call<T, E>) {
        let queue = self.owner.queue.queue();
        let age = queue.new_age();
        let weak = Arc::downgrade(queue);
        call.on_done(move |outcome| {
            if let (Err(CallError::Cancelled), Some(queue)) = (outcome, weak.upgrade()) {
                queue.withdraw(age);
            }
        });
        self.submit_aged(Some(age), message);
    }

    /// The same pool, whose calls through this handle all go to one worker: that of this key, as long as the workers stay
    /// the same. For state that a worker keeps, such as a cache or a connection.
    ///
    /// ```
    /// use concurry_workers::pool::PoolHandle;
    /// use concurry_workers::worker::Worker;
    ///
    /// fn of_one_user<W: Worker>(pool: &PoolHandle<W>, user: &str) -> W::Handle {
    ///     pool.affinity(user)
    /// }
    /// ```
    pub fn affinity(&self, key: impl Hash) -> W::Handle {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        Self { owner: Arc::clone(&self.owner), affinity: Some(hasher.finish()) }.into()
    }

    /// The retry of a method, by its number; none when it is tried once.
    #[doc(hidden)]
    pub fn retry(&self, method: u16) -> Option<Retry> {
        self.owner.rules.get(usize::from(method)).copied().flatten()
    }

    /// Submits a call that is tried again.
    pub(crate) fn submit_retried<A, T, E>(
        &self,
        retry: Retry,
        ends: (Promise<T, E>, &Call<T, E>),
        args: A,
        recipe: Recipe<W::Message, A, T, E>,
    ) where
        A: Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let submit = |age, message| self.submit_aged(Some(age), message);
        retry::submit(self.owner.queue.queue(), (retry, self.affinity), ends, args, recipe, submit);
    }

    /// The queue, for what is run in pieces and looks between them whether the pool goes on.
    pub(crate) fn weak_queue(&self) -> Weak<Queue<W::Message>> {
        Arc::downgrade(self.owner.queue.queue())
    }

    fn submit_aged(&self, age: Option<u64>, message: W::Message) {
        let route = Route { age, affinity: self.affinity };
        if let Err(message) = self.owner.runtime.submit(route, message) {
            refuse::<W>(message, self.owner.runtime.refusal());
        }
    }

    /// Whether the pool cannot go on while this thread waits: that runs a method or a callback of this very pool, or alone runs its
    /// tasks.
    fn needs_this_thread(&self) -> bool {
        serves(self.owner.queue.queue().number()) || !self.owner.runtime.may_be_waited_for()
    }

    /// Answers the calls that wait; the workers end after what they run.
    fn end(&self) {
        for message in self.owner.runtime.stop() {
            refuse::<W>(message, CallError::Stopped);
        }
    }

    /// Lets the calls that run finish, answers those that wait with [`CallError::Stopped`], ends the workers, and returns
    /// when they have ended. Later calls are answered with [`CallError::Stopped`].
    ///
    /// Blocks this thread. From within the pool (one of its methods, or a callback on one of its threads) it does not
    /// wait: the workers end after the call that it belongs to. Nor does it in mode async on the only thread of the runtime that the
    /// pool is on: the workers end when that awaits next.
    pub fn stop(&self) {
        self.end();
        if !self.needs_this_thread() {
            self.owner.runtime.wait_until_ended();
        }
    }

    /// Lets nothing more in, waits until every call that was submitted is done, for `deadline` at most, and then stops.
    /// Says whether all were done in time; what was not is answered with [`CallError::Stopped`].
    ///
    /// Blocks this thread. From within the pool (one of its methods, or a callback on one of its threads) it lets nothing
    /// more in and returns false at once, since its own call is not done; what was submitted is still run, and the
    /// workers end after it. The same holds in mode async on the only thread of the runtime that the pool is on, which runs the calls
    /// itself when it awaits next: await those, or drain on one of its blocking threads.
    pub fn drain(&self, deadline: Duration) -> bool {
        self.owner.runtime.close();
        if self.needs_this_thread() {
            return false;
        }
        let drained = self.owner.runtime.wait_until_empty(deadline);
        self.end();
        if drained {
            self.owner.runtime.wait_until_ended();
        }
        drained
    }

    /// Has so many workers from now on. New ones are made here, and this returns when they are ready; those that are too many
    /// end after the call that they run. With [`on_demand`](crate::options::WorkerOptions::on_demand) it is the most that
    /// there may be, and for calls that wait more are made at once, in the background.
    ///
    /// # Errors
    ///
    /// [`InitError`] for 0 workers or more than 65536 (with `on_demand` there is no such bound), in mode sync for any number but
    /// 1, for a pool that is stopped, and when a worker could not be made; there are as many as before then.
    pub fn resize(&self, workers: usize) -> Result<(), InitError> {
        if workers == 0 {
            return Err(InitError::InvalidOption {
                option: "workers",
                value: "0".to_owned(),
                expected: "a pool needs at least one worker",
            });
        }
        let queue = self.owner.queue.queue();
        if workers > MOST_AT_ONCE && !queue.hires() {
            return Err(too_many("workers", workers));
        }
        if queue.is_stopped() {
            return Err(InitError::InvalidOption {
                option: "workers",
                value: workers.to_string(),
                expected: "the pool is stopped, or has given up, and gets no new ones",
            });
        }
        self.owner.runtime.resize(workers)
    }

    /// What the pool does right now, and what it has done.
    pub fn stats(&self) -> PoolStats {
        self.owner.runtime.stats()
    }

    /// How many workers there are at most: more may come when calls come.
    pub(crate) fn most_workers(&self) -> usize {
        self.owner.queue.queue().most_workers()
    }

    /// Whether its queue may be full.
    pub(crate) fn is_bounded(&self) -> bool {
        self.owner.queue.queue().is_bounded()
    }

    /// How many workers are there.
    pub fn workers(&self) -> usize {
        self.owner.queue.queue().counts().workers
    }
}

impl<W: Worker> Clone for PoolHandle<W> {
    fn clone(&self) -> Self {
        Self { owner: Arc::clone(&self.owner), affinity: self.affinity }
    }
}

impl<W: Worker> fmt::Debug for PoolHandle<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolHandle").field("stats", &self.stats()).finish()
    }
}
