//! What the other crates of concurry share: execution modes, time, calls, and waiting for many calls.
//!
//! * [`mode`]: where a worker runs.
//! * [`clock`]: monotonic time as an argument, the one timer, and a clock for tests that is moved by hand.
//! * [`park`]: parking a thread until a [`Waker`](std::task::Waker) is woken; running a future on this thread.
//! * [`call`]: the cell between a caller and a worker, its two ends, and the errors of a call.
//! * [`retry`]: trying again: how often, and how long to wait in between.
//! * [`batch`]: `gather`, and progress.
//! * [`balancing`], [`when_full`]: what a pool does with calls, as far as it can be asked for.
//! * [`config`]: what an option is that nobody names.

pub mod algorithm;
pub mod balancing;
pub mod batch;
pub mod call;
pub mod clock;
pub mod config;
pub mod mode;
#[doc(hidden)]
pub mod modelled;
#[doc(hidden)]
pub mod panics;
pub mod park;
pub mod pool_balancing;
#[doc(hidden)]
pub mod prefetch;
pub mod retry;
#[doc(hidden)]
pub mod spin;
#[doc(hidden)]
pub mod sync;
#[doc(hidden)]
pub mod waits;
pub mod when_full;
