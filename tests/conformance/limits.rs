//! Limits in every mode (SPEC §1): one set, whoever asks and wherever it runs. Time stands on a manual clock.

use std::sync::Arc;
use std::time::Duration;

use concurry::clock::ManualClock;
use concurry::prelude::*;

use super::workers::{Acquirer, TestError, amounts, none};
use super::{MODES, eventually, every_mode, every_mode_in_background};

pub fn limit_error<T: std::fmt::Debug>(outcome: Outcome<T, TestError>) -> LimitError {
    match outcome {
        Err(CallError::Failed(TestError::Limit(error))) => error,
        other => panic!("{other:?}"),
    }
}

/// A bucket of ten tokens a second, on a clock of its own.
pub fn tokens() -> (LimitSet, ManualClock) {
    let clock = ManualClock::new();
    let set = LimitSet::builder()
        .limit(RateLimit::new("tokens", 10, Window::SECOND).algorithm(RateLimitAlgorithm::TokenBucket))
        .config(json!({"region": "eu"}))
        .clock(Arc::new(clock.clone()))
        .build()
        .unwrap();
    (set, clock)
}

pub fn in_use(set: &LimitSet, key: &str) -> u64 {
    set.stats().limit(key).unwrap().in_use
}

every_mode! {
    fn without_limits_everything_is_admitted_at_once(mode: ExecutionMode) {
        let acquirer = Acquirer::options(mode, (), 1).init().unwrap();
        assert_eq!(acquirer.acquire(none(), none()).result().unwrap(), "");
        assert_eq!(acquirer.acquire(amounts([("any key", u64::MAX)]), none()).result().unwrap(), "");
        assert_eq!(acquirer.acquire_async(amounts([("any key", 5)]), none()).result().unwrap(), "");
    }

    fn what_is_not_used_is_refunded_and_the_config_is_there(mode: ExecutionMode) {
        let (set, _clock) = tokens();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        let region = acquirer.acquire(amounts([("tokens", 8)]), amounts([("tokens", 3)])).result().unwrap();
        assert_eq!((region.as_str(), in_use(&set, "tokens")), ("eu", 3));
        acquirer.acquire_async(amounts([("tokens", 7)]), amounts([("tokens", 0)])).result().unwrap();
        assert_eq!(in_use(&set, "tokens"), 3);
    }

    fn a_missing_update_is_told_after_all_was_given_back(mode: ExecutionMode) {
        let (set, _clock) = tokens();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        let error = limit_error(acquirer.acquire(amounts([("tokens", 4)]), none()).result());
        assert_eq!(error, LimitError::MissingUpdate { keys: vec!["tokens".into()] });
        assert_eq!(in_use(&set, "tokens"), 4, "an amount without an update counts as used");
    }

    fn usage_above_the_request_is_an_error_and_keeps_the_permit(mode: ExecutionMode) {
        let (set, _clock) = tokens();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        let error = limit_error(acquirer.acquire(amounts([("tokens", 4)]), amounts([("tokens", 5)])).result());
        assert_eq!(error, LimitError::UsageExceedsRequested { key: "tokens".into(), requested: 4, used: 5 });
    }

    fn debt_is_charged_where_it_is_allowed(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let limit = RateLimit::new("tokens", 10, Window::SECOND)
            .algorithm(RateLimitAlgorithm::TokenBucket)
            .overrun(Overrun::Debt);
        let set = LimitSet::builder().limit(limit).clock(Arc::new(clock.clone())).build().unwrap();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        acquirer.acquire(amounts([("tokens", 1)]), amounts([("tokens", 15)])).result().unwrap();
        let refused = limit_error(acquirer.try_acquire(amounts([("tokens", 1)])).result());
        assert!(
            matches!(refused, LimitError::Unavailable { available_in: Some(wait), .. } if wait == Duration::from_millis(600)),
            "{refused:?}"
        );
        clock.advance(Duration::from_millis(600));
        acquirer.try_acquire(amounts([("tokens", 1)])).result().unwrap();
    }

    fn a_refusal_names_limit_amounts_and_the_exact_wait(mode: ExecutionMode) {
        let (set, clock) = tokens();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        acquirer.acquire(amounts([("tokens", 10)]), amounts([("tokens", 10)])).result().unwrap();
        let refused = limit_error(acquirer.try_acquire(amounts([("tokens", 7)])).result());
        assert_eq!(refused, LimitError::Unavailable {
            key: "tokens".into(),
            requested: 7,
            capacity: 10,
            available: 0,
            available_in: Some(Duration::from_millis(700)),
        });
        clock.advance(Duration::from_millis(700) - Duration::from_nanos(1));
        limit_error(acquirer.try_acquire(amounts([("tokens", 7)])).result());
        clock.advance(Duration::from_nanos(1));
        acquirer.try_acquire(amounts([("tokens", 7)])).result().unwrap();
    }

    fn a_deadline_that_cannot_be_met_is_refused_at_once(mode: ExecutionMode) {
        let (set, _clock) = tokens();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        acquirer.acquire(amounts([("tokens", 10)]), amounts([("tokens", 10)])).result().unwrap();
        let refused = limit_error(acquirer.acquire_timeout(amounts([("tokens", 5)]), Duration::from_millis(499)).result());
        assert!(
            matches!(&refused, LimitError::Timeout { available_in: Some(wait), waited: Duration::ZERO, .. }
                if *wait == Duration::from_millis(500)),
            "{refused:?}"
        );
        assert_eq!(set.stats().limits[0].waiting, 0);
    }

    fn an_amount_above_the_capacity_is_refused_for_ever(mode: ExecutionMode) {
        let (set, _clock) = tokens();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        let refused = limit_error(acquirer.acquire(amounts([("tokens", 11)]), none()).result());
        assert!(matches!(&refused, LimitError::Never { requested: 11, capacity: 10, .. }), "{refused:?}");
    }

    fn an_unknown_key_is_an_error_that_lists_the_known(mode: ExecutionMode) {
        let (set, _clock) = tokens();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        let refused = limit_error(acquirer.acquire(amounts([("tokenz", 1)]), none()).result());
        assert_eq!(refused, LimitError::UnknownKey { key: "tokenz".into(), known: vec!["tokens".into()] });
    }

    fn an_empty_request_needs_defaults(mode: ExecutionMode) {
        let (set, _clock) = tokens();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        let refused = limit_error(acquirer.acquire(none(), none()).result());
        assert_eq!(refused, LimitError::AmountRequired { key: "tokens".into() });
    }

    fn calls_and_resources_are_taken_along_and_need_no_update(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let set = LimitSet::builder()
            .limit(CallLimit::new(100, Window::MINUTE))
            .limit(RateLimit::new("tokens", 10, Window::MINUTE))
            .limit(ResourceLimit::new("doors", 2))
            .clock(Arc::new(clock))
            .build()
            .unwrap();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        acquirer.acquire(amounts([("tokens", 5)]), amounts([("tokens", 5)])).result().unwrap();
        let stats = set.stats();
        assert_eq!(stats.limit("call_count").unwrap().admitted, 1);
        assert_eq!(stats.limit("doors").unwrap().admitted, 1);
        assert_eq!((stats.limit("call_count").unwrap().in_use, stats.limit("doors").unwrap().in_use), (1, 0));
        let wrong = acquirer.acquire(amounts([("tokens", 1)]), amounts([("tokens", 1), ("call_count", 0)]));
        assert_eq!(limit_error(wrong.result()), LimitError::UnexpectedUsage { key: "call_count".into(), used: 0 });
        let explicit = acquirer.acquire(amounts([("tokens", 1), ("call_count", 3)]), amounts([("tokens", 1)]));
        assert_eq!(limit_error(explicit.result()), LimitError::MissingUpdate { keys: vec!["call_count".into()] });
    }

    fn all_or_nothing_is_taken(mode: ExecutionMode) {
        let set = LimitSet::builder()
            .limit(ResourceLimit::new("a", 2))
            .limit(ResourceLimit::new("b", 1))
            .build()
            .unwrap();
        let b = set.acquire([("a", 0), ("b", 1)]).unwrap();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        let refused = limit_error(acquirer.try_acquire(amounts([("a", 2), ("b", 1)])).result());
        assert!(matches!(&refused, LimitError::Unavailable { key, available_in: None, .. } if key == "b"), "{refused:?}");
        assert_eq!(in_use(&set, "a"), 0);
        drop(b);
        acquirer.try_acquire(amounts([("a", 2), ("b", 1)])).result().unwrap();
        assert_eq!((in_use(&set, "a"), in_use(&set, "b")), (0, 0));
    }

    fn an_early_error_gives_back_and_is_not_hidden(mode: ExecutionMode) {
        let set = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).build().unwrap();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        let failed = acquirer.fail_while_holding(amounts([("doors", 1)])).result().unwrap_err();
        assert_eq!(failed.into_failed(), Some(TestError::Own("while holding".into())));
        drop(set.acquire(()).unwrap());
        assert_eq!(in_use(&set, "doors"), 0);
    }

    fn an_acquisition_is_updated_only_while_it_is_held_and_with_its_own_keys(mode: ExecutionMode) {
        let set = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).build().unwrap();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        assert!(matches!(
            limit_error(acquirer.update_unknown(amounts([("doors", 1)])).result()),
            LimitError::NotAcquired { key, .. } if key == "nobody acquired this"
        ));
        assert_eq!(limit_error(acquirer.update_after_release(amounts([("doors", 1)])).result()), LimitError::Released);
        drop(set.acquire(()).unwrap());
    }

    fn a_pool_of_sets_is_used_in_turns_from_the_workers_own_number(mode: ExecutionMode) {
        let region = |name: &str| LimitSet::builder().limit(ResourceLimit::new("doors", 1)).config(json!({"region": name})).build().unwrap();
        let acquirer = Acquirer::options(mode, [region("us"), region("eu"), region("ap")], 1).init().unwrap();
        assert_eq!(acquirer.pool().result().unwrap(), (3, 0));
        let regions: Vec<_> = (0..4).map(|_| acquirer.acquire(none(), none()).result().unwrap()).collect();
        assert_eq!(regions, ["us", "eu", "ap", "us"]);
    }

    fn the_earliest_of_several_sets_admits(mode: ExecutionMode) {
        let region = |name: &str| LimitSet::builder().limit(ResourceLimit::new("doors", 1)).config(json!({"region": name})).build().unwrap();
        let (us, eu) = (region("us"), region("eu"));
        let pool = LimitPool::new([us.clone(), eu.clone()]).load_balancing(LimitPoolBalancing::EarliestAvailable);
        let acquirer = Acquirer::options(mode, pool, 1).init().unwrap();
        let held = us.acquire(()).unwrap();
        assert_eq!(acquirer.acquire(none(), none()).result().unwrap(), "eu");
        drop(held);
        assert_eq!((in_use(&us, "doors"), in_use(&eu, "doors")), (0, 0));
    }

    fn statistics_are_seen_from_the_worker(mode: ExecutionMode) {
        let set = LimitSet::builder().limit(ResourceLimit::new("doors", 3)).build().unwrap();
        let held = set.acquire([("doors", 2)]).unwrap();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        assert_eq!(acquirer.in_use("doors".into()).result().unwrap(), Some(2));
        drop(held);
        assert_eq!(acquirer.in_use("doors".into()).result().unwrap(), Some(0));
    }

    fn a_retry_after_that_a_worker_hears_holds_for_everyone(mode: ExecutionMode) {
        let (set, clock) = tokens();
        let hearer = Acquirer::options(mode, &set, 1).init().unwrap();
        hearer.hear(amounts([("tokens", 1)]), Feedback::retry_after(Duration::from_secs(3))).result().unwrap();
        // A later, shorter hint does not shorten it.
        clock.advance(Duration::from_secs(1));
        set.feedback(Feedback::retry_after(Duration::from_secs(1)));
        for other in MODES {
            let other = Acquirer::options(other, &set, 1).init().unwrap();
            let refused = limit_error(other.try_acquire(amounts([("tokens", 1)])).result());
            assert!(
                matches!(&refused, LimitError::Unavailable { available_in: Some(wait), .. } if *wait == Duration::from_secs(2)),
                "{refused:?}"
            );
        }
        clock.advance(Duration::from_secs(2));
        hearer.try_acquire(amounts([("tokens", 1)])).result().unwrap();
    }

    fn what_remains_at_the_server_is_what_is_admitted_wherever_it_was_heard(mode: ExecutionMode) {
        let (set, clock) = tokens();
        let hearer = Acquirer::options(mode, &set, 1).init().unwrap();
        let said = Feedback::remaining("tokens", 2, Duration::from_secs(3));
        hearer.hear_late(amounts([("tokens", 1)]), said).result().unwrap();
        drop(set.try_acquire([("tokens", 2)]).unwrap());
        let refused = limit_error(hearer.try_acquire(amounts([("tokens", 1)])).result());
        assert!(
            matches!(&refused, LimitError::Unavailable { available: 0, available_in: Some(wait), .. } if *wait == Duration::from_secs(3)),
            "{refused:?}"
        );
        clock.advance(Duration::from_secs(3));
        hearer.try_acquire(amounts([("tokens", 10)])).result().unwrap();
    }

    fn a_set_is_steered_from_its_workers(mode: ExecutionMode) {
        let (set, _clock) = tokens();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        let (before, after) = acquirer.steer("tokens".into(), 20).result().unwrap();
        assert_eq!((before.as_str(), after.as_str()), (r#"In(60s, "tokens")"#, "Now"));
        assert_eq!(set.stats().limit("tokens").unwrap().capacity, 20);
        let unknown = limit_error(acquirer.steer("windows".into(), 20).result());
        assert!(matches!(unknown, LimitError::UnknownKey { .. }), "{unknown:?}");
    }

    fn an_abandoned_wait_leaves_nothing_taken(mode: ExecutionMode) {
        let set = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).build().unwrap();
        let held = set.acquire(()).unwrap();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        assert!(!acquirer.abandon(none()).result().unwrap(), "it had to wait, and was dropped");
        drop(held);
        drop(set.acquire(()).unwrap());
        acquirer.acquire(none(), none()).result().unwrap();
        assert_eq!(in_use(&set, "doors"), 0);
    }

    fn a_future_that_is_never_polled_takes_nothing(mode: ExecutionMode) {
        let set = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).build().unwrap();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        assert!(acquirer.beside_one_unpolled(none()).result().unwrap());
        assert_eq!((in_use(&set, "doors"), set.stats().limits[0].admitted), (0, 1));
    }

    fn a_timeout_of_zero_is_a_try(mode: ExecutionMode) {
        let set = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).build().unwrap();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        acquirer.acquire_timeout(none(), Duration::ZERO).result().unwrap();
        let held = set.acquire(()).unwrap();
        let refused = limit_error(acquirer.acquire_timeout(none(), Duration::ZERO).result());
        assert_eq!(refused, limit_error(acquirer.try_acquire(none()).result()));
        assert!(matches!(refused, LimitError::Unavailable { available: 0, .. }), "{refused:?}");
        drop(held);
    }

    fn a_lenient_set_skips_unknown_keys_of_requests_and_of_usages(mode: ExecutionMode) {
        let clock = Arc::new(ManualClock::new());
        let limit = RateLimit::new("tokens", 10, Window::MINUTE).algorithm(RateLimitAlgorithm::TokenBucket);
        let set = LimitSet::builder().limit(limit).lenient().clock(clock).build().unwrap();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        let unknown = [("tokens", 4), ("pages", 9)];
        acquirer.acquire(amounts(unknown), amounts([("pages", 5), ("tokens", 1)])).result().unwrap();
        acquirer.acquire_async(amounts(unknown), amounts([("tokens", 1), ("pages", 7)])).result().unwrap();
        assert_eq!(in_use(&set, "tokens"), 2);
        let strict = limit_error(acquirer.acquire(amounts(unknown), amounts([("tokens", 5)])).result());
        assert!(matches!(strict, LimitError::UsageExceedsRequested { .. }), "{strict:?}");
    }

    fn a_private_set_gives_each_worker_a_state_of_its_own(mode: ExecutionMode) {
        let set = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).private().build().unwrap();
        let held = set.acquire(()).unwrap();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        acquirer.acquire(none(), none()).result().unwrap();
        drop(held);
    }
}

