//! Everything that most programs use: `use concurry::prelude::*;`.

/// `options` of a worker whose struct lacks `#[worker]`, so that this is all that the compiler says of it.
#[doc(hidden)]
pub use crate::__private::Optioned as _;
pub use crate::{
    Admission, Attempt, AttemptEnd, AttemptVerdict, Call, CallError, CallLimit, Cancellation, Config,
    ConnectLimits, ExecutionMode, Explanation, Feedback, InitError, LimitError, LimitPool,
    LimitPoolBalancing, LimitSet, LimitSetAcquisition, LoadBalancing, Outcome, Overrun, Progress, RateLimit,
    RateLimitAlgorithm, ResourceLimit, RetriesExhausted, Retry, RetryAlgorithm, ReturnWhen, TaskWorker,
    WhenFull, Window, Workers, as_completed, gather, submit_all, task, wait, wait_async, with_config, worker,
};
pub use serde_json::json;
