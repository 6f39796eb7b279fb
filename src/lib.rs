//! **New here? Begin with [Getting started](guide::getting_started)**, from the first worker to many accounts.
//!
#![doc = include_str!("../README.md")]
//!
//! # Where things are
//!
//! * [`prelude`]: what most programs use.
//! * [`worker`](macro@worker): the attribute; [`WorkerOptions`]: starting a pool; [`PoolHandle`]: what every handle can do;
//!   [`PoolStats`]: what a pool does and has done.
//! * [`ProcessOptions`]: the environment, niceness, processors and output of worker processes; [`Call::cancel_hard`]: ending one.
//! * [`task`](macro@task): functions that run elsewhere; [`TaskWorker`]: closures and futures as tasks; `map`: one closure for many items.
//! * [`Call`], [`CallError`]: results; [`Explanation`]: why a call waits. [`gather`], [`as_completed`], [`wait`](fn@wait), [`submit_all`]: many at once.
//! * [`Retry`]: calls that are tried again; [`RetriesExhausted`]: what became of each attempt.
//! * [`LimitSet`], [`LimitPool`], [`RateLimit`], [`CallLimit`], [`ResourceLimit`]: limits.
//! * [`KeyedLimits`]: a limit a tenant. [`Limit`]: limits of your own, with [`typetag`].
//! * [`Config`]: what an option is that is not named, from a file, the environment or the program.
//! * [`guide`]: how to begin, and how to choose.
//! * [`clock`]: time, and the clock for tests that is moved by hand.

pub mod guide;
pub mod prelude;

pub use concurry_core::batch::{
    AsCompleted, Gather, GatherError, GatherResults, Gatherable, Progress, ProgressUpdate, ReturnWhen,
    SubmitAll, Unordered, as_completed, gather, submit_all, wait, wait_async,
};
pub use concurry_core::call::{
    AttemptEnd, AttemptVerdict, Call, CallError, Cancellation, Explanation, FailedAttempt, HeldBy,
    NotAdmitted, NotSent, Outcome, Panicked, Rejected, RejectedResult, RetriesExhausted, WorkerDied,
};
pub use concurry_core::clock;
pub use concurry_core::config::{
    self, Config, ConfigError, GlobalConfig, LimitsConfig, PoolConfig, ProgressConfig, RestartLimit,
    with_config,
};
pub use concurry_core::mode::{ExecutionMode, UnknownMode};
pub use concurry_core::retry::{Attempt, InvalidRetry, Retry, RetryAlgorithm, RetryOverrides};
pub use concurry_limits::{
    Acquire, Admission, CallLimit, Feedback, FeedbackError, FeedbackHeaders, IntoLimits, KeyedLimitStats,
    KeyedLimits, KeyedLimitsBuilder, KeyedLimitsStats, Limit, LimitError, LimitPool, LimitPoolBalancing,
    LimitPoolStats, LimitSet, LimitSetAcquisition, LimitSetBuilder, LimitSetError, LimitSetStats, LimitState,
    LimitStats, Overrun, PackedState, ParseAlgorithmError, ParseBalancingError, ParseWindowError,
    PooledSetStats, PreparedAcquisition, PreparedRequest, RateLimit, RateLimitAlgorithm, Request,
    ResourceLimit, Until, UsageRule, Verdict, Window, assert_limit_conforms,
};
pub use concurry_macros::{task, worker};
pub use concurry_workers::limit_server::{ConnectLimits, LimitAddress, LimitServer};
pub use concurry_workers::options::{WorkerOptions, Workers};
pub use concurry_workers::pool::{
    LoadBalancing, PoolHandle, PoolStats, Times, UnknownLoadBalancing, WhenFull, WorkerStates,
};
pub use concurry_workers::process::hook::run_worker_if_child;
pub use concurry_workers::process::{ProcessOptions, Transport, UnknownTransport};
pub use concurry_workers::tasks::{TaskWorker, TaskWorkerHandle};
pub use concurry_workers::{BoxError, InitError};

/// For the limits of users: `use concurry::typetag;`, and `#[typetag::serde]` on an `impl Limit for …`.
pub use typetag;

/// What `#[worker]` emits refers to; no part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use concurry_core::call::Awaited;
    pub use concurry_core::call::{CallError, NotSent, Promise, channel};
    pub use concurry_core::panics::{catch, discard};
    pub use concurry_core::retry::{RetryAlgorithm, RetryOverrides};
    pub use concurry_limits::IntoLimits;
    pub use concurry_workers::admission::{Admission, admitted, asking};
    pub use concurry_workers::attempt::{Ran, block, block_admitted, cancellation, run, run_admitted};
    pub use concurry_workers::construct::constructing;
    pub use concurry_workers::probe::{
        Clones, Dull, IntoJob, NeverAsync, NeverCloned, NeverSync, NoJob, Probe, SendableFuture, Shows,
        Started, StartsAsync, StartsSync, Stays, Travel, Travels, UnsendableFuture, future_of, no_answer,
        no_method, wrong_kind,
    };
    pub use concurry_workers::process::registry::Registration;
    pub use concurry_workers::process::{
        Answer, Answered, Encoded, Finished, IoAnswers, NoAnswers, PlainAnswers, ResultAnswers, TravelsAsIo,
        not_decoded,
    };
    pub use concurry_workers::refusal::{NeverRejects, Rejection, Rejects, refuse};
    pub use concurry_workers::retry::{
        Attempts, MethodRetry, NoAttempts, Predicates, Recipe, SubmitsAttempts, ask, ask_one, ask_two,
    };
    pub use concurry_workers::returned::{Fails, Kind, NoResult, Returned, ValueAnswers};
    pub use concurry_workers::runtime::{Start, block_on};
    pub use concurry_workers::worker::{
        Access, ExclusiveGuard, Handle, Job, Message, Optioned, SharedGuard, Worker,
    };
    pub use concurry_workers::{BoxError, submit};
}
