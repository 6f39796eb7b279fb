//! Which worker a call goes to, and what a full queue does (SPEC §2).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use concurry::clock::ManualClock;
use concurry::prelude::*;

use super::workers::TestError;
use super::{eventually, every_mode, every_mode_in_background, gate, tests_in};

const HOUR: Duration = Duration::from_secs(3600);

/// Tells which worker it is.
#[worker]
#[derive(Default)]
pub struct Numbered {}

#[worker]
impl Numbered {
    pub fn number(&mut self) -> usize {
        self.limits.worker_index()
    }

    /// Runs until the test lets it through.
    pub fn wait(&mut self) -> usize {
        drop(self.limits.acquire([("gate", 1)]).unwrap());
        self.limits.worker_index()
    }

    pub fn echo(&mut self, text: String, number: u8) -> String {
        format!("{text}{number}")
    }

    pub fn fallible(&mut self, text: String) -> Result<String, TestError> {
        if text.is_empty() { Err(TestError::Own(text)) } else { Ok(text) }
    }
}

every_mode! {
    fn one_key_is_one_worker(mode: ExecutionMode) {
        let workers = if mode == ExecutionMode::Sync { 1 } else { 3 };
        let pool = Numbered::options(mode, (), workers).init().unwrap();
        let of = |key: &str| -> HashSet<usize> {
            let handle = pool.affinity(key);
            let calls: Vec<_> = (0..20).map(|_| handle.number()).collect();
            gather(calls).result().unwrap().into_iter().collect()
        };
        let numbers: Vec<_> = ["ada", "bob", "eve", "joe", "zoe"].iter().map(|key| of(key)).collect();
        assert!(numbers.iter().all(|of_one| of_one.len() == 1), "{numbers:?}");
        let all: HashSet<usize> = numbers.into_iter().flatten().collect();
        assert!(workers == 1 || all.len() > 1, "all keys are with {all:?}");
    }
}

