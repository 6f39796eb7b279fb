//! What tokio lets this thread do. It tells some of that by panicking alone, so it is asked in advance.

use concurry_core::panics::can;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

/// Runs `wait`, which blocks this thread; where that belongs to a runtime, others go on with what it was to run.
pub(crate) fn blocking<R>(wait: impl FnOnce() -> R) -> R {
    let has_others = Handle::try_current()
        .is_ok_and(|here| here.runtime_flavor() == RuntimeFlavor::MultiThread)
        // Not within a `LocalSet`, and not where a runtime of one thread runs and the handle of another one was entered.
        && can(|| block_in_place(|| ()));
    if has_others { block_in_place(wait) } else { wait() }
}

/// Whether nobody but this thread runs what is on that runtime: it has no others, and this one runs it just now. A blocking thread of
/// that runtime, or one that has entered it, does not.
pub(crate) fn is_run_by_this_thread(runtime: &Handle) -> bool {
    let is_here = || Handle::try_current().is_ok_and(|here| here.id() == runtime.id());
    runtime.runtime_flavor() == RuntimeFlavor::CurrentThread
        && is_here()
        && !can(|| runtime.block_on(std::future::ready(())))
}
