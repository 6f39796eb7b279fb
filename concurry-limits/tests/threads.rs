//! Limits a key need nobody who cleans up behind them. In a process of its own, since the operating system counts its threads.
#![cfg(target_os = "linux")]

use std::sync::Arc;
use std::time::Duration;

use concurry_core::clock::ManualClock;
use concurry_limits::{CallLimit, KeyedLimits, LimitSet, LimitSetBuilder, ResourceLimit};

/// The names of the threads of this process.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux has it");
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        let path = task.expect("it is there").path().join("comm");
        // One that has just ended has none.
        std::fs::read_to_string(path).unwrap_or_default()
    };
    let mut names: Vec<_> = tasks.map(name).collect();
    names.sort();
    names
}

/// Uses very many keys, most of which are forgotten meanwhile; time goes on by `advance`.
fn use_many_keys(template: LimitSetBuilder, advance: impl Fn()) {
    let tenants: KeyedLimits<u64> = KeyedLimits::builder(template).max_keys(100).build().expect("valid");
    let keys = 50_000;
    for key in 0..keys {
        drop(tenants.acquire(&key, ()).expect("it is free"));
        // It is used again, perhaps after a rest, and steered.
        let set = tenants.get(&(key / 2)).expect("valid");
        drop(set.try_acquire(()));
        advance();
    }
    assert!(tenants.len() < 1_000, "{} are kept", tenants.len());
}

#[test]
fn no_thread_forgets_keys() {
    let template = || {
        let calls = CallLimit::new(1, Duration::from_nanos(1));
        LimitSet::builder().limit(calls).limit(ResourceLimit::new("doors", 2))
    };
    let before = threads();
    let clock = ManualClock::new();
    use_many_keys(template().clock(Arc::new(clock.clone())), || clock.advance(Duration::from_nanos(1)));
    assert_eq!(threads(), before);
    // By the system's clock everything is full again by the time that it is looked at.
    use_many_keys(template(), || ());
    assert_eq!(threads(), before);
    // A test that could not see a thread would prove nothing.
    let (end, ends) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn(move || ends.recv());
    assert_eq!(threads().len(), before.len() + 1);
    drop(end);
    other.join().expect("it does not panic").expect_err("nothing is sent");
}
