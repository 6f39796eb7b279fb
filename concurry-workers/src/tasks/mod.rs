//! Functions as tasks: closures and futures that are submitted to a pool of workers, without a struct of one's own.
//!
//! * `worker`: [`TaskWorker`], the worker that runs whatever it is given.
//! * `handle`: [`TaskWorkerHandle`]: submitting.
//! * `task`: one submitted closure or future, in one box with its promise.
//! * `map`: one closure for many items, in chunks.
//!
//! Named functions, which travel to other processes, are made tasks by `#[task]`: a worker with one method.

mod handle;
mod map;
mod task;
mod worker;

pub use handle::TaskWorkerHandle;
#[doc(hidden)]
pub use task::TaskCall;
pub use worker::TaskWorker;