every_mode_in_background! {
    fn round_robin_gives_each_worker_its_turn(mode: ExecutionMode) {
        let pool = Numbered::options(mode, (), 3).load_balancing(LoadBalancing::RoundRobin).init().unwrap();
        let calls: Vec<_> = (0..9).map(|_| pool.number()).collect();
        let numbers = gather(calls).result().unwrap();
        assert_eq!(numbers, [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    }

    fn a_call_that_was_routed_waits_for_its_worker_and_the_shared_queue_does_not(mode: ExecutionMode) {
        let gate = gate();
        let held = gate.acquire(()).unwrap();
        let pool = Numbered::options(mode, &gate, 2).load_balancing(LoadBalancing::RoundRobin).init().unwrap();
        let slow = pool.wait(); // on worker 0
        eventually(|| pool.stats().running == 1);
        let (other, behind) = (pool.number(), pool.number());
        assert_eq!(other.result().unwrap(), 1);
        assert_eq!((behind.is_done(), pool.stats().queued), (false, 1));
        drop(held);
        assert_eq!((slow.result().unwrap(), behind.result().unwrap()), (0, 0));
    }

    fn the_least_active_worker_gets_the_call(mode: ExecutionMode) {
        let gate = gate();
        let held = gate.acquire(()).unwrap();
        let pool = Numbered::options(mode, &gate, 2).load_balancing(LoadBalancing::LeastActive).init().unwrap();
        let slow = pool.wait(); // on worker 0
        eventually(|| pool.stats().running == 1);
        for _ in 0..5 {
            assert_eq!(pool.number().result().unwrap(), 1);
            eventually(|| pool.stats().running == 1);
        }
        drop(held);
        assert_eq!(slow.result().unwrap(), 0);
    }

    fn the_least_total_worker_gets_the_call(mode: ExecutionMode) {
        let pool = Numbered::options(mode, (), 2).load_balancing(LoadBalancing::LeastTotal).init().unwrap();
        let numbers: Vec<_> = (0..4).map(|_| pool.number().result().unwrap()).collect();
        assert_eq!(numbers, [0, 1, 0, 1]);
    }

    fn by_chance_every_worker_gets_some(mode: ExecutionMode) {
        let pool = Numbered::options(mode, (), 2).load_balancing(LoadBalancing::Random).init().unwrap();
        let calls: Vec<_> = (0..200).map(|_| pool.number()).collect();
        let ones = gather(calls).result().unwrap().into_iter().filter(|number| *number == 1).count();
        assert!((40..160).contains(&ones), "{ones} of 200");
    }

    fn a_full_queue_that_rejects_gives_the_arguments_back(mode: ExecutionMode) {
        let gate = gate();
        let held = gate.acquire(()).unwrap();
        let pool = Numbered::options(mode, &gate, 1)
            .max_queued_calls(1)
            .when_full(WhenFull::Reject)
            .init()
            .unwrap();
        let running = pool.wait();
        eventually(|| pool.stats().running == 1);
        let waiting = pool.number();
        let error = pool.echo("mine".into(), 7).result().unwrap_err();
        let CallError::Rejected(rejected) = error else { panic!("{error:?}") };
        assert!(rejected.to_string().contains("1 call"), "{rejected}");
        assert_eq!(rejected.into_arguments::<(String, u8)>(), Some(("mine".to_owned(), 7)));
        assert!(matches!(pool.fallible("mine".into()).result(), Err(CallError::Rejected(_))));
        drop(held);
        running.result().unwrap();
        waiting.result().unwrap();
    }

    fn a_call_that_is_cancelled_gives_its_room_back_at_once(mode: ExecutionMode) {
        let gate = gate();
        for when_full in [WhenFull::Reject, WhenFull::DropOldest, WhenFull::Wait] {
            let held = gate.acquire(()).unwrap();
            let options = Numbered::options(mode, &gate, 1).max_queued_calls(3).when_full(when_full);
            let pool = options.init().unwrap();
            let running = pool.wait();
            eventually(|| gate.stats().limit("gate").unwrap().waiting == 1);
            let calls = [0, 1, 2].map(|number| pool.echo("call ".into(), number));
            assert_eq!(pool.stats().queued, 3);
            assert!(calls[1].cancel());
            // With `Wait`, this would never return.
            let another = pool.echo("call ".into(), 3);
            assert_eq!(pool.stats().queued, 3);
            calls[2].canceller().cancel();
            assert_eq!(pool.stats().queued, 2);
            drop(held);
            running.result().unwrap();
            assert_eq!([calls[0].result_timeout(HOUR).unwrap(), another.result().unwrap()], ["call 0", "call 3"]);
        }
    }

    fn a_full_queue_that_drops_the_oldest_makes_room_for_the_newest(mode: ExecutionMode) {
        let gate = gate();
        let held = gate.acquire(()).unwrap();
        let pool = Numbered::options(mode, &gate, 1)
            .max_queued_calls(2)
            .when_full(WhenFull::DropOldest)
            .init()
            .unwrap();
        let running = pool.wait();
        eventually(|| pool.stats().running == 1);
        let calls: Vec<_> = (0..4).map(|number| pool.echo("call ".into(), number)).collect();
        drop(held);
        running.result().unwrap();
        let outcomes = gather(calls).outcomes();
        assert!(outcomes[..2].iter().all(|outcome| matches!(outcome, Err(CallError::Displaced))), "{outcomes:?}");
        assert_eq!([outcomes[2].as_ref().unwrap(), outcomes[3].as_ref().unwrap()], ["call 2", "call 3"]);
    }

    fn a_call_that_backs_off_is_the_oldest_that_is_dropped(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let pool = Numbered::options(mode, (), 1)
            .retry(Retry::fixed(2).wait(HOUR).max_wait(HOUR).jitter(0.0))
            .clock(Arc::new(clock.clone()))
            .max_queued_calls(2)
            .when_full(WhenFull::DropOldest)
            .init()
            .unwrap();
        let calls = [pool.fallible(String::new()), pool.fallible(String::new())];
        eventually(|| pool.stats().retried == 2);
        assert_eq!(pool.echo("call ".into(), 3).result().unwrap(), "call 3");
        let [oldest, next] = calls;
        assert!(matches!(oldest.result(), Err(CallError::Displaced)));
        assert_eq!((next.is_done(), pool.stats().queued), (false, 1));
        clock.advance(HOUR);
        assert!(matches!(next.result(), Err(CallError::RetriesExhausted(_))));
        assert_eq!(clock.next_wake(), None);
    }
}

tests_in! { [thread: Thread, in_async: Async]
    fn a_map_whose_second_helper_finds_no_room_is_done_by_the_first(mode: ExecutionMode) {
        for when_full in [WhenFull::Reject, WhenFull::DropOldest] {
            let set = gate();
            let closed = set.acquire(()).unwrap();
            let options = TaskWorker::options(mode, &set, 4).max_queued_calls(1).when_full(when_full);
            let tasks = options.init().unwrap();
            let held: Vec<_> = (0..4)
                .map(|_| {
                    let gate = set.clone();
                    let call = tasks.submit(move || drop(gate.acquire(()).unwrap()));
                    eventually(|| tasks.stats().queued == 0);
                    call
                })
                .collect();
            let squares = tasks.map(0..10_u64, |n| n * n);
            drop(closed);
            assert_eq!(squares.result().unwrap(), (0..10).map(|n| n * n).collect::<Vec<u64>>());
            gather(held).result().unwrap();
        }
    }
}
