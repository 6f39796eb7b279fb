//! Everything that most programs use: `use concurry::prelude::*;`.

pub use crate::{
    Attempt, AttemptEnd, AttemptVerdict, Call, CallError, CallLimit, ConnectLimits, ExecutionMode, Feedback,
    InitError, LimitError, LimitPool, LimitPoolBalancing, LimitSet, LimitSetAcquisition, Outcome, Overrun,
    Progress, RateLimit, RateLimitAlgorithm, ResourceLimit, RetriesExhausted, Retry, RetryAlgorithm,
    ReturnWhen, Window, Workers, as_completed, gather, submit_all, wait, wait_async, worker,
};
pub use serde_json::json;
