//! A call in each mode, pipelined and as a round trip, beside a thread with a channel and a oneshot for each call.

use concurry::prelude::*;
use concurry_peers::{batch, group, repeat};

/// Does next to nothing, so that what is left is the call.
#[worker]
struct Adder {
    sum: u64,
}

#[worker]
impl Adder {
    pub fn new() -> Self {
        Self { sum: 0 }
    }

    pub fn add(&mut self, n: u64) -> u64 {
        self.sum = self.sum.wrapping_add(n);
        self.sum
    }

    pub async fn add_async(&self, n: u64) -> u64 {
        self.sum.wrapping_add(n)
    }
}

/// The bare primitives: a thread that takes a number and a oneshot from a crossbeam channel.
struct Bare {
    calls: crossbeam_channel::Sender<(u64, oneshot::Sender<u64>)>,
}

impl Bare {
    fn new() -> Self {
        let (calls, inbox) = crossbeam_channel::unbounded::<(u64, oneshot::Sender<u64>)>();
        std::thread::spawn(move || {
            let mut sum = 0u64;
            for (n, answer) in inbox {
                sum = sum.wrapping_add(n);
                drop(answer.send(sum));
            }
        });
        Self { calls }
    }

    fn add(&self, n: u64) -> oneshot::Receiver<u64> {
        let (answer, call) = oneshot::channel();
        self.calls.send((n, answer)).expect("the thread lives");
        call
    }
}

fn main() {
    let bare = Bare::new();
    let start = |mode| Adder::options(mode, (), 1).init().expect("it starts");
    let (sync, thread) = (start(ExecutionMode::Sync), start(ExecutionMode::Thread));
    let (tasks, process) = (start(ExecutionMode::Async), start(ExecutionMode::Process));

    let pipelined = |pool: &AdderHandle, count: u32| {
        let calls: Vec<_> = (0..u64::from(count)).map(|n| pool.add(n)).collect();
        gather(calls).result().expect("none fails").len()
    };
    let pipelined_async = |count: u32| {
        let calls: Vec<_> = (0..u64::from(count)).map(|n| tasks.add_async(n)).collect();
        gather(calls).result().expect("none fails").len()
    };
    group(
        "calls, pipelined",
        vec![
            batch("crossbeam-channel + oneshot, a thread", 100_000, |count| {
                let calls: Vec<_> = (0..u64::from(count)).map(|n| bare.add(n)).collect();
                calls.into_iter().map(|call| call.recv().expect("answered")).last()
            }),
            batch("concurry: Sync", 100_000, |count| pipelined(&sync, count)),
            batch("concurry: Thread", 100_000, |count| pipelined(&thread, count)),
            batch("concurry: Async, `&self async`", 50_000, pipelined_async),
            batch("concurry: Async, `&mut self` on a blocking thread", 2_000, |count| {
                pipelined(&tasks, count)
            }),
            batch("concurry: Process", 2_000, |count| pipelined(&process, count)),
        ],
    );

    let round_trip = |pool: &AdderHandle| pool.add(1).result().expect("it does not fail");
    group(
        "calls, round trip",
        vec![
            repeat("crossbeam-channel + oneshot, a thread", 2_000, || bare.add(1).recv()),
            repeat("concurry: Sync", 100_000, || round_trip(&sync)),
            repeat("concurry: Thread", 2_000, || round_trip(&thread)),
            repeat("concurry: Async, `&self async`", 2_000, || tasks.add_async(1).result()),
            repeat("concurry: Process", 500, || round_trip(&process)),
        ],
    );
}
