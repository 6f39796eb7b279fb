//! Which failures are worth another attempt, and when.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::LlmError;

/// How often each region has refused, in the whole run. A call that succeeds in the end does not tell of its refusals; what
/// judges them sees each, and runs in the program itself, whatever the mode.
static REFUSED: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

/// `on`: whether another attempt may do better. What the server says of the request itself stays as it is.
pub(super) fn may_pass(error: &LlmError) -> bool {
    match error {
        LlmError::RateLimited { region, .. } => {
            let mut refused = REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
            *refused.entry(region.clone()).or_default() += 1;
            true
        }
        LlmError::Status { status, .. } => *status >= 500,
        LlmError::Unreachable { .. } => true,
        LlmError::Limit(_) | LlmError::Unreadable { .. } | LlmError::Client(_) => false,
    }
}

/// `after`: the wait that a refusal asks for.
pub(super) fn asked_wait(error: &LlmError) -> Option<Duration> {
    match error {
        LlmError::RateLimited { retry_after, .. } => *retry_after,
        _ => None,
    }
}

/// How often a region has refused calls that may be tried again.
pub(crate) fn refused(region: &str) -> usize {
    REFUSED.lock().unwrap_or_else(PoisonError::into_inner).get(region).copied().unwrap_or_default()
}