every_mode_in_background! {
    fn a_waiter_is_admitted_at_the_exact_instant(mode: ExecutionMode) {
        let (set, clock) = tokens();
        let mut all = set.acquire([("tokens", 10)]).unwrap();
        all.update([("tokens", 10)]).unwrap();
        all.release().unwrap();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        let call = acquirer.acquire(amounts([("tokens", 5)]), amounts([("tokens", 5)]));
        eventually(|| set.stats().limits[0].waiting == 1);
        clock.wait_for_sleepers(1);
        clock.advance(Duration::from_millis(500) - Duration::from_nanos(1));
        eventually(|| set.stats().limits[0].waiting == 1);
        clock.wait_for_sleepers(1);
        clock.advance(Duration::from_nanos(1));
        assert_eq!(call.result().unwrap(), "eu");
        assert_eq!(in_use(&set, "tokens"), 10);
    }

    fn a_release_wakes_the_waiter(mode: ExecutionMode) {
        let set = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).build().unwrap();
        let held = set.acquire(()).unwrap();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        let call = acquirer.acquire(none(), none());
        eventually(|| set.stats().limits[0].waiting == 1);
        drop(held);
        call.result().unwrap();
    }

    fn first_come_first_served_and_nobody_overtakes(mode: ExecutionMode) {
        let set = LimitSet::builder().limit(ResourceLimit::new("doors", 2)).build().unwrap();
        let held = set.acquire([("doors", 1)]).unwrap();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        let large = acquirer.acquire(amounts([("doors", 2)]), none());
        eventually(|| set.stats().limits[0].waiting == 1);
        assert!(set.try_acquire(()).is_err(), "one door is free, but the large request was here first");
        drop(held);
        large.result().unwrap();
        drop(set.acquire([("doors", 2)]).unwrap());
    }

    fn requests_without_a_key_in_common_do_not_wait_for_each_other(mode: ExecutionMode) {
        let set = LimitSet::builder()
            .limit(RateLimit::new("a", 1, Window::DAY))
            .limit(RateLimit::new("b", 1, Window::DAY))
            .build()
            .unwrap();
        drop(set.acquire([("a", 1)]).unwrap());
        let acquirer = Acquirer::options(mode, &set, 2).init().unwrap();
        let waits = acquirer.acquire_async(amounts([("a", 1)]), none());
        eventually(|| set.stats().limit("a").unwrap().waiting == 1);
        acquirer.acquire_async(amounts([("b", 1)]), amounts([("b", 1)])).result().unwrap();
        waits.cancel();
    }

    fn workers_of_all_modes_share_one_set(mode: ExecutionMode) {
        let set = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).limit(ResourceLimit::new("gate", 1)).build().unwrap();
        let closed = set.acquire([("gate", 1), ("doors", 0)]).unwrap();
        let holder = Acquirer::options(mode, &set, 1).init().unwrap();
        let holds = holder.hold(amounts([("doors", 1), ("gate", 0)]), amounts([("gate", 1), ("doors", 0)]));
        eventually(|| set.stats().limit("gate").unwrap().waiting == 1);
        let others: Vec<_> = MODES.into_iter().map(|mode| Acquirer::options(mode, &set, 1).init().unwrap()).collect();
        for other in &others {
            let refused = limit_error(other.try_acquire(amounts([("doors", 1), ("gate", 0)])).result());
            assert!(matches!(&refused, LimitError::Unavailable { key, .. } if key == "doors"), "{refused:?}");
        }
        drop(closed);
        holds.result().unwrap();
        for other in &others {
            other.try_acquire(amounts([("doors", 1), ("gate", 1)])).result().unwrap();
        }
    }

    fn workers_of_a_pool_start_on_different_sets(mode: ExecutionMode) {
        let gate = || LimitSet::builder().limit(ResourceLimit::new("gate", 1)).build().unwrap();
        let (us, eu) = (gate(), gate());
        let (us_closed, eu_closed) = (us.acquire(()).unwrap(), eu.acquire(()).unwrap());
        let options = Acquirer::options(mode, [us.clone(), eu.clone()], 2);
        let acquirer = options.load_balancing(LoadBalancing::RoundRobin).init().unwrap();
        let calls = [acquirer.acquire(none(), none()), acquirer.acquire(none(), none())];
        eventually(|| us.stats().limits[0].waiting == 1 && eu.stats().limits[0].waiting == 1);
        drop((us_closed, eu_closed));
        gather(calls).result().unwrap();
    }

    fn a_waiter_on_several_sets_takes_from_one_alone(mode: ExecutionMode) {
        let gate = || LimitSet::builder().limit(ResourceLimit::new("gate", 1)).build().unwrap();
        let (us, eu) = (gate(), gate());
        let (us_closed, eu_closed) = (us.acquire(()).unwrap(), eu.acquire(()).unwrap());
        let pool = LimitPool::new([us.clone(), eu.clone()]).load_balancing(LimitPoolBalancing::EarliestAvailable);
        let acquirer = Acquirer::options(mode, pool, 1).init().unwrap();
        let call = acquirer.acquire(none(), none());
        eventually(|| us.stats().limits[0].waiting == 1 && eu.stats().limits[0].waiting == 1);
        drop(eu_closed);
        call.result().unwrap();
        drop(us_closed);
        assert_eq!((in_use(&us, "gate"), in_use(&eu, "gate")), (0, 0));
        let admitted = us.stats().limits[0].admitted + eu.stats().limits[0].admitted;
        assert_eq!(admitted, 3, "the two of this test and one for the call");
    }
}
