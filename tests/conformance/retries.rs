//! Retries (SPEC §4): what is tried again, when, and with what in the end.
//!
//! Attempts are counted by limits, since those work across processes: an attempt takes one of the `tries` that are left and
//! gives none back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use concurry::clock::{Clock, ManualClock};
use concurry::prelude::*;
use serde::{Deserialize, Serialize};

use super::constructors::Unit;
use super::{eventually, every_mode, every_mode_in_background};

const HOUR: Duration = Duration::from_secs(3600);
const AT_ONCE: Duration = Duration::ZERO;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Fault {
    #[error("busy after {0}")]
    Busy(u64),
    #[error("broken")]
    Broken,
    #[error("ask again in {0:?}")]
    Later(Duration),
}

impl Fault {
    fn is_transient(&self) -> bool {
        !matches!(self, Self::Broken)
    }

    fn asks_for(&self) -> Option<Duration> {
        match self {
            Self::Later(wait) => Some(*wait),
            _ => None,
        }
    }
}

fn is_early(_: &Fault, attempt: &Attempt) -> bool {
    assert_eq!(attempt.method(), "judged_with_context");
    attempt.elapsed() < HOUR && attempt.number() < 3
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "so a predicate is called")]
fn is_two_or_more(value: &u64) -> bool {
    *value >= 2
}

/// Fails until it has been called often enough. Its memory is the pool's limit `tries`, of which each attempt uses one up.
#[worker]
#[derive(Default)]
pub struct Flaky {
    runs: u64,
}

#[worker]
impl Flaky {
    /// Fails `times` times, with `fault`, counted in the limit.
    fn attempt(&mut self, times: u64) -> Result<u64, Fault> {
        self.runs += 1;
        let mut acquired = self.limits.try_acquire([("tries", 1), ("gate", 0)]).map_err(|_| Fault::Broken)?;
        drop(acquired.update([("tries", 1)]));
        let used = used(&self.limits);
        if used > times { Ok(used) } else { Err(Fault::Busy(used)) }
    }

    pub fn plain(&mut self, times: u64) -> Result<u64, Fault> {
        self.attempt(times)
    }

    pub async fn plain_async(&mut self, times: u64) -> Result<u64, Fault> {
        tokio::task::yield_now().await;
        self.attempt(times)
    }

    pub async fn shared_async(&self, text: String) -> Result<String, Fault> {
        tokio::task::yield_now().await;
        drop(
            self.limits
                .try_acquire([("tries", 1), ("gate", 0)])
                .map(|mut acquired| acquired.update([("tries", 1)])),
        );
        if used(&self.limits) > 2 { Ok(text) } else { Err(Fault::Broken) }
    }

    #[retry(on = Fault::is_transient, attempts = 5, wait = AT_ONCE)]
    pub fn only_transient(&mut self, times: u64, then_break: bool) -> Result<u64, Fault> {
        match self.attempt(times) {
            Ok(_) if then_break => Err(Fault::Broken),
            other => other,
        }
    }

    #[retry(on = is_early, attempts = 9, wait = AT_ONCE)]
    pub fn judged_with_context(&mut self) -> Result<u64, Fault> {
        self.attempt(99)
    }

    #[retry(on = |error, attempt| error.is_transient() && attempt.number() < 2, attempts = 9, wait = AT_ONCE)]
    pub fn judged_by_a_closure(&mut self) -> Result<u64, Fault> {
        self.attempt(99)
    }

    /// Judged by how long it has been going on.
    #[retry(on = |_, attempt| attempt.elapsed() < 2 * HOUR, attempts = 9, wait = HOUR, max_wait = HOUR, jitter = 0.0)]
    pub fn for_two_hours(&mut self) -> Result<u64, Fault> {
        self.attempt(99)
    }

