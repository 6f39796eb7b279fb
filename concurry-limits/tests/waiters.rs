//! What one who waits costs. In a process of its own, since the operating system counts all of it.
#![cfg(target_os = "linux")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use concurry_core::clock::ManualClock;
use concurry_limits::{
    Acquire, CallLimit, LimitError, LimitSet, LimitSetAcquisition, RateLimit, ResourceLimit, Window,
};

/// The memory of this process that is in use, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of it");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1_024
}

fn poll(acquire: &mut Acquire) -> Poll<Result<LimitSetAcquisition, LimitError>> {
    Pin::new(acquire).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn one_who_waits_costs_at_most_256_bytes_beside_its_future() {
    let account = LimitSet::builder()
        .clock(Arc::new(ManualClock::new()))
        .limit(CallLimit::new(1_000_000, Window::MINUTE))
        .limit(RateLimit::new("tokens", 1_000_000, Window::MINUTE))
        .limit(ResourceLimit::new("connections", 1))
        .build()
        .expect("valid");
    let mut held = account.try_acquire([("tokens", 1)]).expect("it is the first");
    let count = 100_000;
    let mut crowd = Vec::with_capacity(count);
    let before = resident();
    for _ in 0..count {
        let mut waiter = account.acquire_async([("tokens", 1)]);
        assert!(poll(&mut waiter).is_pending());
        crowd.push(waiter);
    }
    let futures = count * size_of::<Acquire>();
    let each = resident().saturating_sub(before + futures) / count;
    println!("{each} bytes a waiter, and {} of its future", size_of::<Acquire>());
    assert!((100..=256).contains(&each), "{each} bytes a waiter");
    assert_eq!(account.stats().limit("connections").expect("it is there").waiting, count);
    held.update([("tokens", 1)]).expect("it is held");
    drop(held);
    let first = poll(&mut crowd[0]);
    assert!(first.is_ready(), "the first is admitted");
    assert!(poll(&mut crowd[1]).is_pending(), "and nobody else");
}
