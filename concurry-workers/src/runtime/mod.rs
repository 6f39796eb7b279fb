//! A runtime a mode: where the workers live and how a call reaches them.
//!
//! * `sync`: in the caller.
//! * `thread`: a thread a worker.
//! * `pace`: how soon such a thread looks for calls again.
//! * `tokio`: a task a worker.
//! * `lending`: the worker of such a task, on loan to its methods.
//! * `process`: a child process a worker, with an owner thread here.
//! * `shared`: what the modes with a queue have in common.
//! * `rebuilding`: workers that are made anew.
//! * `own`: the tokio runtime that concurry starts when there is none to use.
//! * `here`: what tokio lets a thread do.

pub(crate) mod here;
mod lending;
mod own;
mod pace;
mod process;
mod rebuilding;
mod running;
mod shared;
mod sync;
mod thread;
mod tokio;

use std::sync::Arc;
use std::time::Duration;

use concurry_core::call::CallError;
use concurry_core::mode::ExecutionMode;
use concurry_limits::LimitPool;

use crate::attempt::Ran;
use crate::error::InitError;
use crate::pool::{PoolStats, Queue, Route};
use crate::process::Settings;
use crate::worker::Worker;

pub use own::block_on;
pub(crate) use rebuilding::Restarts;
pub(crate) use shared::{Shared, restart};
pub(crate) use sync::start as start_sync;
pub(crate) use tokio::start as start_async;

/// What `init` was asked for, checked.
pub struct Setup<W: Worker> {
    pub(crate) mode: ExecutionMode,
    pub(crate) limits: LimitPool,
    pub(crate) workers: usize,
    pub(crate) queue: Arc<Queue<W::Message>>,
    pub(crate) name: String,
    pub(crate) restarts: Restarts,
    pub(crate) args: W::Args,
    /// Of mode process.
    pub(crate) processes: Settings,
}

/// Starts a runtime.
pub type Start<W> = fn(Setup<W>) -> Result<Arc<dyn Runtime<W>>, InitError>;

/// What became of a method that was to be run in its caller.
pub enum Here {
    /// It has run.
    Ran,
    /// It has not: it is to be submitted, as a message.
    AsMessage,
    /// It has not, and will not.
    Refused(CallError),
}

/// The workers of one pool, in whatever mode.
pub trait Runtime<W: Worker>: Send + Sync {
    /// Takes a call, or gives it back when the pool takes no more. One with an age may come back, or be withdrawn.
    ///
    /// # Errors
    ///
    /// The message, to be refused.
    fn submit(&self, route: Route, message: W::Message) -> Result<(), W::Message>;
    /// Runs a method here and now, which needs nothing but the worker, if that is how the pool runs its calls.
    fn run_here(&self, method: &mut dyn FnMut(&mut W) -> Ran) -> Here {
        let _ = method;
        Here::AsMessage
    }
    /// Why calls are refused.
    fn refusal(&self) -> CallError;
    /// Takes no more calls; those that wait are still run.
    fn close(&self);
    /// Takes no more calls, and gives back those that wait.
    fn stop(&self) -> Vec<W::Message>;
    /// Whether this thread may wait for the pool: not if nothing goes on there meanwhile.
    fn may_be_waited_for(&self) -> bool {
        true
    }
    /// Blocks until no call waits or runs, for `deadline` at most.
    fn wait_until_empty(&self, deadline: Duration) -> bool;
    /// Blocks until every worker of a pool that takes no more calls has ended.
    fn wait_until_ended(&self);
    /// Has so many workers from now on, 1 or more.
    ///
    /// # Errors
    ///
    /// When one could not be made; there are as many as before then.
    fn resize(&self, workers: usize) -> Result<(), InitError>;
    /// What it does right now.
    fn stats(&self) -> PoolStats;
}

/// Starts the runtime of the mode that was asked for.
pub(crate) fn start<W: Worker>(setup: Setup<W>) -> Result<Arc<dyn Runtime<W>>, InitError> {
    let worker = std::any::type_name::<W>();
    let mode = setup.mode;
    let not_shareable = |what: &str| InitError::NotShareable { worker, mode, what: what.to_owned() };
    match mode {
        ExecutionMode::Sync => {
            let start = W::sync_start().ok_or_else(|| not_shareable("the worker is not Send"))?;
            start(setup)
        }
        ExecutionMode::Thread => thread::start(setup),
        ExecutionMode::Async => {
            let start = W::async_start().ok_or_else(|| not_shareable("the worker is not Send and Sync"))?;
            let unsendable = W::unsendable_futures();
            if !unsendable.is_empty() {
                let methods = unsendable.join("`, `");
                return Err(not_shareable(&format!("the future of `{methods}` is not Send")));
            }
            start(setup)
        }
        ExecutionMode::Process => {
            let what = W::unable_to_travel();
            if !what.is_empty() {
                return Err(InitError::CannotTravel { worker, mode, what: what.join(", ") });
            }
            process::start(setup)
        }
        _ => Err(InitError::Unsupported {
            mode,
            reason: "this version has no Ray runtime; use process mode on one machine",
        }),
    }
}
