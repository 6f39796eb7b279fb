//! Everything that most programs use: `use concurry::prelude::*;`.

pub use crate::{
    Call, CallError, CallLimit, ConnectLimits, ExecutionMode, Feedback, InitError, LimitError, LimitPool,
    LimitPoolBalancing, LimitSet, LimitSetAcquisition, Outcome, Overrun, Progress, RateLimit,
    RateLimitAlgorithm, ResourceLimit, ReturnWhen, Window, Workers, as_completed, gather, submit_all, wait,
    wait_async, worker,
    Attempt, AttemptEnd, AttemptVerdict, Call, CallError, CallLimit, ConnectLimits, ExecutionMode, Feedback,
    InitError, LimitError, LimitPool, LimitPoolBalancing, LimitSet, LimitSetAcquisition, Outcome, Overrun,
    Progress, RateLimit, RateLimitAlgorithm, ResourceLimit, RetriesExhausted, Retry, RetryAlgorithm, Window,
    Workers, gather, worker,
};
pub use serde_json::json;