    #[retry(until = |value, attempt| *value >= 3 && attempt.number() == 3, after = |_, _| None, attempts = 9, wait = AT_ONCE)]
    pub fn until_the_third(&mut self) -> Result<u64, Fault> {
        self.attempt(0)
    }

    #[retry(until = |value| *value >= 3, attempts = 9, wait = AT_ONCE)]
    pub fn until_three(&mut self) -> Result<u64, Fault> {
        self.attempt(0)
    }

    /// Cannot fail, and is tried again all the same.
    #[retry(until = is_two_or_more, attempts = 2, wait = AT_ONCE)]
    pub fn plain_value(&mut self, value: u64) -> u64 {
        value
    }

    #[retry(until = is_two_or_more, attempts = 1)]
    #[allow(clippy::unnecessary_wraps)]
    pub fn judged_once(&mut self, value: u64) -> Result<u64, Fault> {
        Ok(value)
    }

    #[retry(after = Fault::asks_for, attempts = 2, jitter = 0.0, max_wait = Duration::from_secs(1))]
    pub fn told_to_wait(&mut self, wait: Duration) -> Result<u64, Fault> {
        self.attempt(1).map_err(|_| Fault::Later(wait))
    }

    #[retry(on = |_| panic!("in a predicate"), attempts = 9, wait = AT_ONCE)]
    pub fn badly_judged(&mut self) -> Result<u64, Fault> {
        self.attempt(99)
    }

    #[retry(until = |_| panic!("in a predicate"), attempts = 9, wait = AT_ONCE)]
    pub fn badly_wanted(&mut self) -> Result<u64, Fault> {
        self.attempt(0)
    }

    #[retry(attempts = 3, wait = AT_ONCE, panics)]
    pub fn panics_first(&mut self, times: u64) -> Result<u64, Fault> {
        self.attempt(times).map_err(|error| panic!("{error}"))
    }

    pub fn panics_unnamed(&mut self) -> Result<u64, Fault> {
        panic!("once")
    }

    #[retry(attempts = 3, wait = AT_ONCE, worker_death)]
    pub fn dies_first(&mut self, times: u64) -> Result<u64, Fault> {
        self.attempt(times).map_err(|_| std::process::abort())
    }

    pub fn dies(&mut self) -> Result<u64, Fault> {
        std::process::abort()
    }

    /// Fails the first time while it holds the gate.
    #[retry(attempts = 2, wait = HOUR, jitter = 0.0)]
    pub fn fails_with_the_gate(&mut self) -> Result<u64, Fault> {
        let _gate = self.limits.acquire([("gate", 1)]).map_err(|_| Fault::Broken)?;
        self.attempt(1)
    }

    #[retry(attempts = 2)]
    pub fn overridden(&mut self) -> Result<u64, Fault> {
        self.attempt(99)
    }

    pub fn runs(&self) -> u64 {
        self.runs
    }
}

fn used(limits: &LimitPool) -> u64 {
    limits.sets()[0].stats().limit("tries").unwrap().in_use
}

/// A hundred tries, none of which comes back, and a gate.
pub fn tries() -> LimitSet {
    LimitSet::builder()
        .limit(RateLimit::new("tries", 100, HOUR * 24 * 365))
        .limit(ResourceLimit::new("gate", 1))
        .build()
        .unwrap()
}

fn used_of(set: &LimitSet) -> u64 {
    set.stats().limit("tries").unwrap().in_use
}

fn ends(exhausted: &RetriesExhausted<Fault>) -> Vec<String> {
    exhausted.attempts().iter().map(|attempt| attempt.end().to_string()).collect()
}

