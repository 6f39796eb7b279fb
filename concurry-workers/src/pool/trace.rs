//! The span of a call.
//!
//! Its parent is the span of the caller, who submits the call: so it is made there. Without a subscriber that wants it, that
//! costs the look at a static that `tracing` keeps for each place.

use concurry_core::mode::ExecutionMode;
use tracing::{Level, Span, dispatcher};

/// What all spans of a pool say.
pub(crate) struct Names {
    pub(crate) pool: String,
    pub(crate) mode: ExecutionMode,
}

/// The span of an attempt, if it is wanted here.
macro_rules! call_span {
    ($names:expr, $method:expr, $attempt:expr, $($parent:tt)*) => {
        if tracing::span_enabled!(target: "concurry", Level::DEBUG) {
            tracing::span!(
                target: "concurry",
                $($parent)*
                Level::DEBUG,
                "call",
                worker = %$names.pool,
                method = $method(),
                mode = $names.mode.name(),
                attempt = $attempt,
                queued_us = tracing::field::Empty,
                limits_us = tracing::field::Empty,
                run_us = tracing::field::Empty,
                ended = tracing::field::Empty,
            )
        } else {
            Span::none()
        }
    };
}

impl Names {
    /// Whether somebody wants spans of calls, here.
    #[inline]
    pub(super) fn are_wanted() -> bool {
        tracing::span_enabled!(target: "concurry", Level::DEBUG)
    }

    /// The span of the first attempt at a call, whose caller this thread is.
    #[inline]
    pub(super) fn first(&self, method: impl Fn() -> &'static str) -> Span {
        call_span!(self, method, 1u32,)
    }

    /// The span of a later attempt, for the caller of the first and for whoever looks at the caller's span.
    pub(super) fn again(&self, method: impl Fn() -> &'static str, attempt: u32, caller: &Span) -> Span {
        let here = || call_span!(self, method, attempt, parent: caller,);
        let there = caller.with_subscriber(|(_, dispatch)| dispatcher::with_default(dispatch, here));
        there.unwrap_or_else(here)
    }
}

/// The caller's span, to be the parent of later attempts; none when nobody wants spans of calls.
pub(crate) fn caller() -> Span {
    if Names::are_wanted() { Span::current() } else { Span::none() }
}
