//! Admission before dispatch: `#[limited(…)]` in every mode. Time stands on a manual clock.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use concurry::clock::ManualClock;
use concurry::prelude::*;

use super::limits::{in_use, tokens};
use super::workers::TestError;
use super::{eventually, every_mode, every_mode_in_background};

const SECOND: Duration = Duration::from_secs(1);

#[worker]
#[derive(Default)]
pub struct Api {
    order: Vec<u64>,
}

#[worker]
impl Api {
    /// Needs a token a letter, and uses one.
    #[limited(tokens = prompt.len() as u64)]
    pub fn complete(
        &mut self,
        prompt: String,
        acquired: &mut LimitSetAcquisition,
    ) -> Result<String, TestError> {
        acquired.update([("tokens", 1)])?;
        let region = acquired.config()["region"].as_str().unwrap_or_default();
        Ok(format!("{region}: {prompt}, {:?}", acquired.requested("tokens")))
    }

    /// Needs and uses `tokens`; the parameter may stand anywhere.
    #[limited("tokens" = tokens)]
    pub async fn spend(&self, acquired: &mut LimitSetAcquisition, tokens: u64) -> Result<u64, TestError> {
        acquired.update([("tokens", tokens)])?;
        Ok(tokens)
    }

    #[limited(tokens = 5)]
    pub fn note(&mut self, number: u64, acquired: &mut LimitSetAcquisition) -> Vec<u64> {
        acquired.update([("tokens", 5)]).unwrap();
        self.order.push(number);
        self.order.clone()
    }

    #[limited(tokens = tokens)]
    #[retry(attempts = 3, wait = Duration::ZERO)]
    pub fn fail(&mut self, tokens: u64, acquired: &mut LimitSetAcquisition) -> Result<u64, TestError> {
        acquired.update([("tokens", 1)])?;
        self.order.push(tokens);
        if self.order.len() < 3 { Err(TestError::Own("not yet".into())) } else { Ok(tokens) }
    }

    #[limited(tokens = 5)]
    pub fn panics(&self, _acquired: &mut LimitSetAcquisition) {
        panic!("on purpose");
    }

    /// Takes what has a default, and needs no parameter.
    #[limited]
    pub fn counted(&self) -> u64 {
        self.limits[0].stats().limits.iter().map(|limit| limit.in_use).sum()
    }

    /// Acquires by itself, on the worker.
    pub fn takes(&mut self) -> Result<u64, TestError> {
        let acquired = self.limits.acquire([("connections", 1)])?;
        Ok(acquired.requested("connections").unwrap_or(0))
    }

    pub fn free(&self) -> String {
        "free".into()
    }
}

fn waiting(set: &LimitSet) -> usize {
    set.stats().limit("tokens").unwrap().waiting
}

/// A call that was the first to ask, whose one worker runs a method that asks for the same.
fn one_that_waits_for_its_worker_holds_nothing(
    mode: ExecutionMode,
    workers: usize,
    to_one: impl Fn(&ApiHandle) -> ApiHandle,
) {
    let set = LimitSet::builder().limit(ResourceLimit::new("connections", 1)).build().unwrap();
    let held = set.acquire(()).unwrap();
    let waiting = || set.stats().limit("connections").unwrap().waiting;
    let api = Api::options(mode, &set, workers).init().unwrap();
    let one = to_one(&api);
    let declared = one.counted();
    eventually(|| waiting() == 1);
    let taken = one.takes();
    eventually(|| api.stats().running == 1 && waiting() == 1);
    drop(held);
    assert_eq!((taken.result().unwrap(), declared.result().unwrap()), (1, 1));
    eventually(|| api.stats().running == 0);
    assert_eq!(in_use(&set, "connections"), 0);
}

