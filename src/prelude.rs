//! Everything that most programs use: `use concurry::prelude::*;`.

pub use crate::{
    Call, CallError, CallLimit, ConnectLimits, ExecutionMode, Feedback, InitError, LimitError, LimitPool,
    LimitPoolBalancing, LimitSet, LimitSetAcquisition, Outcome, Overrun, Progress, RateLimit,
    RateLimitAlgorithm, ResourceLimit, Window, Workers, gather, worker,
};
pub use serde_json::json;
