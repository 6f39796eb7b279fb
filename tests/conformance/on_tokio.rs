//! Pools that are used by tasks of a tokio runtime, and what that may not do meanwhile.

use std::time::Duration;

use concurry::prelude::*;
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

use super::{block_on, eventually, every_mode, every_mode_in_background, gate};

#[worker]
#[derive(Default)]
pub struct Guest {
    passed: u64,
}

#[worker]
impl Guest {
    /// Does so much of what tokio counts.
    pub async fn spend(&self, units: usize) {
        for _ in 0..units {
            tokio::task::coop::consume_budget().await;
        }
    }

    pub async fn pass(&mut self) -> u64 {
        self.passed += 1;
        self.passed
    }

    pub async fn stay(&self) {
        std::future::pending::<()>().await;
    }
}

/// Blocks the thread that it runs on for what another pool is to do. Neither handles nor guards can travel.
#[worker]
#[derive(Default)]
pub struct Host;

#[worker]
impl Host {
    pub async fn send_for(&self, guest: GuestHandle) -> Option<u64> {
        guest.pass().result_timeout(Duration::from_secs(3_600)).ok()
    }

    pub async fn send_for_the_gate(&self, other: HostHandle, gate: LimitSet, held: LimitSetAcquisition) {
        let _told = other.give_back(held);
        drop(gate.acquire(()).unwrap());
    }

    /// Ends another pool.
    pub async fn drain(&self, guest: GuestHandle) -> bool {
        guest.drain(Duration::MAX)
    }

    pub async fn give_back(&self, held: LimitSetAcquisition) {
        drop(held);
    }
}

/// One thread, for tasks of which another could take over what that was to run.
fn one_worker() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn in_a_task<T: Send + 'static>(runtime: &Runtime, task: impl Future<Output = T> + Send + 'static) -> T {
    runtime.block_on(async { tokio::spawn(task).await.unwrap() })
}

every_mode! {
    fn what_a_method_does_is_not_taken_from_what_the_task_may_do_that_calls_it(mode: ExecutionMode) {
        let runtime = one_worker();
        in_a_task(&runtime, async move {
            let guest = Guest::options(mode, (), 1).init().unwrap();
            for _ in 0..3 {
                guest.spend(1_000).await.unwrap();
            }
        });
    }
}

every_mode_in_background! {
    fn a_task_that_waits_for_room_holds_nobody_up(mode: ExecutionMode) {
        let runtime = one_worker();
        let passed = in_a_task(&runtime, async move {
            let guest = Guest::options(mode, (), 1).max_queued_calls(1).init().unwrap();
            let calls: Vec<_> = (0..20).map(|_| guest.pass()).collect();
            calls.into_iter().map(|call| call.result().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(passed, (1..=20).collect::<Vec<_>>());
    }

    fn a_pool_ends_within_a_local_set(mode: ExecutionMode) {
        for drain in [false, true] {
            let set = LocalSet::new();
            one_worker().block_on(set.run_until(async move {
                let guest = Guest::options(mode, (), 1).init().unwrap();
                let call = guest.pass();
                if drain {
                    assert!(guest.drain(Duration::MAX));
                    assert_eq!(call.await.unwrap(), 1);
                } else {
                    guest.stop();
                }
                assert_eq!(guest.workers(), 0);
                assert!(matches!(guest.pass().await, Err(CallError::Stopped)));
            }));
        }
    }
}

#[test]
fn a_method_that_blocks_holds_no_other_pool_up() {
    let runtime = one_worker();
    let (guest, hosts) = {
        let _context = runtime.enter();
        let host = || Host::options(ExecutionMode::Async, (), 1).init().unwrap();
        (Guest::options(ExecutionMode::Async, (), 1).init().unwrap(), [host(), host()])
    };
    assert_eq!(hosts[0].send_for(guest).result().unwrap(), Some(1));
    let gate = gate();
    let held = gate.acquire(()).unwrap();
    hosts[0].send_for_the_gate(hosts[1].clone(), gate, held).result().unwrap();
}

#[test]
fn the_only_thread_of_a_runtime_does_not_wait_for_itself() {
    block_on(async {
        let guest = Guest::options(ExecutionMode::Async, (), 1).max_queued_calls(2).init().unwrap();
        let (first, second, third) = (guest.pass(), guest.pass(), guest.pass());
        assert!(matches!(third.await, Err(CallError::WouldDeadlock)), "it found the queue full");
        assert_eq!((first.await.unwrap(), second.await.unwrap()), (1, 2));
    });
}

#[test]
fn what_the_only_thread_of_a_runtime_drains_is_run_when_it_awaits() {
    block_on(async {
        let guest = Guest::options(ExecutionMode::Async, (), 1).init().unwrap();
        let calls = [guest.pass(), guest.pass()];
        assert!(!guest.drain(Duration::MAX), "they wait for this very thread");
        for (call, passed) in calls.into_iter().zip(1..) {
            assert_eq!(call.await.unwrap(), passed);
        }
        assert!(matches!(guest.pass().await, Err(CallError::Stopped)));
    });
}

#[test]
fn neither_does_a_method_that_sync_mode_runs_on_it() {
    block_on(async {
        let guest = Guest::options(ExecutionMode::Async, (), 1).init().unwrap();
        let host = Host::options(ExecutionMode::Sync, (), 1).init().unwrap();
        let call = guest.pass();
        assert!(!host.drain(guest).await.unwrap());
        assert_eq!(call.await.unwrap(), 1);
    });
}

#[test]
fn another_thread_may_drain_a_pool_on_a_runtime_of_one() {
    block_on(async {
        let guest = Guest::options(ExecutionMode::Async, (), 1).init().unwrap();
        let calls = [guest.pass(), guest.pass()];
        let drained = tokio::task::spawn_blocking(move || guest.drain(Duration::MAX)).await;
        assert!(drained.unwrap());
        for (call, passed) in calls.into_iter().zip(1..) {
            assert_eq!(call.await.unwrap(), passed);
        }
    });
}

#[test]
fn a_runtime_that_is_shut_down_answers_the_calls_of_workers_that_were_to_come() {
    let runtime = one_worker();
    let guest = {
        let _context = runtime.enter();
        let options = Guest::options(ExecutionMode::Async, (), 1).on_demand(Duration::from_secs(3_600));
        options.init().unwrap()
    };
    let (here, behind) = (guest.stay(), guest.pass());
    eventually(|| guest.stats().running > 0);
    runtime.shutdown_background();
    assert!(here.result().is_err());
    assert!(behind.result().is_err(), "nobody comes for it");
    let later = guest.pass().result();
    assert!(
        matches!(&later, Err(CallError::WorkerLost { reason }) if reason.contains("shut down")),
        "{later:?}"
    );
    guest.stop();
}
