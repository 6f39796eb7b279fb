//! Everything at once, at random, for a seed: calls of all kinds are submitted, cancelled, retried and displaced, workers
//! panic and die, the pool grows and shrinks, and then it is drained, stopped or dropped. In the end each call has had
//! exactly one outcome, and nothing is held of any limit.
//!
//! Ignored by default. `SOAK_SECONDS=60 cargo test --release --test soak -- --ignored --nocapture` runs seed after seed for
//! so long; `SOAK_SEED=7` runs that one alone.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::disallowed_methods,
    reason = "a test is its own documentation; what it sleeps is work, and decides nothing"
)]

mod random;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use concurry::prelude::*;
use random::{AnyCall, Chance, seeds, watched};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
#[error("not this time")]
pub struct NotNow;

#[worker]
pub struct Subject {
    parent: u32,
    calls: u64,
}

#[worker]
impl Subject {
    pub fn new(parent: u32) -> Self {
        Self { parent, calls: 0 }
    }

    pub fn quick(&mut self, n: u64) -> u64 {
        self.calls += 1;
        n
    }

    pub async fn side_by_side(&self, n: u64) -> u64 {
        n
    }

    pub fn slow(&self, micros: u64) -> u64 {
        std::thread::sleep(Duration::from_micros(micros));
        micros
    }

    #[retry(attempts = 3, wait = Duration::from_micros(300), panics, worker_death)]
    pub fn flaky(&mut self, n: u64) -> Result<u64, NotNow> {
        self.calls += 1;
        assert!(!n.is_multiple_of(11), "an unlucky number");
        if (n + self.calls).is_multiple_of(3) { Ok(n) } else { Err(NotNow) }
    }

    pub fn panics(&mut self, n: u64) -> u64 {
        panic!("number {n}, on purpose");
    }

    pub fn dies(&self, n: u64) -> u64 {
        // Only where it is a process that dies.
        if std::process::id() != self.parent {
            std::process::abort();
        }
        n
    }

    pub fn acquires(&self, tokens: u64) -> Result<u64, LimitError> {
        let mut acquired = self.limits.acquire([("tokens", tokens), ("slots", 1)])?;
        acquired.update([("tokens", tokens / 2)])?;
        Ok(tokens)
    }

    #[limited(tokens = tokens, slots = 1)]
    pub fn admitted(&self, tokens: u64, acquired: &mut LimitSetAcquisition) -> Result<u64, LimitError> {
        acquired.update([("tokens", tokens / 2)])?;
        Ok(tokens)
    }

    #[limited(slots = 1)]
    pub async fn admitted_async(&self, n: u64, acquired: &mut LimitSetAcquisition) -> u64 {
        acquired.requested("slots").unwrap_or(0) + n
    }
}

fn submit(pool: &SubjectHandle, chance: &mut Chance, ended: &Arc<AtomicUsize>) -> Box<dyn AnyCall> {
    let keyed;
    let pool = if chance.below(8) == 0 {
        keyed = pool.affinity(chance.below(5));
        &keyed
    } else {
        pool
    };
    let n = chance.below(1_000);
    match chance.below(64) {
        0..20 => watched(pool.quick(n), ended),
        20..28 => watched(pool.side_by_side(n), ended),
        28..32 => watched(pool.slow(n), ended),
        32..42 => watched(pool.flaky(n), ended),
        42 => watched(pool.panics(n), ended),
        43 if n < 200 => watched(pool.dies(n), ended),
        43..52 => watched(pool.acquires(n % 50), ended),
        52..60 => watched(pool.admitted(n % 50), ended),
        60..62 => watched(pool.admitted_async(n), ended),
        62 => watched(pool.quick(n).map(|n| n + 1), ended),
        _ => {
            let other = pool.clone();
            watched(pool.quick(n).and_then(move |n| other.side_by_side(n)), ended)
        }
    }
}

fn start(seed: u64, chance: &mut Chance) -> (SubjectHandle, LimitSet, ExecutionMode, String) {
    let modes = [ExecutionMode::Thread, ExecutionMode::Async, ExecutionMode::Process, ExecutionMode::Sync];
    let mode = modes[usize::try_from(seed % 4).unwrap()];
    let full =
        [WhenFull::Wait, WhenFull::Reject, WhenFull::DropOldest][usize::try_from(chance.below(3)).unwrap()];
    let balancing = [LoadBalancing::SharedQueue, LoadBalancing::RoundRobin, LoadBalancing::LeastActive]
        [usize::try_from(chance.below(3)).unwrap()];
    let set = LimitSet::builder()
        .limit(
            RateLimit::new("tokens", 5_000, Duration::from_millis(20))
                .algorithm(RateLimitAlgorithm::TokenBucket),
        )
        .limit(ResourceLimit::new("slots", 2))
        .build()
        .unwrap();
    let workers = if mode == ExecutionMode::Sync { 1 } else { 3 };
    let mut options =
        Subject::options(mode, &set, workers).max_queued_calls(64).when_full(full).load_balancing(balancing);
    if chance.below(3) == 0 {
        options = options.on_demand(Duration::from_millis(2));
    }
    let pool = options.init(std::process::id()).unwrap();
    (pool, set, mode, format!("{mode}, {full:?}, {balancing}"))
}

/// Says how the limits stand when something went wrong.
struct Telling(LimitSet);

impl Drop for Telling {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?}", self.0.stats());
        }
    }
}

fn soak(seed: u64) {
    let mut chance = Chance::of(seed);
    let (pool, set, mode, what) = start(seed, &mut chance);
    let _telling = Telling(set.clone());
    let ended = Arc::new(AtomicUsize::new(0));
    let (mut calls, mut outcomes) = (Vec::new(), std::collections::BTreeMap::new());
    let count = if mode == ExecutionMode::Process { 400 } else { 2_000 };
    for _ in 0..count {
        calls.push(submit(&pool, &mut chance, &ended));
        match chance.below(100) {
            0 if mode != ExecutionMode::Sync => {
                pool.resize(1 + usize::try_from(chance.below(4)).unwrap()).unwrap();
            }
            1..10 => {
                let which = usize::try_from(chance.below(calls.len() as u64)).unwrap();
                calls[which].cancel();
            }
            10..14 => {
                let which = usize::try_from(chance.below(calls.len() as u64)).unwrap();
                *outcomes.entry(calls.swap_remove(which).wait()).or_insert(0) += 1;
            }
            _ => {}
        }
    }
    match chance.below(4) {
        0 => pool.stop(),
        1 => drop(pool.drain(Duration::from_secs(60))),
        2 => drop(pool.drain(Duration::from_millis(1))),
        _ => drop(pool),
    }
    for call in calls {
        *outcomes.entry(call.wait()).or_insert(0) += 1;
    }
    let whole: usize = outcomes.values().sum();
    println!("seed {seed}: {what}: {outcomes:?}");
    assert_eq!(
        (whole, ended.load(Ordering::SeqCst)),
        (count, count),
        "seed {seed}: a call without its one outcome"
    );
    // A child that was stopped gives back what it held when it is gone.
    let deadline = Instant::now() + Duration::from_secs(30);
    while set.stats().limits.iter().any(|limit| limit.in_use > 0 || limit.waiting > 0) {
        assert!(Instant::now() < deadline, "seed {seed}: still held: {:?}", set.stats());
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
#[ignore = "runs for as long as it is told"]
fn each_call_has_one_outcome_and_every_limit_is_back_at_zero() {
    seeds("SOAK", soak);
}
