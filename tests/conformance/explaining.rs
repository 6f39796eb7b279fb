//! What `explain()` tells of a call (SPEC §2). Time stands on a manual clock.

use std::sync::Arc;
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

#[worker]
#[derive(Default)]
struct Slow;

#[worker]
impl Slow {
    #[limited(tokens = 1)]
    pub fn spend(&self, acquired: &mut LimitSetAcquisition) {
        acquired.update([("tokens", 1)]).unwrap();
    }

    #[limited(tokens = 1)]
    pub fn spend_too(&self, acquired: &mut LimitSetAcquisition) {
        acquired.update([("tokens", 1)]).unwrap();
    }

    #[limited(door = 1)]
    pub fn enter(&self, _acquired: &mut LimitSetAcquisition) {}

    pub async fn enters_later(&mut self) {
        drop(self.limits.acquire_async([("door", 1)]).await.unwrap());
    }

    pub async fn waits(&mut self) {
        let mut acquired = self.limits.acquire_async([("other", 1)]).await.unwrap();
        acquired.update([("other", 1)]).unwrap();
    }

    pub fn free(&self) {}
}

/// Its place, and how long it may take.
fn place(explanation: &Explanation) -> Option<(usize, Option<Duration>)> {
    match explanation {
        Explanation::Queued { ahead, expected, .. } => Some((*ahead, *expected)),
        _ => None,
    }
}

every_mode! {
    fn what_is_done_is_done(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(1).unwrap();
        let call = counter.add();
        eventually(|| call.is_done());
        assert_eq!(call.explain(), Explanation::Done);
        counter.stop();
        let refused = counter.add();
        assert_eq!(refused.explain(), Explanation::Done);
    }
}