every_mode! {
    fn amounts_come_from_the_arguments_and_the_method_has_the_acquisition(mode: ExecutionMode) {
        let (set, _clock) = tokens();
        let api = Api::options(mode, &set, 1).init().unwrap();
        assert_eq!(api.complete("hello".into()).result().unwrap(), "eu: hello, Some(5)");
        assert_eq!(in_use(&set, "tokens"), 1, "the rest is refunded");
        assert_eq!(api.spend(9).result().unwrap(), 9);
        assert_eq!(in_use(&set, "tokens"), 10);
    }

    fn without_limits_it_is_admitted_at_once(mode: ExecutionMode) {
        let api = Api::options(mode, (), 1).init().unwrap();
        assert_eq!(api.complete("hello".into()).result().unwrap(), ": hello, None");
        assert_eq!((api.spend(u64::MAX).result().unwrap(), api.counted().result().unwrap()), (u64::MAX, 0));
    }

    fn what_can_never_be_admitted_is_an_error_that_says_why(mode: ExecutionMode) {
        let (set, _clock) = tokens();
        let api = Api::options(mode, &set, 1).init().unwrap();
        let error = api.spend(11).result().unwrap_err();
        let CallError::NotAdmitted(error) = error else { panic!("{error:?}") };
        assert!(error.to_string().contains("tokens") && error.to_string().contains("11"), "{error}");
        let source = std::error::Error::source(&error).unwrap();
        assert!(source.downcast_ref::<LimitError>().is_some());
        eventually(|| api.stats().running == 0);
        assert_eq!((in_use(&set, "tokens"), api.stats().queued), (0, 0));
    }

    fn an_unnamed_call_is_counted_while_the_method_runs(mode: ExecutionMode) {
        let set = LimitSet::builder().limit(ResourceLimit::new("connections", 2)).build().unwrap();
        let api = Api::options(mode, &set, 1).init().unwrap();
        assert_eq!(api.counted().result().unwrap(), 1);
        assert_eq!(in_use(&set, "connections"), 0);
    }

    fn each_attempt_acquires_anew(mode: ExecutionMode) {
        let (set, _clock) = tokens();
        let api = Api::options(mode, &set, 1).init().unwrap();
        assert_eq!(api.fail(8).result().unwrap(), 8);
        assert_eq!((in_use(&set, "tokens"), api.stats().retried), (3, 2));
    }

    fn a_panic_gives_back_what_was_acquired(mode: ExecutionMode) {
        let set = LimitSet::builder()
            .limit(RateLimit::new("tokens", 10, Window::SECOND))
            .limit(ResourceLimit::new("connections", 1))
            .build()
            .unwrap();
        let api = Api::options(mode, &set, 1).init().unwrap();
        assert!(matches!(api.panics().result(), Err(CallError::Panicked(_))));
        assert_eq!(in_use(&set, "connections"), 0);
    }

    fn a_set_that_each_worker_has_for_itself_cannot_admit_calls_of_the_pool(mode: ExecutionMode) {
        let set = LimitSet::builder().limit(ResourceLimit::new("connections", 2)).private().build().unwrap();
        let error = Api::options(mode, set, 1).init().unwrap_err().to_string();
        assert!(error.contains("private") && error.contains("#[limited]"), "{error}");
    }
}

