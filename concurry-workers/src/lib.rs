//! Worker pools: the same `#[worker]` in the caller, in threads, on tokio and in processes.
//!
//! The way of a call: a handle builds one message → the pool's [`pool`] queue, where it waits → an idle worker of the
//! mode's [`runtime`] takes the oldest → [`attempt`] runs it, catching panics, and answers its promise. In process mode
//! the runtime is a pair: a driver here and the same loop in a child, with frames between them ([`process`]).
//!
//! * [`worker`]: what `#[worker]` implements.
//! * [`options`]: `Worker::options(…)` and its `init`.
//! * [`admission`]: the limits that a call needs before it is run.
//! * [`attempt`]: one run of one call.
//! * [`construct`]: one run of a constructor, with the limits that it sees.
//! * [`probe`]: what a worker's types can do (travel, be sent), found out by method resolution.
//! * [`pool`]: queue, handle, statistics.
//! * [`refusal`]: calls that are answered without being run.
//! * [`returned`]: whether a method returns a `Result`.
//! * [`retry`]: calls that are tried again.
//! * [`runtime`]: a file a mode.
//! * [`tasks`]: closures and futures as tasks.
//! * [`limit_server`]: limits that are shared with other programs.
//! * `metered`: the numbers of a pool for other systems (feature `metrics`).
//! * [`process`]: child processes: frames, transport, both ends, limits over frames.

pub mod admission;
pub mod attempt;
pub mod construct;
mod error;
#[cfg(all(any(fuzzing, test), target_os = "linux"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod limit_server;
#[cfg(feature = "metrics")]
pub(crate) mod metered;
pub mod options;
pub mod pool;
pub mod probe;
pub mod process;
pub mod refusal;
pub mod retry;
pub mod returned;
pub mod runtime;
pub mod tasks;
pub mod worker;

pub use error::{BoxError, InitError};
#[doc(hidden)]
pub use inventory::submit;