every_mode! {
    fn a_call_succeeds_on_its_third_attempt(mode: ExecutionMode) {
        let flaky = Flaky::options(mode, tries(), 1).retry(Retry::fixed(5).wait(AT_ONCE)).init().unwrap();
        assert_eq!(flaky.plain(2).result().unwrap(), 3);
        let stats = flaky.stats();
        assert_eq!(stats.retried, 2);
        eventually(|| flaky.stats().done == 1);
        assert_eq!(flaky.plain(0).result().unwrap(), 4);
    }

    fn async_methods_are_tried_again_too(mode: ExecutionMode) {
        let flaky = Flaky::options(mode, tries(), 1).retry(Retry::fixed(5).wait(AT_ONCE)).init().unwrap();
        assert_eq!(flaky.plain_async(1).result().unwrap(), 2);
        assert_eq!(flaky.shared_async("x".into()).result().unwrap(), "x");
    }

    fn without_a_retry_a_call_is_tried_once(mode: ExecutionMode) {
        let flaky = Flaky::options(mode, tries(), 1).init().unwrap();
        assert!(matches!(flaky.plain(1).result(), Err(CallError::Failed(Fault::Busy(1)))));
        let flaky = Flaky::options(mode, tries(), 1).retry(Retry::fixed(1)).init().unwrap();
        assert!(matches!(flaky.plain(1).result(), Err(CallError::Failed(Fault::Busy(1)))));
        assert_eq!(flaky.stats().retried, 0);
    }

    fn the_last_error_tells_of_every_attempt(mode: ExecutionMode) {
        let flaky = Flaky::options(mode, tries(), 1).retry(Retry::fixed(3).wait(AT_ONCE)).init().unwrap();
        let Err(CallError::RetriesExhausted(exhausted)) = flaky.plain(99).result() else { panic!() };
        assert_eq!(ends(&exhausted), ["busy after 1", "busy after 2", "busy after 3"]);
        assert_eq!(exhausted.method(), "plain");
        let verdicts: Vec<_> = exhausted.attempts().iter().map(concurry::FailedAttempt::verdict).collect();
        assert_eq!(verdicts, [AttemptVerdict::Retried(AT_ONCE), AttemptVerdict::Retried(AT_ONCE), AttemptVerdict::OutOfAttempts]);
        assert!(matches!(exhausted.last().unwrap().end(), AttemptEnd::Failed(Fault::Busy(3))));
        assert_eq!(exhausted.to_string(), "`plain` failed in 3 attempts and there are no more attempts; the last one: busy after 3");
    }

    fn only_errors_that_on_accepts_are_retried(mode: ExecutionMode) {
        let flaky = Flaky::options(mode, tries(), 1).init().unwrap();
        assert_eq!(flaky.only_transient(2, false).result().unwrap(), 3);
        assert!(matches!(flaky.only_transient(4, true).result(), Err(CallError::Failed(Fault::Broken))));
    }

    fn predicates_see_the_attempt(mode: ExecutionMode) {
        let set = tries();
        let flaky = Flaky::options(mode, &set, 1).init().unwrap();
        assert!(matches!(flaky.judged_with_context().result(), Err(CallError::Failed(Fault::Busy(3)))));
        assert!(matches!(flaky.judged_by_a_closure().result(), Err(CallError::Failed(Fault::Busy(5)))));
    }

    fn a_result_that_will_not_do_is_tried_again(mode: ExecutionMode) {
        let flaky = Flaky::options(mode, tries(), 1).init().unwrap();
        assert_eq!(flaky.until_three().result().unwrap(), 3);
        let other = Flaky::options(mode, tries(), 1).init().unwrap();
        assert_eq!(other.until_the_third().result().unwrap(), 3);
        assert_eq!(flaky.plain_value(2).result().unwrap(), 2);
        let Err(CallError::RetriesExhausted(exhausted)) = flaky.plain_value(1).result() else { panic!() };
        let values = exhausted.into_attempts().into_iter().map(|attempt| match attempt.into_end() {
            AttemptEnd::Rejected(result) => (result.shown().to_owned(), result.into_value()),
            other => panic!("{other:?}"),
        });
        assert_eq!(values.collect::<Vec<_>>(), [("1".to_owned(), Some(1_u64)), ("1".to_owned(), Some(1))]);
        let Err(CallError::RetriesExhausted(exhausted)) = flaky.judged_once(1).result() else { panic!() };
        assert_eq!(exhausted.attempts().len(), 1);
    }

    fn a_predicate_that_panics_says_no(mode: ExecutionMode) {
        let flaky = Flaky::options(mode, tries(), 1).init().unwrap();
        assert!(matches!(flaky.badly_judged().result(), Err(CallError::Failed(Fault::Busy(1)))));
        assert_eq!(flaky.badly_wanted().result().unwrap(), 2);
    }

    fn an_attempt_that_would_begin_after_the_budget_is_not_made(mode: ExecutionMode) {
        let retry = Retry::fixed(9).wait(HOUR).jitter(0.0).budget(HOUR / 2);
        let flaky = Flaky::options(mode, tries(), 1).retry(retry).init().unwrap();
        let Err(CallError::RetriesExhausted(exhausted)) = flaky.plain(99).result() else { panic!() };
        assert_eq!(ends(&exhausted), ["busy after 1"]);
        assert_eq!(exhausted.last().unwrap().verdict(), AttemptVerdict::OutOfTime);
    }

    fn panics_are_retried_when_named(mode: ExecutionMode) {
        let flaky = Flaky::options(mode, tries(), 1).retry(Retry::fixed(3).wait(AT_ONCE)).init().unwrap();
        assert_eq!(flaky.panics_first(2).result().unwrap(), 3);
        assert_eq!(flaky.runs().result().unwrap(), 1, "on a worker that was made anew");
        let Err(CallError::RetriesExhausted(exhausted)) = flaky.panics_first(99).result() else { panic!() };
        assert!(exhausted.attempts().iter().all(|attempt| matches!(attempt.end(), AttemptEnd::Panicked(_))));
        assert!(matches!(flaky.panics_unnamed().result(), Err(CallError::Panicked(_))));
    }

    fn a_method_overrides_its_pool_field_by_field(mode: ExecutionMode) {
        let retry = Retry::fixed(5).wait(AT_ONCE).budget(HOUR);
        let flaky = Flaky::options(mode, tries(), 1).retry(retry).init().unwrap();
        let Err(CallError::RetriesExhausted(exhausted)) = flaky.overridden().result() else { panic!() };
        assert_eq!(exhausted.attempts().len(), 2);
        assert_eq!(exhausted.attempts()[0].verdict(), AttemptVerdict::Retried(AT_ONCE), "the wait is the pool's");
    }

    fn what_cannot_be_is_an_error_of_init(mode: ExecutionMode) {
        for (retry, text) in [(Retry::fixed(0), "retry attempts is 0"), (Retry::fixed(2).jitter(f64::NAN), "retry jitter is NaN")] {
            let error = Flaky::options(mode, (), 1).retry(retry).init().unwrap_err();
            assert!(matches!(error, InitError::InvalidOption { .. }) && error.to_string().starts_with(text), "{error}");
        }
        let error = Keeper::options(mode, (), 1).retry(Retry::fixed(2)).init().unwrap_err();
        assert!(matches!(error, InitError::NotClonable { .. }), "{error}");
        assert!(error.to_string().contains("Unique") && error.to_string().contains("`keep`"), "{error}");
        drop(Keeper::options(mode, (), 1).init().unwrap());
    }

    fn a_retry_of_a_pool_whose_methods_cannot_fail_is_an_error(mode: ExecutionMode) {
        let error = Unit::options(mode, (), 1).retry(Retry::fixed(2)).init().unwrap_err();
        assert!(matches!(error, InitError::InvalidOption { option: "retry", .. }), "{error}");
        assert!(error.to_string().contains("no method of it returns a `Result`"), "{error}");
        // The configuration is for all pools.
        let mut config = Config::default();
        config.pool.retry.attempts = Some(2);
        with_config(config, || Unit::options(mode, (), 1).init().unwrap());
    }

    fn a_wait_that_an_error_asks_for_counts_against_the_budget(mode: ExecutionMode) {
        for wait in [HOUR + Duration::from_nanos(1), Duration::MAX] {
            let options = Flaky::options(mode, tries(), 1).retry(Retry::fixed(3).wait(AT_ONCE).budget(HOUR));
            let flaky = options.clock(Arc::new(ManualClock::new())).init().unwrap();
            let CallError::RetriesExhausted(exhausted) = flaky.told_to_wait(wait).result().unwrap_err() else { panic!() };
            let [attempt] = exhausted.attempts() else { panic!("{exhausted}") };
            assert_eq!(attempt.verdict(), AttemptVerdict::OutOfTime);
        }
    }
}

