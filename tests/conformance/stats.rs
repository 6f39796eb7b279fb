//! What `stats()` tells of a pool (SPEC §2). Time stands on a manual clock.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use concurry::clock::ManualClock;
use concurry::prelude::*;

use super::admission::Api;
use super::from_within::Insider;
use super::limits::tokens;
use super::retries::{Flaky, tries};
use super::workers::{Acquirer, Counter, amounts, none};
use super::{eventually, every_mode, every_mode_in_background, gate};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Whether a time that was told is the one that it should be, by the precision that is promised.
fn is_about(told: Duration, wanted: Duration) -> bool {
    told >= wanted && told <= wanted * 107 / 100
}

every_mode! {
    fn what_failed_is_counted_and_what_crashed(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(1).unwrap();
        counter.add().result().unwrap();
        counter.fail("on purpose".into()).result().unwrap_err();
        counter.fail_async("on purpose".into()).result().unwrap_err();
        counter.panic("on purpose".into()).result().unwrap_err();
        counter.add().result().unwrap();
        eventually(|| counter.stats().done == 5);
        let stats = counter.stats();
        assert_eq!((stats.failed, stats.crashed, stats.retried), (3, 1, 0));
    }

    fn what_its_limits_never_admit_has_failed(mode: ExecutionMode) {
        let (set, _clock) = tokens();
        let api = Api::options(mode, &set, 1).init().unwrap();
        api.spend(11).result().unwrap_err();
        api.complete("a prompt of many letters".into()).result().unwrap_err();
        eventually(|| api.stats().done == 2 && api.stats().running == 0);
        assert_eq!(api.stats().failed, 2);
    }

    fn an_attempt_that_is_followed_by_another_is_neither_done_nor_failed(mode: ExecutionMode) {
        let at_once = Retry::fixed(3).wait(Duration::ZERO);
        let flaky = Flaky::options(mode, tries(), 1).retry(at_once).init().unwrap();
        flaky.plain(2).result().unwrap();
        eventually(|| flaky.stats().done == 1);
        assert_eq!((flaky.stats().failed, flaky.stats().retried), (0, 2));
        flaky.plain(99).result().unwrap_err();
        eventually(|| flaky.stats().done == 2);
        assert_eq!((flaky.stats().failed, flaky.stats().retried), (1, 4));
        // What is not wanted has failed, although its method has not.
        flaky.plain_value(1).result().unwrap_err();
        eventually(|| flaky.stats().done == 3);
        assert_eq!((flaky.stats().failed, flaky.stats().retried), (2, 5));
    }

    fn how_long_a_call_ran_is_measured(mode: ExecutionMode) {
        let (gate, clock) = (gate(), ManualClock::new());
        let acquirer = Acquirer::options(mode, &gate, 1).clock(Arc::new(clock.clone())).init().unwrap();
        assert_eq!((acquirer.stats().run_time, acquirer.stats().queue_wait), (None, None));
        for seconds in [3, 3, 3, 90] {
            let shut = gate.acquire(()).unwrap();
            let call = thread::spawn({
                let acquirer = acquirer.clone();
                move || acquirer.acquire(amounts([("gate", 1)]), none()).result().unwrap()
            });
            eventually(|| gate.stats().limit("gate").unwrap().waiting == 1);
            clock.advance(SECOND * seconds);
            drop(shut);
            call.join().unwrap();
        }
        eventually(|| acquirer.stats().done == 4);
        eventually(|| acquirer.stats().run_time.is_some_and(|times| times.measured == 4));
        let stats = acquirer.stats();
        let (runs, waits) = (stats.run_time.unwrap(), stats.queue_wait.unwrap());
        assert!(is_about(runs.p50, SECOND * 3) && is_about(runs.p99, SECOND * 90), "{runs:?}");
        assert!(runs.mean > SECOND * 20 && runs.mean < SECOND * 30, "{runs:?}");
        assert_eq!((waits.p99, waits.measured), (Duration::ZERO, 4));
    }

    fn workers_are_told_by_what_they_do(mode: ExecutionMode) {
        let gate = gate();
        let acquirer = Acquirer::options(mode, &gate, 1).init().unwrap();
        let states = || {
            let states = acquirer.stats().worker_states;
            (states.idle, states.busy, states.leaving)
        };
        eventually(|| states() == (1, 0, 0));
        let shut = gate.acquire(()).unwrap();
        let call = thread::spawn({
            let acquirer = acquirer.clone();
            move || acquirer.acquire(amounts([("gate", 1)]), none()).result().unwrap()
        });
        eventually(|| gate.stats().limit("gate").unwrap().waiting == 1);
        assert_eq!(states(), (0, 1, 0));
        drop(shut);
        call.join().unwrap();
        eventually(|| states() == (1, 0, 0));
        acquirer.stop();
        assert_eq!(acquirer.workers(), 0);
    }
}