every_mode_in_background! {
    fn a_call_knows_its_place_and_what_that_means_in_time(mode: ExecutionMode) {
        let (gate, clock) = (gate(), ManualClock::new());
        let acquirer = Acquirer::options(mode, &gate, 1).clock(Arc::new(clock.clone())).init().unwrap();
        let wait = || acquirer.acquire(amounts([("gate", 1)]), none());
        let waiting = || gate.stats().limit("gate").unwrap().waiting;

        let shut = gate.acquire(()).unwrap();
        let calls = [wait(), wait(), wait()];
        eventually(|| waiting() == 1);
        let told = calls.each_ref().map(Call::explain);
        assert_eq!(told[0], Explanation::Running);
        assert_eq!(told.each_ref().map(place)[1..], [Some((0, None)), Some((1, None))], "nothing is known as yet");
        assert_eq!(told[2].to_string(), "waits behind 1 call for its worker");

        clock.advance(SECOND * 10);
        drop(shut);
        gather(calls).result().unwrap();
        eventually(|| acquirer.stats().done == 3 && acquirer.stats().running == 0);
        let mean = acquirer.stats().run_time.unwrap().mean;
        let _shut = gate.acquire(()).unwrap();
        let calls = [wait(), wait(), wait()];
        eventually(|| waiting() == 1);
        let told = calls.each_ref().map(|call| place(&call.explain()));
        assert_eq!(told, [None, Some((0, Some(mean))), Some((1, Some(mean * 2)))]);
        assert!(calls[2].cancel());
        assert_eq!(calls[2].explain(), Explanation::Done);
    }

    fn a_limit_that_holds_a_call_is_named(mode: ExecutionMode) {
        let (set, clock) = tokens();
        let api = Api::options(mode, &set, 2).init().unwrap();
        let all = set.acquire([("tokens", 10)]).unwrap();
        let calls = [api.spend(5), api.spend(10)];
        // For the moment in which a worker asks the limits, nobody knows what they say; each of the two may ask.
        eventually(|| {
            let Explanation::Queued { ahead: 0, workers: 2, held_by, .. } = calls[0].explain() else {
                panic!("{:?}", calls[0].explain())
            };
            let half = Some(Duration::from_millis(500));
            held_by.is_some_and(|limit| (limit.key.as_str(), limit.admits_in) == ("tokens", half))
        });
        let text = calls[1].explain().to_string();
        assert!(text.contains("behind 1 call for one of 2 workers") && text.contains("the limit `tokens` admits it in 1.0s"), "{text}");
        drop(all);
        clock.advance(SECOND * 3);
        calls[0].result_timeout(HOUR).unwrap();
        clock.advance(SECOND * 3);
        calls[1].result_timeout(HOUR).unwrap();
    }

    fn calls_that_a_limit_holds_are_ahead_of_none_that_it_does_not_hold(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let slow = |key: &str| RateLimit::new(key, 1, Window::HOUR).algorithm(RateLimitAlgorithm::TokenBucket);
        let set = LimitSet::builder().limit(slow("tokens")).limit(slow("other")).clock(Arc::new(clock.clone()));
        let set = set.build().unwrap();
        for key in ["tokens", "other"] {
            set.acquire([(key, 1)]).unwrap().update([(key, 1)]).unwrap();
        }
        let slow = Slow::options(mode, &set, 1).init().unwrap();
        let held = [slow.spend(), slow.spend(), slow.spend()];
        eventually(|| matches!(held[0].explain(), Explanation::Queued { held_by: Some(_), .. }));
        let runs = slow.waits();
        eventually(|| set.stats().limit("other").unwrap().waiting == 1);
        let free = [slow.free(), slow.free()];
        eventually(|| place(&free[1].explain()) == Some((1, None)));
        eventually(|| place(&held[2].explain()).is_some_and(|(ahead, _)| ahead == 2));
        let wants_the_same = slow.spend_too();
        eventually(|| place(&wants_the_same.explain()).is_some_and(|(ahead, _)| ahead == 5));
        assert!(held.iter().all(Call::cancel) && wants_the_same.cancel());
        clock.advance(HOUR);
        runs.result().unwrap();
        gather(free).result().unwrap();
    }

    fn calls_that_wait_for_a_release_are_ahead_since_it_may_come_before_a_worker_is_free(mode: ExecutionMode) {
        let set = LimitSet::builder().limit(ResourceLimit::new("door", 1)).build().unwrap();
        let shut = set.acquire(()).unwrap();
        let slow = Slow::options(mode, &set, 1).init().unwrap();
        let runs = slow.enters_later();
        eventually(|| set.stats().limit("door").unwrap().waiting == 1);
        let enter = [slow.enter(), slow.enter()];
        let free = slow.free();
        eventually(|| place(&free.explain()) == Some((2, None)));
        drop(shut);
        gather([runs, free]).result().unwrap();
        gather(enter).result().unwrap();
    }

    fn a_call_that_backs_off_tells_how_long(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let retry = Retry::fixed(9).wait(HOUR).jitter(0.0);
        let options = Flaky::options(mode, tries(), 1).retry(retry);
        let flaky = options.clock(Arc::new(clock.clone())).init().unwrap();
        let call = flaky.plain(1);
        eventually(|| matches!(call.explain(), Explanation::BackingOff { .. }));
        clock.advance(SECOND * 600);
        assert_eq!(call.explain(), Explanation::BackingOff { attempts: 1, left: SECOND * 3000 });
        assert_eq!(call.explain().to_string(), "failed 1 time, is tried again in 3000.0s");
        clock.advance(HOUR);
        assert_eq!(call.result().unwrap(), 2);
    }

    fn a_call_to_a_certain_worker_waits_for_that_one(mode: ExecutionMode) {
        let gate = gate();
        let acquirer = Acquirer::options(mode, &gate, 3).init().unwrap();
        let shut = gate.acquire(()).unwrap();
        let mine = acquirer.affinity("mine");
        let calls = [0; 3].map(|_| mine.acquire(amounts([("gate", 1)]), none()));
        eventually(|| gate.stats().limit("gate").unwrap().waiting == 1);
        assert!(
            matches!(calls[2].explain(), Explanation::Queued { ahead: 1, workers: 1, .. }),
            "{}",
            calls[2].explain()
        );
        drop(shut);
        gather(calls).result().unwrap();
    }

    fn a_pool_whose_handles_are_gone_still_explains_its_calls(mode: ExecutionMode) {
        let gate = gate();
        let acquirer = Acquirer::options(mode, &gate, 1).init().unwrap();
        let shut = gate.acquire(()).unwrap();
        let calls = [0; 2].map(|_| acquirer.acquire(amounts([("gate", 1)]), none()));
        drop(acquirer);
        eventually(|| gate.stats().limit("gate").unwrap().waiting == 1);
        assert_eq!(place(&calls[1].explain()), Some((0, None)));
        drop(shut);
        gather(calls).result().unwrap();
    }

    fn what_is_made_of_other_calls_says_so(mode: ExecutionMode) {
        let gate = gate();
        let acquirer = Acquirer::options(mode, &gate, 1).init().unwrap();
        let shut = gate.acquire(()).unwrap();
        let mapped = acquirer.acquire(amounts([("gate", 1)]), none()).map(|region| region.len());
        assert_eq!(mapped.explain(), Explanation::Derived);
        drop(shut);
        assert_eq!(mapped.result().unwrap(), 0);
    }
}

#[test]
fn a_call_that_waits_for_its_worker_on_loan_is_not_running() {
    let gate = gate();
    let held = gate.acquire(()).unwrap();
    let pool = Insider::options(ExecutionMode::Async, (), 1).init().unwrap();
    let beside = pool.wait_at(gate.clone());
    eventually(|| gate.stats().limit("gate").unwrap().waiting == 1);
    let alone = pool.nothing();
    // What waits and is in no queue waits for its worker.
    eventually(|| pool.stats().queued == 0 && place(&alone.explain()).is_some());
    let told = alone.explain().to_string();
    assert!(told.starts_with("waits behind 0 calls for its worker"), "{told}");
    assert_eq!(beside.explain(), Explanation::Running);
    drop(held);
    alone.result().unwrap();
}