every_mode_in_background! {
    fn a_call_that_is_not_admitted_yet_occupies_no_worker_and_blocks_no_other(mode: ExecutionMode) {
        let (set, clock) = tokens();
        let api = Api::options(mode, &set, 1).init().unwrap();
        api.spend(10).result().unwrap();
        let held_up = api.spend(5);
        eventually(|| waiting(&set) == 1);
        assert_eq!(api.stats().running, 0);
        assert_eq!(api.free().result().unwrap(), "free");
        assert!(!held_up.is_done());
        assert_eq!((api.stats().queued, in_use(&set, "tokens")), (1, 10));
        clock.advance(SECOND / 2);
        assert_eq!(held_up.result().unwrap(), 5);
    }

    fn calls_of_one_method_are_admitted_in_order(mode: ExecutionMode) {
        let (set, clock) = tokens();
        let api = Api::options(mode, &set, 1).init().unwrap();
        let calls: Vec<_> = (0..6).map(|number| api.note(number)).collect();
        for (call, round) in calls.into_iter().zip(0..) {
            if round >= 2 {
                eventually(|| waiting(&set) == 1);
                clock.advance(SECOND / 2);
            }
            assert_eq!(call.result().unwrap(), (0..=round).collect::<Vec<_>>());
        }
    }

    fn a_cancelled_call_leaves_the_queue_of_the_limits(mode: ExecutionMode) {
        let (set, clock) = tokens();
        let api = Api::options(mode, &set, 1).init().unwrap();
        api.spend(10).result().unwrap();
        let (large, small) = (api.spend(10), api.spend(5));
        eventually(|| waiting(&set) == 1);
        assert!(large.cancel());
        // The next one of the method takes its place.
        eventually(|| waiting(&set) == 1);
        clock.advance(SECOND / 2);
        assert_eq!(small.result().unwrap(), 5);
        eventually(|| api.stats().running == 0);
        assert_eq!((api.stats().queued, in_use(&set, "tokens"), waiting(&set)), (0, 10, 0));
    }

    fn stopping_answers_those_that_wait_for_limits_and_takes_nothing(mode: ExecutionMode) {
        let (set, clock) = tokens();
        let api = Api::options(mode, &set, 2).init().unwrap();
        api.spend(10).result().unwrap();
        let calls: Vec<_> = (0..5).map(|_| api.spend(2)).collect();
        eventually(|| waiting(&set) == 1);
        api.stop();
        assert!(calls.into_iter().all(|call| matches!(call.result(), Err(CallError::Stopped))));
        clock.advance(SECOND);
        assert_eq!((in_use(&set, "tokens"), waiting(&set)), (0, 0));
    }

    fn draining_waits_for_the_limits(mode: ExecutionMode) {
        let (set, clock) = tokens();
        let api = Api::options(mode, &set, 2).init().unwrap();
        api.spend(10).result().unwrap();
        let calls: Vec<_> = (0..3).map(|_| api.spend(10)).collect();
        let drained = std::thread::spawn({
            let api = api.clone();
            move || api.drain(Duration::from_secs(3600))
        });
        for call in calls {
            eventually(|| waiting(&set) == 1);
            clock.advance(SECOND);
            assert_eq!(call.result().unwrap(), 10);
        }
        assert!(drained.join().unwrap());
        assert_eq!(api.workers(), 0);
    }

    fn a_call_that_no_worker_is_free_for_holds_nothing_that_a_worker_waits_for(mode: ExecutionMode) {
        one_that_waits_for_its_worker_holds_nothing(mode, 1, ApiHandle::clone);
    }

    fn a_call_that_its_own_worker_is_not_free_for_holds_nothing_whoever_else_is_idle(mode: ExecutionMode) {
        one_that_waits_for_its_worker_holds_nothing(mode, 2, |api| api.affinity("ada"));
    }

    fn a_pool_on_demand_has_somebody_there_when_a_call_is_admitted(mode: ExecutionMode) {
        let (set, clock) = tokens();
        let own = ManualClock::new();
        let api = Api::options(mode, &set, 2).on_demand(SECOND).clock(Arc::new(own.clone())).init().unwrap();
        api.spend(10).result().unwrap();
        let held_up = api.spend(5);
        eventually(|| waiting(&set) == 1);
        for _ in 0..5 {
            // Its time is over; but something waits for its limits.
            eventually(|| own.next_wake().is_some() || api.workers() == 0);
            own.advance(SECOND);
        }
        assert!(api.workers() > 0);
        clock.advance(SECOND / 2);
        assert_eq!(held_up.result().unwrap(), 5);
    }

    fn an_older_call_does_not_pass_one_that_holds_what_it_waits_for(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let set = LimitSet::builder()
            .limit(RateLimit::new("tokens", 10, Window::SECOND).algorithm(RateLimitAlgorithm::TokenBucket))
            .limit(ResourceLimit::new("connections", 1))
            .clock(Arc::new(clock.clone()))
            .build()
            .unwrap();
        let api = Api::options(mode, &set, 1).init().unwrap();
        let held = set.acquire(()).is_err();
        assert!(held, "a rate must be named");
        let mut connection = set.acquire([("connections", 1)]).unwrap();
        let calls: Vec<_> = (0..3).map(|_| api.fail(2)).collect();
        eventually(|| set.stats().limit("connections").unwrap().waiting == 1);
        connection.release().unwrap();
        for call in calls {
            call.result().unwrap();
        }
        eventually(|| api.stats().running == 0);
        assert_eq!(in_use(&set, "connections"), 0);
    }
}

#[test]
fn a_child_that_dies_gives_back_what_it_was_lent() {
    let set = LimitSet::builder().limit(ResourceLimit::new("connections", 1)).build().unwrap();
    let mortal = Mortal::options(ExecutionMode::Process, &set, 1).init().unwrap();
    assert!(matches!(mortal.die().result(), Err(CallError::WorkerDied(_))));
    assert_eq!(mortal.live().result().unwrap(), Some(1));
    assert_eq!(in_use(&set, "connections"), 0);
}

#[worker]
#[derive(Default)]
pub struct Mortal {}

#[worker]
impl Mortal {
    #[limited]
    pub fn die(&self, _acquired: &mut LimitSetAcquisition) {
        std::process::abort();
    }

    #[limited]
    pub fn live(&self, acquired: &mut LimitSetAcquisition) -> Option<u64> {
        acquired.requested("connections")
    }
}

#[test]
fn a_call_that_can_share_its_worker_keeps_what_it_was_granted() {
    let set = LimitSet::builder().limit(ResourceLimit::new("connections", 1)).build().unwrap();
    let held = set.acquire(()).unwrap();
    let waiting = || set.stats().limit("connections").unwrap().waiting;
    let api = Api::options(ExecutionMode::Async, &set, 1).init().unwrap();
    let declared = api.counted();
    eventually(|| waiting() == 1);
    // Behind it stands one that keeps what it gets.
    let (open, opened) = mpsc::channel::<()>();
    let other = thread::spawn({
        let set = set.clone();
        move || {
            let acquired = set.acquire(()).unwrap();
            opened.recv().unwrap();
            drop(acquired);
        }
    });
    eventually(|| waiting() == 2);
    drop(held);
    assert_eq!(declared.result().unwrap(), 1);
    open.send(()).unwrap();
    other.join().unwrap();
}