every_mode_in_background! {
    fn how_long_a_call_waited_is_measured(mode: ExecutionMode) {
        let (gate, clock) = (gate(), ManualClock::new());
        let acquirer = Acquirer::options(mode, &gate, 1).clock(Arc::new(clock.clone())).init().unwrap();
        let shut = gate.acquire(()).unwrap();
        // The first runs and waits there; the second waits in the queue.
        let first = acquirer.acquire(amounts([("gate", 1)]), none());
        eventually(|| gate.stats().limit("gate").unwrap().waiting == 1);
        clock.advance(SECOND);
        let second = acquirer.acquire(amounts([("gate", 1)]), none());
        clock.advance(SECOND * 60);
        drop(shut);
        gather([first, second]).result().unwrap();
        eventually(|| acquirer.stats().queue_wait.is_some_and(|times| times.measured == 2));
        let waits = acquirer.stats().queue_wait.unwrap();
        assert!(waits.p50 == Duration::ZERO && is_about(waits.p99, SECOND * 60), "{waits:?}");
    }

    fn a_call_that_ends_in_its_back_off_is_done_once(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let retry = Retry::fixed(9).wait(HOUR).jitter(0.0);
        let start = || {
            let options = Flaky::options(mode, tries(), 1).retry(retry);
            options.clock(Arc::new(clock.clone())).init().unwrap()
        };
        let flaky = start();
        let call = flaky.plain(99);
        for retried in 1..=3 {
            eventually(|| flaky.stats().retried == retried && flaky.stats().running == 0);
            assert_eq!((flaky.stats().done, flaky.stats().queued), (0, 1));
            if retried < 3 {
                clock.advance(HOUR);
            }
        }
        assert!(call.cancel());
        assert_eq!((flaky.stats().done, flaky.stats().failed, flaky.stats().queued), (1, 1, 0));
        assert!(flaky.plain(0).result().is_ok());
        eventually(|| flaky.stats().done == 2);
        assert_eq!(flaky.stats().failed, 1);

        let stopped = start();
        let call = stopped.plain(99);
        eventually(|| stopped.stats().retried == 1 && stopped.stats().running == 0);
        stopped.stop();
        assert!(matches!(call.result(), Err(CallError::Stopped)));
        assert_eq!((stopped.stats().done, stopped.stats().failed), (1, 1));
    }

    fn short_calls_are_measured_by_samples(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let counter = Counter::options(mode, (), 1).clock(Arc::new(clock)).init(1).unwrap();
        counter.add().result().unwrap();
        eventually(|| counter.stats().run_time.is_some());
        for _ in 0..2_000 {
            drop(counter.add());
        }
        assert!(counter.drain(HOUR));
        let measured = counter.stats().run_time.unwrap().measured;
        assert!((2..100).contains(&measured), "{measured} of 2,001 calls");
    }
}

#[test]
fn to_wait_for_a_worker_on_loan_is_not_to_run() {
    let (gate, clock) = (gate(), ManualClock::new());
    let held = gate.acquire(()).unwrap();
    let pool = Insider::options(ExecutionMode::Async, (), 1).clock(Arc::new(clock.clone())).init().unwrap();
    let beside = pool.wait_at(gate.clone());
    eventually(|| gate.stats().limit("gate").unwrap().waiting == 1);
    let alone = pool.nothing();
    eventually(|| pool.stats().running == 2);
    clock.advance(HOUR);
    drop(held);
    beside.result().unwrap();
    alone.result().unwrap();
    eventually(|| pool.stats().run_time.is_some_and(|times| times.measured == 2));
    let stats = pool.stats();
    let (runs, waits) = (stats.run_time.unwrap(), stats.queue_wait.unwrap());
    assert_eq!((runs.p50, waits.p50), (Duration::ZERO, Duration::ZERO), "one of two");
    assert!(is_about(runs.p99, HOUR) && is_about(waits.p99, HOUR), "{runs:?}, {waits:?}");
}
