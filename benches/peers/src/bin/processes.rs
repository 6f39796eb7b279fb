//! Calls to a process, beside the bare primitives that processes talk by: a socket pair with batched writes, and a ring in shared
//! memory with a futex.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use concurry::Transport;
use concurry::prelude::*;
use concurry_peers::bare::{LargeSocket, MIB, Message, Ring, Socket, run_if_other_end};
use concurry_peers::{Latencies, batch, group, latencies, repeat};
use serde_bytes::ByteBuf;

/// Does next to nothing, so that what is left is the call.
#[worker]
#[derive(Default)]
struct Echo;

#[worker]
impl Echo {
    pub fn echo(&self, mut message: Message) -> Message {
        message.id += 1;
        message
    }

    /// Shared, so that the caller, who has them, makes no copy for each call.
    pub fn take(&self, bytes: Arc<ByteBuf>) -> u8 {
        bytes[100]
    }

    pub fn acquire(&self, count: u32) {
        for _ in 0..count {
            drop(self.limits.acquire([("slots", 1)]).expect("it is granted"));
        }
    }
}

fn echo(transport: Transport, workers: usize, limits: impl concurry::IntoLimits) -> EchoHandle {
    let options = Echo::options(ExecutionMode::Process, limits, workers).transport(transport);
    options.init().expect("it starts")
}

fn pipelined(pool: &EchoHandle, count: u32) -> usize {
    let calls: Vec<_> = (0..u64::from(count)).map(|id| pool.echo(Message::of(id))).collect();
    gather(calls).result().expect("none fails").len()
}

fn large(pool: &EchoHandle, bytes: &Arc<ByteBuf>, count: u32) {
    let calls = submit_all(0..count, 4, |_| pool.take(Arc::clone(bytes)));
    calls.for_each(|outcome| assert_eq!(outcome.expect("none fails"), 3));
}

/// Waits for the end of its process when it is dropped, as the bare one does: the next start is not to run beside it.
struct Ended(EchoHandle);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// How long it takes to start a process and to have its first answer.
fn starts<T>(start: impl Fn() -> T) -> Latencies {
    let started = |_| {
        let begin = Instant::now();
        let process = start();
        let time = begin.elapsed();
        drop(process);
        u64::try_from(time.as_nanos()).expect("not long")
    };
    Latencies { samples: (0..100).map(started).collect(), note: String::new() }
}

fn main() {
    run_if_other_end();
    latencies(
        "processes, from the start to the first answer",
        3,
        vec![
            (
                "Command of the own executable, a socket pair",
                Box::new(|| {
                    starts(|| {
                        let mut pair = Socket::new();
                        pair.round_trip();
                        pair
                    })
                }),
            ),
            (
                "concurry: Process, ring",
                Box::new(|| {
                    starts(|| {
                        let pool = echo(Transport::Ring, 1, ());
                        assert!(pool.echo(Message::of(1)).result().is_ok());
                        Ended(pool)
                    })
                }),
            ),
        ],
    );
    /// As ours.
    const SPIN: Duration = Duration::from_micros(50);
    let (ring, socket) = (echo(Transport::Ring, 1, ()), echo(Transport::Socket, 1, ()));
    let (bare, pair) = (RefCell::new(Ring::new(SPIN)), RefCell::new(Socket::new()));
    group(
        "processes, 64 bytes pipelined",
        vec![
            batch("bare ring in shared memory + futex", 50_000, |count| bare.borrow_mut().pipelined(count)),
            batch("socket pair, batched writes", 50_000, |count| pair.borrow_mut().pipelined(count)),
            batch("concurry: Process, ring", 50_000, |count| pipelined(&ring, count)),
            batch("concurry: Process, socket", 50_000, |count| pipelined(&socket, count)),
        ],
    );
    group(
        "processes, 64 bytes round trip",
        vec![
            repeat("bare ring in shared memory + futex", 2_000, || bare.borrow_mut().round_trip()),
            repeat("socket pair", 2_000, || pair.borrow_mut().round_trip()),
            repeat("concurry: Process, ring", 2_000, || ring.echo(Message::of(1)).result()),
            repeat("concurry: Process, socket", 2_000, || socket.echo(Message::of(1)).result()),
        ],
    );
    let (bytes, large_pair) = (Arc::new(ByteBuf::from(vec![3; MIB])), RefCell::new(LargeSocket::new()));
    group(
        "processes, 1 MiB one way (244,000 ns are 4 GiB/s)",
        vec![
            batch("bare ring, copied in and out", 100, |count| bare.borrow_mut().send_large(&bytes, count)),
            repeat("socket pair, acknowledged", 100, || large_pair.borrow_mut().send(&bytes)),
            batch("concurry: Process, ring", 100, |count| large(&ring, &bytes, count)),
            batch("concurry: Process, socket", 100, |count| large(&socket, &bytes, count)),
        ],
    );
    let slots = || LimitSet::builder().limit(ResourceLimit::new("slots", 8)).build().expect("it is valid");
    let (by_ring, by_socket) = (echo(Transport::Ring, 1, &slots()), echo(Transport::Socket, 1, &slots()));
    group(
        "processes, a limit acquired and released by one of them",
        vec![
            repeat("bare ring, round trip", 2_000, || bare.borrow_mut().round_trip()),
            batch("concurry: Process, ring", 4_000, |count| by_ring.acquire(count).result()),
            batch("concurry: Process, socket", 2_000, |count| by_socket.acquire(count).result()),
        ],
    );
    drop((by_ring, by_socket));
    let set = slots();
    let (by_ring, by_socket) = (echo(Transport::Ring, 2, &set), echo(Transport::Socket, 2, &set));
    let both = |pool: &EchoHandle, count: u32| {
        gather([pool.acquire(count / 2), pool.acquire(count / 2)]).result().expect("none fails")
    };
    group(
        "processes, a limit acquired and released by two of them",
        vec![
            repeat("socket pair, round trip", 2_000, || pair.borrow_mut().round_trip()),
            batch("concurry: Process, ring", 4_000, |count| both(&by_ring, count)),
            batch("concurry: Process, socket", 4_000, |count| both(&by_socket, count)),
        ],
    );
}
