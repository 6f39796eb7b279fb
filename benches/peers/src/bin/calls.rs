//! A call in each mode, pipelined and as a round trip, beside a thread with a channel and a oneshot for each call.

use concurry::prelude::*;
use concurry_peers::actors::{self, IN_FLIGHT};
use concurry_peers::{batch, group, repeat, resident};

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

/// The same with all that a worker can have, and its calls do not use.
#[worker]
struct Able {
    sum: u64,
}

#[worker]
impl Able {
    pub fn new() -> Self {
        Self { sum: 0 }
    }

    pub fn add(&mut self, n: u64) -> u64 {
        self.sum = self.sum.wrapping_add(n);
        self.sum
    }

    /// It could be tried again, and the pool has no retry.
    pub fn try_add(&mut self, n: u64) -> Result<u64, String> {
        Ok(self.add(n))
    }

    #[retry(attempts = 3)]
    pub fn again(&mut self, n: u64) -> Result<u64, String> {
        Ok(self.add(n))
    }

    #[limited(tokens = n)]
    pub fn limited(&mut self, n: u64) -> u64 {
        self.add(n)
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

    not_used();
    in_flight(&thread);
    many_workers();

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

/// What is there and not used: a call beside the same call of a worker that has nothing else.
fn not_used() {
    const COUNT: u32 = 100_000;
    for mode in [ExecutionMode::Sync, ExecutionMode::Thread] {
        let limits =
            || LimitSet::builder().limit(ResourceLimit::new("tokens", 1_000)).build().expect("it is valid");
        let bare = Adder::options(mode, (), 1).init().expect("it starts");
        let able = Able::options(mode, limits(), 1).init().expect("it starts");
        let bare = |count: u32| {
            let calls: Vec<_> = (0..u64::from(count)).map(|n| bare.add(n)).collect();
            gather(calls).result().expect("none fails").len()
        };
        let plain = |count: u32| {
            let calls: Vec<_> = (0..u64::from(count)).map(|n| able.add(n)).collect();
            gather(calls).result().expect("none fails").len()
        };
        let fallible = |count: u32| {
            let calls: Vec<_> = (0..u64::from(count)).map(|n| able.try_add(n)).collect();
            gather(calls).result().expect("none fails").len()
        };
        group(
            &format!("calls, pipelined, mode {}, what is there and not used", mode.name()),
            vec![
                batch("a worker with one method, a pool with nothing", COUNT, bare),
                batch("beside retries and #[limited], a pool with limits", COUNT, plain),
                batch("the same, of a method that may fail", COUNT, fallible),
            ],
        );
    }
}

/// A thousand calls in flight, beside the actor crates and what one writes by hand.
fn in_flight(thread: &AdderHandle) {
    const COUNT: u32 = 200_000;
    let runtime = actors::runtime();
    let start = |mode| {
        let _context = runtime.enter();
        Adder::options(mode, (), 1).init().expect("it starts")
    };
    let tasks = start(ExecutionMode::Async);
    let shared = |count: u32| {
        let tasks = tasks.clone();
        actors::on(&runtime, async move {
            actors::window(count, |n| {
                let call = tasks.add_async(n);
                async move { async move { call.await.expect("it does not fail") } }
            })
            .await;
        });
    };
    let ordered = |count: u32| {
        let calls = submit_all(0..u64::from(count), IN_FLIGHT, |n| thread.add(n));
        calls.filter(|outcome| outcome.is_ok()).count()
    };
    group(
        "calls, 1,000 in flight, two tokio threads",
        vec![
            batch("kameo", COUNT, |count| actors::on(&runtime, actors::kameo_actor::call(count))),
            batch("ractor", COUNT, |count| actors::on(&runtime, actors::ractor_actor::call(count))),
            batch("xtra", COUNT, |count| actors::on(&runtime, actors::xtra_actor::call(count))),
            batch("actix, one thread for all", COUNT, actors::actix_actor::call),
            batch("tokio mpsc + oneshot, by hand", COUNT, |count| {
                actors::on(&runtime, actors::by_hand::call(count))
            }),
            batch("concurry: Async, `&self async`", COUNT, shared),
            batch("concurry: Thread, submit_all", COUNT, ordered),
        ],
    );
}

/// What a worker of async mode costs to start, and idle.
fn many_workers() {
    const WORKERS: u32 = 1_000;
    let runtime = actors::runtime();
    let _context = runtime.enter();
    group(
        "1,000 workers of async mode, started and ended, a worker",
        vec![batch("concurry: Async", WORKERS, |count| {
            let pool = Adder::options(ExecutionMode::Async, (), count as usize).init().expect("they start");
            pool.add_async(1).result()
        })],
    );
    let before = resident();
    let pool = Adder::options(ExecutionMode::Async, (), WORKERS as usize).init().expect("they start");
    println!("  memory: {} bytes a worker", resident().saturating_sub(before) / u64::from(WORKERS));
    drop(pool);
}
