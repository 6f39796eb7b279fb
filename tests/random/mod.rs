//! What tests at random have in common: chance, calls of any type, and seeds one after the other.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use concurry::prelude::*;

/// The xorshift generator of Marsaglia (2003), with 64 bits.
pub struct Chance(u64);

impl Chance {
    pub fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// One call, whose error does not matter any more.
pub trait AnyCall: Send {
    fn cancel(&self) -> bool;
    fn cancel_hard(&self) -> bool;
    fn wait(self: Box<Self>) -> &'static str;
}

impl<T: Send + 'static, E: Send + std::fmt::Debug + 'static> AnyCall for Call<T, E> {
    fn cancel(&self) -> bool {
        Call::cancel(self)
    }

    fn cancel_hard(&self) -> bool {
        Call::cancel_hard(self)
    }

    fn wait(self: Box<Self>) -> &'static str {
        match self.result_timeout(Duration::from_secs(60)) {
            Ok(_) => "ok",
            Err(CallError::Failed(_)) => "failed",
            Err(CallError::Panicked(_)) => "panicked",
            Err(CallError::WorkerDied(_)) => "died",
            Err(CallError::RetriesExhausted(_)) => "exhausted",
            Err(CallError::Cancelled) => "cancelled",
            Err(CallError::Displaced) => "displaced",
            Err(CallError::Rejected(_)) => "rejected",
            Err(CallError::Stopped) => "stopped",
            // The call that follows another one is submitted from within the pool, which does not wait for room.
            Err(CallError::WouldDeadlock) => "would deadlock",
            Err(CallError::Timeout) => panic!("without an answer: {}", self.explain()),
            Err(other) => panic!("{other:?}"),
        }
    }
}

pub fn watched<T, E>(call: Call<T, E>, ended: &Arc<AtomicUsize>) -> Box<dyn AnyCall>
where
    T: Send + 'static,
    E: Send + std::fmt::Debug + 'static,
{
    let ended = Arc::clone(ended);
    call.on_done(move |_| {
        ended.fetch_add(1, Ordering::SeqCst);
    });
    Box::new(call)
}

/// Says with which seed it went wrong, whatever went wrong.
struct Telling<'a>(&'a str, u64);

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(name, seed) = self;
            eprintln!("this was {name}_SEED={seed}");
        }
    }
}

/// Runs `body` for the seed that the variable `<NAME>_SEED` has, or for seed after seed as long as `<NAME>_SECONDS` says, from
/// `<NAME>_FIRST` on if it is there.
pub fn seeds(name: &str, body: impl Fn(u64)) {
    let variable =
        |what: &str| std::env::var(format!("{name}_{what}")).ok().and_then(|text| text.parse().ok());
    if let Some(seed) = variable("SEED") {
        return body(seed);
    }
    let end = Instant::now() + Duration::from_secs(variable("SECONDS").unwrap_or(20));
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let first = variable("FIRST").unwrap_or_else(|| now() % 1_000_000);
    for seed in first.. {
        let telling = Telling(name, seed);
        body(seed);
        drop(telling);
        if Instant::now() > end {
            println!("{} seeds", seed - first + 1);
            return;
        }
    }
}
