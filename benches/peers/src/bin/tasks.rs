//! Closures as tasks, beside rayon: one at a time, and one closure for many items.

use std::hint::black_box;

use concurry::prelude::*;
use concurry_peers::{batch, group};
use rayon::prelude::*;

/// As many workers, and threads of rayon, as there are processors.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn main() {
    let threads = rayon::ThreadPoolBuilder::new().num_threads(workers()).build().expect("it starts");
    let start = |mode, workers: usize| TaskWorker::options(mode, (), workers).init().expect("it starts");
    let thread = start(ExecutionMode::Thread, workers());
    let (sync, tasks) = (start(ExecutionMode::Sync, 1), start(ExecutionMode::Async, 1));

    group(
        "tasks, submitted one by one",
        vec![
            batch("rayon: scope, spawn", 100_000, |count| {
                threads.scope(|scope| {
                    for n in 0..u64::from(count) {
                        scope.spawn(move |_| {
                            black_box(n.wrapping_mul(n));
                        });
                    }
                });
            }),
            batch("rayon: spawn from outside, with a oneshot", 100_000, |count| {
                let calls: Vec<_> = (0..u64::from(count))
                    .map(|n| {
                        let (answer, call) = oneshot::channel();
                        threads.spawn(move || drop(answer.send(n.wrapping_mul(n))));
                        call
                    })
                    .collect();
                calls.into_iter().map(|call| call.recv().expect("answered")).last()
            }),
            batch("concurry: Thread, submit alone", 100_000, |count| {
                for n in 0..u64::from(count) {
                    drop(thread.submit(move || black_box(n.wrapping_mul(n))));
                }
                thread.submit(|| 0u64).result().expect("it does not fail");
            }),
            batch("concurry: Thread, submit and gather", 100_000, |count| {
                let calls: Vec<_> =
                    (0..u64::from(count)).map(|n| thread.submit(move || n.wrapping_mul(n))).collect();
                gather(calls).result().expect("none fails").len()
            }),
            batch("concurry: Sync, submit and gather", 100_000, |count| {
                let calls: Vec<_> =
                    (0..u64::from(count)).map(|n| sync.submit(move || n.wrapping_mul(n))).collect();
                gather(calls).result().expect("none fails").len()
            }),
            batch("concurry: Async, submit_async and gather", 50_000, |count| {
                let calls: Vec<_> = (0..u64::from(count))
                    .map(|n| tasks.submit_async(async move { n.wrapping_mul(n) }))
                    .collect();
                gather(calls).result().expect("none fails").len()
            }),
        ],
    );

    let ours = |count: u32| {
        black_box(thread.map(0..u64::from(count), |n| n.wrapping_mul(n)).result().expect("it does not fail"))
            .len()
    };
    let range = |count: u32| {
        let squares: Vec<u64> =
            threads.install(|| (0..u64::from(count)).into_par_iter().map(|n| n.wrapping_mul(n)).collect());
        black_box(squares).len()
    };
    let collected = |count: u32| {
        let items: Vec<u64> = (0..u64::from(count)).collect();
        let squares: Vec<u64> =
            threads.install(|| items.into_par_iter().map(|n| n.wrapping_mul(n)).collect());
        black_box(squares).len()
    };
    let bridged = |count: u32| {
        let squares: Vec<u64> =
            threads.install(|| (0..u64::from(count)).par_bridge().map(|n| n.wrapping_mul(n)).collect());
        black_box(squares).len()
    };
    group(
        "tasks, map of 10 M tiny items",
        vec![
            batch("rayon: par_iter over a range", 10_000_000, range),
            batch("rayon: any iterator, collected, then par_iter", 10_000_000, collected),
            batch("one thread, no pool: map and collect", 10_000_000, |count| {
                black_box((0..u64::from(count)).map(|n| n.wrapping_mul(n)).collect::<Vec<_>>()).len()
            }),
            batch("concurry: Thread, map", 10_000_000, ours),
        ],
    );
    group(
        "tasks, map of 1 M tiny items",
        vec![
            batch("rayon: par_iter over a range", 1_000_000, range),
            batch("rayon: any iterator, collected, then par_iter", 1_000_000, collected),
            batch("rayon: any iterator, par_bridge (no order)", 100_000, bridged),
            batch("concurry: Thread, map", 1_000_000, ours),
        ],
    );
}
