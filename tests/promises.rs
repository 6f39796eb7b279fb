//! Promises that the compiler keeps: what can be sent and shared, what is object safe, what cannot be written.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test is its own documentation, and may fail"
)]

use std::rc::Rc;

use concurry::prelude::*;
use concurry::{Acquire, Limit, PoolHandle, TaskWorkerHandle};

/// Not `Send` itself; its handle is.
#[worker]
pub struct Homebody {
    at_home: Rc<u8>,
}

#[worker]
impl Homebody {
    pub fn new(at_home: u8) -> Self {
        Self { at_home: Rc::new(at_home) }
    }

    pub fn count(&self) -> usize {
        Rc::strong_count(&self.at_home)
    }
}

fn send_and_sync<T: Send + Sync>() {}
fn send<T: Send>() {}
fn cloned<T: Clone>() {}
fn unpin<T: Unpin>() {}
fn future<T: Future>() {}
fn error<T: std::error::Error + Send + Sync + 'static>() {}

#[test]
fn types_can_go_where_users_take_them() {
    send_and_sync::<HomebodyHandle>();
    cloned::<HomebodyHandle>();
    send_and_sync::<TaskWorkerHandle>();
    cloned::<TaskWorkerHandle>();
    send_and_sync::<PoolHandle<Homebody>>();
    send_and_sync::<LimitSet>();
    send_and_sync::<LimitPool>();
    cloned::<LimitSet>();
    send::<LimitSetAcquisition>();
    send_and_sync::<Call<u64, std::io::Error>>();
    future::<Call<u64>>();
    unpin::<Call<u64>>();
    send::<Acquire>();
    future::<Acquire>();
    unpin::<Acquire>();
    send_and_sync::<Box<dyn Limit>>();
    error::<CallError>();
    error::<CallError<std::io::Error>>();
    error::<LimitError>();
    error::<InitError>();
    error::<concurry::ConfigError>();
    error::<concurry::LimitSetError>();
    error::<concurry::GatherError>();
    error::<concurry::RetriesExhausted<std::io::Error>>();
    error::<concurry::NotSent>();
    error::<concurry::UnknownMode>();
}

/// Fails for a reason.
#[worker]
#[derive(Default)]
pub struct Failing {}

#[worker]
impl Failing {
    /// # Errors
    ///
    /// Always.
    #[retry(attempts = 2, wait = std::time::Duration::ZERO)]
    pub fn fails(&self) -> std::io::Result<()> {
        Err(std::io::Error::other("the reason"))
    }
}

#[test]
fn errors_keep_what_caused_them() {
    use std::error::Error;

    let failing = Failing::options(ExecutionMode::Thread, (), 1).init().unwrap();
    let error = failing.fails().result().unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "the reason", "{error}");
    let missing = concurry::Config::load_from("no such file").unwrap_err();
    assert!(missing.source().unwrap().is::<std::io::Error>(), "{missing}");
}

type Outcome<T> = Result<T, CallError>;

#[test]
fn a_pending_call_is_a_small_thing() {
    // What it shares with its worker is measured in core; the outcome of a call that is done at once stands in the call itself.
    let words = 3 * size_of::<usize>();
    assert!(size_of::<Call<u64>>() <= size_of::<Outcome<u64>>() + words);
    assert!(size_of::<Call<u64>>() <= 5 * size_of::<usize>());
    assert!(size_of::<Call<[u64; 64]>>() <= size_of::<Outcome<[u64; 64]>>() + words);
}

#[test]
fn a_handle_outlives_the_place_where_it_was_made() {
    let handle = std::thread::spawn(|| Homebody::options(ExecutionMode::Thread, (), 1).init(1).unwrap())
        .join()
        .unwrap();
    assert_eq!(handle.count().result().unwrap(), 1);
}
