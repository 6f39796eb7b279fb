//! Waiting: how late a waiter is admitted, and how long a release takes to reach one; beside a bare condition variable.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use concurry::prelude::*;
use concurry_peers::{Latencies, latencies};

const ADMISSIONS: u64 = 2_000;
const SPACING: Duration = Duration::from_millis(1);
/// In many short turns: a minute in which the machine wakes its processors late is to meet both rows.
const RELEASES: usize = 50;
const RELEASE_TURNS: usize = 40;

/// Runs `wait` for each of the instants, a millisecond apart from `start` on, and says how late it returned.
fn lateness(start: Instant, mut wait: impl FnMut(Instant)) -> Latencies {
    let mut samples = Vec::new();
    for number in 1..=ADMISSIONS {
        let due = start + SPACING * u32::try_from(number).expect("few");
        wait(due);
        samples
            .push(u64::try_from(Instant::now().saturating_duration_since(due).as_nanos()).expect("not long"));
    }
    let rate = ADMISSIONS as f64 / start.elapsed().as_secs_f64();
    Latencies { samples, note: format!("{rate:.1}/s") }
}

/// 1,000 a second, with the first thousand used up, and the instant just before that.
fn spent() -> (LimitSet, Instant) {
    let limit = RateLimit::new("tokens", 1_000, Window::SECOND).algorithm(RateLimitAlgorithm::TokenBucket);
    let set = LimitSet::builder().limit(limit).build().expect("right");
    let start = Instant::now();
    let mut burst = set.acquire([("tokens", 1_000)]).expect("full");
    burst.update([("tokens", 1_000)]).expect("as acquired");
    drop(burst);
    (set, start)
}

fn condvar() -> Latencies {
    let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    lateness(Instant::now(), |due| {
        let mut guard = mutex.lock().expect("no panic");
        while let Some(wait) = due.checked_duration_since(Instant::now()) {
            guard = condvar.wait_timeout(guard, wait).expect("no panic").0;
        }
    })
}

fn blocking() -> Latencies {
    let (set, start) = spent();
    lateness(start, |_| drop(set.acquire([("tokens", 1)]).and_then(|mut one| one.update([("tokens", 1)]))))
}

fn on_tokio() -> Latencies {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("starts");
    let (set, start) = spent();
    lateness(start, |_| {
        runtime.block_on(async {
            let mut one = set.acquire_async([("tokens", 1)]).await.expect("admitted");
            one.update([("tokens", 1)]).expect("as acquired");
        });
    })
}

/// A waiter notes when it runs; `release` lets it. `hold` has the next wait.
fn handovers<T>(
    wait: impl Fn() -> T + Send + Sync + 'static,
    waiting: impl Fn() -> bool,
    release: impl Fn(),
    hold: impl Fn(),
) -> Latencies {
    let (origin, ran) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let nanos = move || u64::try_from(origin.elapsed().as_nanos()).expect("not long");
    let wait = Arc::new(wait);
    let samples = (0..RELEASES)
        .map(|_| {
            let waiter = std::thread::spawn({
                let (ran, wait) = (Arc::clone(&ran), Arc::clone(&wait));
                move || {
                    let waited_for = wait();
                    ran.store(nanos(), Ordering::SeqCst);
                    // Giving it back may wake the next one, which is not what is measured.
                    drop(waited_for);
                }
            });
            while !waiting() {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_micros(300)); // until it really sleeps
            let released = nanos();
            release();
            waiter.join().expect("no panic");
            hold();
            ran.load(Ordering::SeqCst).saturating_sub(released)
        })
        .collect();
    Latencies { samples, note: String::new() }
}

fn condvar_handover() -> Latencies {
    #[derive(Default)]
    struct Gate {
        state: Mutex<(bool, bool)>, // somebody waits; open
        condvar: Condvar,
    }
    let gate = Arc::new(Gate::default());
    let (there, here) = (Arc::clone(&gate), Arc::clone(&gate));
    handovers(
        move || {
            let mut state = there.state.lock().expect("no panic");
            state.0 = true;
            while !state.1 {
                state = there.condvar.wait(state).expect("no panic");
            }
            *state = (false, false);
        },
        move || here.state.lock().expect("no panic").0,
        move || {
            gate.state.lock().expect("no panic").1 = true;
            gate.condvar.notify_one();
        },
        || {},
    )
}

fn resource_handover() -> Latencies {
    let set = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).build().expect("right");
    let held = Mutex::new(Some(set.acquire(()).expect("free")));
    let (there, here) = (set.clone(), set.clone());
    handovers(
        move || there.acquire(()).expect("admitted"),
        move || here.stats().limits[0].waiting == 1,
        || drop(held.lock().expect("no panic").take()),
        || *held.lock().expect("no panic") = Some(set.acquire(()).expect("given back")),
    )
}

fn main() {
    latencies(
        "waiting at 1,000 admissions a second: lateness",
        3,
        vec![
            ("std: Condvar::wait_timeout to an absolute instant", Box::new(condvar)),
            ("concurry: acquire", Box::new(blocking)),
            ("concurry: acquire_async on tokio", Box::new(on_tokio)),
        ],
    );
    latencies(
        "release until the waiter runs",
        RELEASE_TURNS,
        vec![
            ("std: Condvar::notify_one", Box::new(condvar_handover)),
            ("concurry: ResourceLimit", Box::new(resource_handover)),
        ],
    );
}
