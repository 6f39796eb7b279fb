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
mod batches;
mod calls;
mod constructors;
mod drops;
mod from_within;
mod limits;
mod panics;
mod pools;
mod process;
mod queueing;
mod retries;
mod staffing;
mod tasks;
mod warnings;
mod workers;

use concurry::prelude::*;

/// The modes that a worker of this version can run in.
pub const MODES: [ExecutionMode; 4] =
    [ExecutionMode::Sync, ExecutionMode::Thread, ExecutionMode::Async, ExecutionMode::Process];

/// Makes four tests of one body, one a mode. `in_background` leaves sync mode out, where the caller itself runs the method.
macro_rules! every_mode {
    ($($(#[$attribute:meta])* fn $name:ident($mode:ident: ExecutionMode) $body:block)*) => {
        $($(#[$attribute])* mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn body($mode: ExecutionMode) $body

            #[test]
            fn sync() { body(ExecutionMode::Sync); }
            #[test]
            fn thread() { body(ExecutionMode::Thread); }
            #[test]
            fn in_async() { body(ExecutionMode::Async); }
            #[test]
            fn process() { body(ExecutionMode::Process); }
        })*
    };
}

/// As `every_mode`, without sync mode, where the caller itself runs the method and nothing goes on in the background.
macro_rules! every_mode_in_background {
    ($($(#[$attribute:meta])* fn $name:ident($mode:ident: ExecutionMode) $body:block)*) => {
        $($(#[$attribute])* mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn body($mode: ExecutionMode) $body

            #[test]
            fn thread() { body(ExecutionMode::Thread); }
            #[test]
            fn in_async() { body(ExecutionMode::Async); }
            #[test]
            fn process() { body(ExecutionMode::Process); }
        })*
    };
}

pub(crate) use {every_mode, every_mode_in_background};

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
