//! One promise in every mode: each behaviour is one body that is run in all of them.
//!
//! A file a chapter of the specification. Time stands on a manual clock; nothing here sleeps to see a decision. Workers of
//! all modes wait for each other on limits, since those work across processes too.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::many_single_char_names,
    clippy::similar_names,
    reason = "a test is its own documentation, and may fail; workers are private to it"
)]

mod admission;
mod ahead;
mod batches;
mod calls;
mod cancelling_hard;
mod constructors;
mod crossed;
mod drops;
mod ending;
mod explaining;
mod forks;
mod from_within;
mod leaving;
mod limits;
mod on_tokio;
mod panicking_limits;
mod panics;
mod pools;
mod process;
mod process_options;
mod queueing;
mod recycling;
mod retries;
mod staffing;
mod standing_in;
mod stats;
mod tasks;
mod waiters;
mod warnings;
mod workers;

use concurry::prelude::*;

/// The modes that a worker of this version can run in.
pub const MODES: [ExecutionMode; 4] =
    [ExecutionMode::Sync, ExecutionMode::Thread, ExecutionMode::Async, ExecutionMode::Process];

/// Makes tests of bodies, one for each of these modes.
macro_rules! tests_in {
    (@one [$($test:ident: $variant:ident),*] $(#[$attribute:meta])* $name:ident($mode:ident) $body:block) => {
        $(#[$attribute])* mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn body($mode: ExecutionMode) $body

            $(#[test]
            fn $test() { body(ExecutionMode::$variant); })*
        }
    };
    ($modes:tt $($(#[$attribute:meta])* fn $name:ident($mode:ident: ExecutionMode) $body:block)*) => {
        $($crate::tests_in! { @one $modes $(#[$attribute])* $name($mode) $body })*
    };
}

/// Makes four tests of one body, one a mode.
macro_rules! every_mode {
    ($($body:tt)*) => {
        $crate::tests_in! { [sync: Sync, thread: Thread, in_async: Async, process: Process] $($body)* }
    };
}

/// As `every_mode`, without sync mode, where the caller itself runs the method and nothing goes on in the background.
macro_rules! every_mode_in_background {
    ($($body:tt)*) => {
        $crate::tests_in! { [thread: Thread, in_async: Async, process: Process] $($body)* }
    };
}

/// As `every_mode`, without process mode, to which a closure cannot travel.
macro_rules! every_mode_of_closures {
    ($($body:tt)*) => {
        $crate::tests_in! { [sync: Sync, thread: Thread, in_async: Async] $($body)* }
    };
}

pub(crate) use {every_mode, every_mode_in_background, every_mode_of_closures, tests_in};

/// Waits for `condition` without a bound of its own: a test that never gets there is ended by its runner, and the machine's
/// speed decides nothing.
pub fn eventually(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

/// Drives a future on an executor of its own.
pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// A set with one resource `gate`: a worker that acquires it waits until the test lets it through.
pub fn gate() -> LimitSet {
    LimitSet::builder().limit(ResourceLimit::new("gate", 1)).build().unwrap()
}
