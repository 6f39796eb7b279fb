//! Submitting tasks.

use std::convert::Infallible;
use std::future::Future;
use std::ops::Deref;

use concurry_core::call::{Call, Promise};
use concurry_limits::LimitPool;

use super::map;
use super::task::{Async, Closure, Task};
use super::{TaskCall, TaskWorker};
use crate::pool::PoolHandle;

/// A pool of [`TaskWorker`]s. Clones are the same pool; see [`PoolHandle`], to which it derefs, for stopping, draining and
/// statistics.
///
/// # Examples
///
/// ```
/// use concurry_core::mode::ExecutionMode;
/// use concurry_workers::tasks::{TaskWorker, TaskWorkerHandle};
///
/// fn count(tasks: &TaskWorkerHandle, texts: Vec<String>) -> usize {
///     tasks.map(texts, |text| text.split_whitespace().count()).result().unwrap().iter().sum()
/// }
///
/// # fn main() -> Result<(), concurry_workers::InitError> {
/// let tasks = TaskWorker::options(ExecutionMode::Thread, (), 2).init()?;
/// assert_eq!(count(&tasks, vec!["one two".to_owned(), "three".to_owned()]), 3);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct TaskWorkerHandle {
    pool: PoolHandle<TaskWorker>,
}

impl From<PoolHandle<TaskWorker>> for TaskWorkerHandle {
    fn from(pool: PoolHandle<TaskWorker>) -> Self {
        Self { pool }
    }
}

impl Deref for TaskWorkerHandle {
    type Target = PoolHandle<TaskWorker>;

    fn deref(&self) -> &PoolHandle<TaskWorker> {
        &self.pool
    }
}

impl TaskWorkerHandle {
    /// Submits a closure. A panic in it is [`CallError::Panicked`](concurry_core::call::CallError::Panicked) of its call.
    ///
    /// What it returns is the call's value, also a `Result`.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::mode::ExecutionMode;
    /// use concurry_workers::tasks::TaskWorker;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tasks = TaskWorker::options(ExecutionMode::Thread, (), 1).init()?;
    /// let call = tasks.submit(|| "17".parse::<u32>());
    /// assert_eq!(call.result()?, Ok(17));
    /// # Ok(()) }
    /// ```
    pub fn submit<T, F>(&self, task: F) -> Call<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.submit_with_limits(|_| task())
    }

    /// Submits a closure that is given its worker's limits: those of [`TaskWorker::options`], in the worker's own order.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::mode::ExecutionMode;
    /// use concurry_limits::{LimitSet, ResourceLimit};
    /// use concurry_workers::tasks::TaskWorker;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let disk = LimitSet::builder().limit(ResourceLimit::new("disk", 1)).build()?;
    /// let tasks = TaskWorker::options(ExecutionMode::Thread, disk, 4).init()?;
    /// let call = tasks.submit_with_limits(|limits| limits.acquire(()).is_ok());
    /// assert!(call.result()?);
    /// # Ok(()) }
    /// ```
    pub fn submit_with_limits<T, F>(&self, task: F) -> Call<T>
    where
        T: Send + 'static,
        F: FnOnce(&LimitPool) -> T + Send + 'static,
    {
        match self.pool.run_here(0, task, |worker, task| Ok(task(&worker.limits))) {
            Ok(call) => call,
            Err(task) => self.submit_task(|promise| Box::new(Closure { promise, body: task })),
        }
    }

    /// Submits a future: in mode async a task side by side with others, in the other modes run on its worker, to its end or until its call is
    /// cancelled.
    ///
    /// A future that needs limits captures its `LimitSet`.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::mode::ExecutionMode;
    /// use concurry_workers::tasks::TaskWorker;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tasks = TaskWorker::options(ExecutionMode::Async, (), 1).init()?;
    /// let (first, second) = (tasks.submit_async(async { 3 }), tasks.submit_async(async { 4 }));
    /// assert_eq!(first.result()? + second.result()?, 7);
    /// # Ok(()) }
    /// ```
    pub fn submit_async<T, F>(&self, task: F) -> Call<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.submit_task(|promise| Box::new(Async { promise, body: task }))
    }

    /// Runs `f` on every item, in chunks on the workers, and gives the results in the order of the items.
    ///
    /// A range of numbers is put down whole, and this returns at once, but in mode sync. Items of another iterator, and those of a range
    /// where [`max_queued_calls`](crate::options::WorkerOptions::max_queued_calls) bounds the queue, are taken here, one after the
    /// other, while the workers are at work on the first of them; this returns when the iterator has ended, which must not itself
    /// wait for results. A worker takes a share of what is left, so that items of any cost keep all of them busy.
    /// [`stop`](PoolHandle::stop), a cancellation and a panic of `f`, which names the number of its item, end the call
    /// when the chunks that run have ended. In statistics, each time that a worker turns to a map counts as a call.
    ///
    /// # Panics
    ///
    /// When the iterator does; the workers then stop.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::mode::ExecutionMode;
    /// use concurry_workers::tasks::TaskWorker;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tasks = TaskWorker::options(ExecutionMode::Thread, (), 4).init()?;
    /// let squares = tasks.map(0..1_000_000u64, |x| x * x).result()?;
    /// assert_eq!(squares[1_000], 1_000_000);
    /// # Ok(()) }
    /// ```
    pub fn map<I, U, F>(&self, items: I, f: F) -> Call<Vec<U>>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        U: Send + 'static,
        F: Fn(I::Item) -> U + Send + Sync + 'static,
    {
        map::map(&self.pool, items.into_iter(), f)
    }

    fn submit_task<T: 'static>(&self, task: impl FnOnce(Promise<T, Infallible>) -> Box<dyn Task>) -> Call<T> {
        let (promise, call) = self.pool.channel();
        self.pool.submit(TaskCall(task(promise)));
        call
    }
}