every_mode_in_background! {
    fn an_error_that_asks_for_a_wait_gets_it(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let flaky = Flaky::options(mode, tries(), 1).clock(Arc::new(clock.clone())).init().unwrap();
        let call = flaky.told_to_wait(HOUR);
        clock.wait_for_sleepers(1);
        assert_eq!(clock.next_wake(), Some(clock.now() + HOUR), "longer than max_wait");
        clock.advance(HOUR);
        assert_eq!(call.result().unwrap(), 2);
    }

    fn the_budget_is_one_of_all_attempts_together(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let retry = Retry::fixed(9).wait(HOUR).max_wait(HOUR).jitter(0.0).budget(5 * HOUR / 2);
        let flaky = Flaky::options(mode, tries(), 1).retry(retry).clock(Arc::new(clock.clone())).init().unwrap();
        let call = flaky.plain(99);
        for _ in 0..2 {
            // The back-off, and the end of the budget.
            clock.wait_for_sleepers(2);
            clock.advance(HOUR);
        }
        let Err(CallError::RetriesExhausted(exhausted)) = call.result() else { panic!("it never succeeds") };
        let elapsed: Vec<_> = exhausted.attempts().iter().map(concurry::FailedAttempt::elapsed).collect();
        assert_eq!(elapsed, [AT_ONCE, HOUR, 2 * HOUR]);
        assert_eq!(exhausted.last().unwrap().verdict(), AttemptVerdict::OutOfTime);
    }

    fn an_attempt_that_still_waits_at_the_end_of_the_budget_is_not_made(mode: ExecutionMode) {
        let (clock, set) = (ManualClock::new(), tries());
        let retry = Retry::fixed(9).wait(HOUR).max_wait(HOUR).jitter(0.0).budget(2 * HOUR);
        let flaky = Flaky::options(mode, &set, 1).retry(retry).clock(Arc::new(clock.clone())).init().unwrap();
        let call = flaky.plain(99);
        clock.wait_for_sleepers(2);
        // The only worker is held up, and the next attempt stands behind that.
        let closed = set.acquire([("gate", 1), ("tries", 0)]).unwrap();
        let holds = flaky.fails_with_the_gate();
        eventually(|| set.stats().limit("gate").unwrap().waiting == 1);
        clock.advance(HOUR);
        eventually(|| flaky.stats().queued == 1);
        clock.advance(HOUR);
        assert!(!call.is_done(), "it may begin until then");
        clock.advance(Duration::from_nanos(1));
        let Err(CallError::RetriesExhausted(exhausted)) = call.result() else { panic!("it never succeeds") };
        assert_eq!(ends(&exhausted), ["busy after 1"]);
        assert_eq!(exhausted.last().unwrap().verdict(), AttemptVerdict::OutOfTime);
        assert_eq!(flaky.stats().queued, 0);
        drop(closed);
        drop(holds);
    }

    fn a_callback_at_the_end_of_the_budget_is_one_from_within(mode: ExecutionMode) {
        let (clock, set) = (ManualClock::new(), tries());
        let retry = Retry::fixed(9).wait(HOUR).max_wait(HOUR).jitter(0.0).budget(2 * HOUR);
        let flaky = Flaky::options(mode, &set, 1).retry(retry).clock(Arc::new(clock.clone())).init().unwrap();
        let (call, own, (tell, told)) = (flaky.plain(99), flaky.clone(), mpsc::channel());
        call.on_done(move |_| tell.send(own.drain(Duration::MAX)).unwrap());
        clock.wait_for_sleepers(2);
        let closed = set.acquire([("gate", 1), ("tries", 0)]).unwrap();
        let holds = flaky.fails_with_the_gate();
        eventually(|| set.stats().limit("gate").unwrap().waiting == 1);
        clock.advance(HOUR);
        eventually(|| flaky.stats().queued == 1);
        clock.advance(2 * HOUR);
        assert!(!told.recv().unwrap(), "it is told at once");
        drop(closed);
        drop(holds);
    }

    fn predicates_see_how_long_it_has_been_going_on(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let flaky = Flaky::options(mode, tries(), 1).clock(Arc::new(clock.clone())).init().unwrap();
        let call = flaky.for_two_hours();
        for _ in 0..2 {
            clock.wait_for_sleepers(1);
            clock.advance(HOUR);
        }
        assert!(matches!(call.result(), Err(CallError::Failed(Fault::Busy(3)))));
    }

    fn not_all_of_a_crowd_wait_equally_long(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let retry = Retry::fixed(2).wait(HOUR).max_wait(HOUR).jitter(1.0);
        let flaky = Flaky::options(mode, tries(), 1).retry(retry).clock(Arc::new(clock.clone())).init().unwrap();
        let calls: Vec<_> = (0..20).map(|_| flaky.plain(99)).collect();
        clock.wait_for_sleepers(20);
        clock.advance(HOUR);
        let waits: Vec<_> = gather(calls)
            .outcomes()
            .into_iter()
            .map(|outcome| match outcome {
                Err(CallError::RetriesExhausted(exhausted)) => exhausted.attempts()[0].verdict(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
    }

    fn a_call_that_backs_off_holds_neither_worker_nor_limits(mode: ExecutionMode) {
        let (clock, set) = (ManualClock::new(), tries());
        let flaky = Flaky::options(mode, &set, 1).clock(Arc::new(clock.clone())).init().unwrap();
        let call = flaky.fails_with_the_gate();
        clock.wait_for_sleepers(1);
        // The only worker runs another call, and the gate is open.
        assert_eq!(flaky.runs().result().unwrap(), 1);
        drop(set.acquire([("gate", 1), ("tries", 0)]).unwrap());
        assert_eq!(flaky.stats().queued, 1);
        assert!(!call.is_done());
        clock.advance(HOUR);
        assert_eq!(call.result().unwrap(), 2);
    }

    fn a_call_comes_back_to_its_old_place(mode: ExecutionMode) {
        let (clock, set) = (ManualClock::new(), tries());
        let flaky = Flaky::options(mode, &set, 1).clock(Arc::new(clock.clone())).init().unwrap();
        let old = flaky.fails_with_the_gate();
        clock.wait_for_sleepers(1);
        // The worker is held at the gate by a younger call, and two wait behind that.
        let closed = set.acquire([("gate", 1), ("tries", 0)]).unwrap();
        let order = Arc::new(AtomicUsize::new(0));
        let younger: Vec<_> = (0..4).map(|_| flaky.fails_with_the_gate()).collect();
        eventually(|| set.stats().limit("gate").unwrap().waiting == 1 && flaky.stats().queued == 4);
        let places: Vec<_> = std::iter::once(&old).chain(&younger).map(|call| {
            let (place, order) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&order));
            let noted = Arc::clone(&place);
            call.on_done(move |_| noted.store(order.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst));
            place
        }).collect();
        clock.advance(HOUR);
        drop(closed);
        assert_eq!(old.result().unwrap(), 3, "before the calls that came later");
        gather(younger).result().unwrap();
        assert!(places[3..].iter().all(|place| place.load(Ordering::SeqCst) > places[0].load(Ordering::SeqCst)));
    }

    fn stop_answers_calls_that_back_off(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let flaky = Flaky::options(mode, tries(), 1).clock(Arc::new(clock.clone())).init().unwrap();
        let call = flaky.fails_with_the_gate();
        clock.wait_for_sleepers(1);
        flaky.stop();
        assert!(matches!(call.result(), Err(CallError::Stopped)));
        eventually(|| (flaky.workers(), clock.next_wake()) == (0, None));
    }

    fn drain_waits_for_calls_that_back_off(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let flaky = Flaky::options(mode, tries(), 2).clock(Arc::new(clock.clone())).init().unwrap();
        let call = flaky.fails_with_the_gate();
        clock.wait_for_sleepers(1);
        let drainer = std::thread::spawn({
            let flaky = flaky.clone();
            move || flaky.drain(Duration::MAX)
        });
        // It is closed once it refuses a call; then the time of the one that backs off comes.
        eventually(|| matches!(flaky.runs().result(), Err(CallError::Stopped)));
        assert!(!call.is_done());
        clock.advance(HOUR);
        assert!(drainer.join().unwrap());
        assert_eq!(call.result().unwrap(), 2);
        assert_eq!(flaky.workers(), 0);
    }

    fn dropping_the_last_handle_waits_for_calls_that_back_off(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let flaky = Flaky::options(mode, tries(), 1).clock(Arc::new(clock.clone())).init().unwrap();
        let call = flaky.fails_with_the_gate();
        clock.wait_for_sleepers(1);
        drop(flaky);
        clock.advance(HOUR);
        assert_eq!(call.result().unwrap(), 2);
    }

    fn cancelling_a_call_that_backs_off_ends_it_at_once(mode: ExecutionMode) {
        let (clock, set) = (ManualClock::new(), tries());
        let flaky = Flaky::options(mode, &set, 1).clock(Arc::new(clock.clone())).init().unwrap();
        let call = flaky.fails_with_the_gate();
        clock.wait_for_sleepers(1);
        assert!(call.cancel());
        assert!(matches!(call.result(), Err(CallError::Cancelled)));
        // The worker may be on its way out of asking the clock.
        eventually(|| (flaky.stats().queued, clock.next_wake()) == (0, None));
        clock.advance(HOUR);
        assert!(flaky.drain(Duration::MAX));
        assert_eq!(used_of(&set), 1, "it did not run again");
    }

    fn calls_that_back_off_are_backlog_but_never_wait_for_room(mode: ExecutionMode) {
        let (clock, set) = (ManualClock::new(), tries());
        let flaky = Flaky::options(mode, &set, 1).max_queued_calls(2).clock(Arc::new(clock.clone())).init().unwrap();
        let calls = [flaky.fails_with_the_gate(), flaky.fails_with_the_gate()];
        // The first attempt of the second succeeds: two were used by then.
        clock.wait_for_sleepers(1);
        let third = flaky.runs();
        assert!(third.result().is_ok());
        clock.advance(HOUR);
        gather(calls.into_iter().collect::<Vec<_>>()).result().unwrap();
    }
}

#[test]
fn in_sync_mode_the_caller_waits_and_others_have_their_turns() {
    let clock = ManualClock::new();
    let flaky =
        Flaky::options(ExecutionMode::Sync, tries(), 1).clock(Arc::new(clock.clone())).init().unwrap();
    let caller = std::thread::spawn({
        let flaky = flaky.clone();
        move || flaky.fails_with_the_gate().result()
    });
    clock.wait_for_sleepers(1);
    assert_eq!(flaky.runs().result().unwrap(), 1);
    let drainer = std::thread::spawn({
        let flaky = flaky.clone();
        move || flaky.drain(Duration::MAX)
    });
    eventually(|| matches!(flaky.runs().result(), Err(CallError::Stopped)));
    clock.advance(HOUR);
    assert_eq!(caller.join().unwrap().unwrap(), 2);
    assert!(drainer.join().unwrap());
    assert_eq!(flaky.workers(), 0);
}

#[test]
fn in_sync_mode_stop_wakes_a_caller_that_backs_off() {
    let clock = ManualClock::new();
    let flaky =
        Flaky::options(ExecutionMode::Sync, tries(), 1).clock(Arc::new(clock.clone())).init().unwrap();
    let caller = std::thread::spawn({
        let flaky = flaky.clone();
        move || flaky.fails_with_the_gate().result()
    });
    clock.wait_for_sleepers(1);
    flaky.stop();
    assert!(matches!(caller.join().unwrap(), Err(CallError::Stopped)));
    assert_eq!(flaky.workers(), 0);
}

#[test]
fn the_death_of_a_worker_is_retried_only_when_named() {
    let retry = Retry::fixed(3).wait(AT_ONCE).panics(true);
    let flaky = Flaky::options(ExecutionMode::Process, tries(), 1).retry(retry).init().unwrap();
    assert!(matches!(flaky.dies().result(), Err(CallError::WorkerDied(_))));
    assert_eq!(flaky.dies_first(1).result().unwrap(), 2);
    let Err(CallError::RetriesExhausted(exhausted)) = flaky.dies_first(99).result() else { panic!() };
    let died = |attempt: &concurry::FailedAttempt<Fault>| matches!(attempt.end(), AttemptEnd::WorkerDied(died) if died.signal() == Some(6));
    assert!(exhausted.attempts().len() == 3 && exhausted.attempts().iter().all(died));
}

#[test]
fn a_long_wait_on_the_systems_clock_is_ended_by_stop() {
    let flaky = Flaky::options(ExecutionMode::Thread, tries(), 1).init().unwrap();
    let call = flaky.fails_with_the_gate();
    eventually(|| flaky.stats().retried == 1);
    flaky.stop();
    assert!(matches!(call.result(), Err(CallError::Stopped)));
}

#[test]
fn short_waits_on_the_systems_clock_end_by_themselves() {
    let retry = Retry::exponential(9).wait(Duration::from_millis(1)).jitter(1.0);
    for mode in super::MODES {
        let flaky = Flaky::options(mode, tries(), 1).retry(retry).init().unwrap();
        assert_eq!(flaky.plain(5).result().unwrap(), 6);
    }
}

/// Cannot be cloned.
#[derive(Serialize, Deserialize)]
pub struct Unique;

#[worker]
#[derive(Default)]
pub struct Keeper;

#[worker]
impl Keeper {
    #[allow(clippy::unnecessary_wraps)]
    pub fn keep(&self, unique: Unique) -> Result<Unique, Fault> {
        Ok(unique)
    }
}

/// Its clones are whole; it itself panics when it is dropped.
struct Brittle(bool);

impl Clone for Brittle {
    fn clone(&self) -> Self {
        Self(false)
    }
}

impl Drop for Brittle {
    fn drop(&mut self) {
        assert!(!self.0 || std::thread::panicking(), "dropped");
    }
}

#[worker]
#[derive(Default)]
struct Careful;

#[worker]
impl Careful {
    #[retry]
    pub fn carry(&self, brittle: Brittle) -> Result<(), String> {
        if brittle.0 { Err("it is no clone".to_owned()) } else { Ok(()) }
    }
}

#[test]
fn arguments_that_panic_when_they_are_let_go_cost_neither_the_result_nor_the_worker() {
    let careful = Careful::options(ExecutionMode::Thread, (), 1).init().unwrap();
    for _ in 0..3 {
        careful.carry(Brittle(true)).result().unwrap();
    }
    careful.stop();
}
