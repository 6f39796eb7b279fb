//! What a key costs that nobody uses. In a process of its own, since the operating system counts all of it.
#![cfg(target_os = "linux")]

use std::sync::Arc;

use concurry_core::clock::ManualClock;
use concurry_limits::{KeyedLimits, LimitSet, RateLimit, RateLimitAlgorithm, Window};

/// The memory of this process that is in use, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1_024
}

#[test]
fn a_key_at_rest_costs_at_most_64_bytes() {
    let tokens = RateLimit::new("tokens", 100, Window::MINUTE).algorithm(RateLimitAlgorithm::Gcra);
    let template = LimitSet::builder().clock(Arc::new(ManualClock::new())).limit(tokens);
    let tenants: KeyedLimits<u64> = KeyedLimits::builder(template).build().expect("valid");
    // Just more than fit into maps of half the size, which is when a key costs most.
    let keys = 480_000;
    let before = resident();
    for key in 0..keys {
        let mut acquired = tenants.try_acquire(&key, [("tokens", 60)]).expect("it is the first");
        acquired.update([("tokens", 50)]).expect("it is held");
    }
    let each = resident().saturating_sub(before) / keys;
    let stats = tenants.stats();
    println!("{each} bytes a key; {} keys, {} of them awake", stats.keys, stats.awake);
    assert_eq!(stats.keys as u64, keys);
    assert!(each <= 64, "{each} bytes a key");
    for key in (0..keys).step_by(997) {
        tenants.try_acquire(&key, [("tokens", 51)]).expect_err("50 are used");
    }
}
