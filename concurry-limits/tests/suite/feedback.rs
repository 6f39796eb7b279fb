//! What a server says holds for everyone, and the stricter of its word and our count.

use std::time::Duration;

use concurry_core::clock::{Clock, ManualClock, Timestamp};
use concurry_limits::{
    Admission, CallLimit, Feedback, LimitError, LimitSet, RateLimit, RateLimitAlgorithm, ResourceLimit,
    Window,
};
use proptest::prelude::*;

use crate::common::{NANO, SECOND, Task, acquiring, alone, just_before, on, seconds, wait_for_waiters};

/// Calls, tokens and connections.
fn account() -> (ManualClock, LimitSet) {
    let clock = ManualClock::new();
    let set = on(&clock)
        .limit(CallLimit::new(100, Window::SECOND))
        .limit(RateLimit::new("tokens", 1_000, Window::SECOND))
        .limit(ResourceLimit::new("connections", 5))
        .build()
        .expect("valid limits");
    (clock, set)
}

/// A set whose own count never refuses.
fn boundless() -> (ManualClock, LimitSet) {
    alone(RateLimit::new("tokens", u64::MAX / 4, Window::SECOND).algorithm(RateLimitAlgorithm::TokenBucket))
}

fn admits(set: &LimitSet, amount: u64) -> bool {
    set.would_admit([("tokens", amount)]) == Admission::Now
}

fn tokens_in(set: &LimitSet, amount: u64) -> Duration {
    match set.would_admit([("tokens", amount)]) {
        Admission::In(wait, _) => wait,
        other => panic!("{other:?}"),
    }
}

#[test]
fn retry_after_holds_everyone_to_its_exact_end() {
    let (clock, set) = account();
    set.acquire([("tokens", 0)]).unwrap().feedback(Feedback::retry_after(seconds(3)));
    let mut task = Task::waiting(set.acquire_async([("tokens", 1)]));
    clock.advance(just_before(seconds(3)));
    assert_eq!(task.wakes(), 0);
    clock.advance(NANO);
    drop(task.woken().unwrap());
}

#[test]
fn a_word_from_elsewhere_holds_for_the_longest_window_at_most() {
    let longest = Window::MAX.duration();
    let (clock, set) = account();
    let pause = r#"{"Pause": {"key": "tokens", "time": {"secs": 18446744073709551615, "nanos": 0}}}"#;
    let allowance = r#"{"Allowance": {"key": "call_count", "remaining": 0, "full": 0,
        "time": {"secs": 18446744073709551615, "nanos": 0}}}"#;
    let words = format!(r#"{{"words": [{pause}, {allowance}]}}"#);
    set.feedback(serde_json::from_str(&words).unwrap());
    assert_eq!(tokens_in(&set, 1), longest);
    assert!(matches!(set.would_admit([("tokens", 0)]), Admission::In(wait, _) if wait == longest));
    clock.advance(longest);
    drop(set.try_acquire([("tokens", 1)]).unwrap());
}

#[test]
fn retry_after_pauses_rates_and_calls_but_no_resources() {
    let (_clock, set) = account();
    set.feedback(Feedback::retry_after(seconds(3)));
    let stats = set.stats();
    let paused = |key| stats.limit(key).unwrap().paused_for;
    assert_eq!((paused("call_count"), paused("tokens")), (Some(seconds(3)), Some(seconds(3))));
    assert_eq!(paused("connections"), None);
    drop(set.try_acquire([("call_count", 0), ("connections", 1)]).unwrap());
}

#[test]
fn retry_after_on_a_key_pauses_that_one_alone() {
    let (_clock, set) = account();
    set.feedback(Feedback::retry_after_on("tokens", seconds(3)));
    assert!(set.try_acquire([("tokens", 1)]).is_err());
    drop(set.try_acquire([("call_count", 1)]).unwrap());
}

#[test]
fn a_later_shorter_hint_does_not_shorten_a_longer_pause() {
    let (clock, set) = account();
    set.feedback(Feedback::retry_after(seconds(10)));
    clock.advance(seconds(1));
    set.feedback(Feedback::retry_after(seconds(2)));
    assert_eq!(set.would_admit([("call_count", 1)]), Admission::In(seconds(9), "call_count".into()));
    set.feedback(Feedback::retry_after(seconds(20)));
    assert_eq!(set.would_admit([("call_count", 1)]), Admission::In(seconds(20), "call_count".into()));
}

#[test]
fn feedback_is_heard_after_the_release_too() {
    let (_clock, set) = account();
    let mut acquired = set.acquire([("call_count", 1)]).unwrap();
    acquired.update([("call_count", 1)]).unwrap();
    acquired.release().unwrap();
    acquired.feedback(Feedback::retry_after(SECOND));
    assert!(set.try_acquire([("call_count", 1)]).is_err());
}

#[test]
fn feedback_leaves_what_is_held_alone() {
    let (_clock, set) = account();
    let mut acquired = set.acquire([("tokens", 10)]).unwrap();
    acquired.feedback(Feedback::retry_after(SECOND).and(Feedback::remaining("tokens", 0, SECOND)));
    acquired.update([("tokens", 10)]).unwrap();
    acquired.release().unwrap();
}

#[test]
fn no_more_than_remain_are_admitted_until_the_reset_and_then_our_own_count_decides() {
    let (clock, set) = boundless();
    set.feedback(Feedback::remaining("tokens", 10, seconds(5)));
    drop(set.try_acquire([("tokens", 7)]).unwrap());
    assert_eq!(set.stats().limit("tokens").unwrap().available, 3);
    match set.try_acquire([("tokens", 4)]) {
        Err(LimitError::Unavailable { available: 3, available_in: Some(wait), .. }) => {
            assert_eq!(wait, seconds(5));
        }
        other => panic!("{other:?}"),
    }
    drop(set.try_acquire([("tokens", 3)]).unwrap());
    let mut task = Task::waiting(set.acquire_async([("tokens", 1_000)]));
    clock.advance(just_before(seconds(5)));
    assert_eq!(task.wakes(), 0);
    clock.advance(NANO);
    drop(task.woken().unwrap());
}

#[test]
fn our_own_count_holds_where_it_is_stricter() {
    let (_clock, set) = alone(RateLimit::new("tokens", 10, Window::SECOND));
    set.feedback(Feedback::remaining("tokens", 1_000, seconds(60)));
    drop(set.try_acquire([("tokens", 10)]).unwrap());
    assert_eq!(tokens_in(&set, 1), SECOND);
    assert!(matches!(set.would_admit([("tokens", 11)]), Admission::Never(_)));
}

#[test]
fn a_refilled_allowance_admits_at_the_exact_instant() {
    let (clock, set) = boundless();
    set.feedback(Feedback::replenished("tokens", 10, 70, seconds(60)));
    drop(set.try_acquire([("tokens", 10)]).unwrap());
    assert_eq!(tokens_in(&set, 1), SECOND);
    assert_eq!(tokens_in(&set, 25), seconds(25));
    assert_eq!(tokens_in(&set, 1_000), seconds(60));
    clock.advance(just_before(SECOND));
    assert!(!admits(&set, 1));
    clock.advance(NANO);
    assert!(admits(&set, 1) && !admits(&set, 2));
}

#[test]
fn a_larger_word_does_not_loosen_a_smaller_one_and_each_ends_at_its_own_time() {
    let (clock, set) = boundless();
    set.feedback(Feedback::remaining("tokens", 5, seconds(2)));
    set.feedback(Feedback::remaining("tokens", 100, seconds(60)));
    assert!(admits(&set, 5) && !admits(&set, 6));
    clock.advance(seconds(2));
    assert!(admits(&set, 100) && !admits(&set, 101));
    set.feedback(Feedback::remaining("tokens", 50, seconds(1)));
    assert!(!admits(&set, 51));
    clock.advance(seconds(1));
    assert!(admits(&set, 100) && !admits(&set, 101));
}

#[test]
fn a_window_that_is_over_holds_nothing_back() {
    let (_clock, set) = boundless();
    set.feedback(Feedback::remaining("tokens", 0, Duration::ZERO));
    set.feedback(Feedback::retry_after(Duration::ZERO));
    assert!(admits(&set, 1));
}

#[test]
fn those_who_wait_learn_their_new_instant() {
    let (clock, set) = alone(CallLimit::new(1, Window::SECOND));
    drop(set.acquire(()).unwrap());
    let mut task = Task::waiting(set.acquire_async(()));
    set.feedback(Feedback::remaining("call_count", 0, seconds(7)));
    assert_eq!(clock.next_wake(), Some(clock.now() + seconds(7)));
    clock.advance(seconds(7));
    drop(task.woken().unwrap());
}

#[test]
fn a_thread_that_waits_is_woken_when_the_allowance_ends() {
    let (clock, set) = boundless();
    set.feedback(Feedback::remaining("tokens", 1, seconds(7)));
    let waiter = acquiring(&set, "tokens", 2);
    wait_for_waiters(&set, "tokens", 1);
    clock.wait_for_sleepers(1);
    clock.advance(seconds(7));
    drop(waiter.join().unwrap().unwrap());
}

#[test]
fn a_grant_that_reached_nobody_does_not_use_the_allowance() {
    let clock = ManualClock::new();
    let set = on(&clock)
        .limit(RateLimit::new("tokens", 100, Window::SECOND))
        .limit(ResourceLimit::new("doors", 1))
        .build()
        .unwrap();
    let held = set.acquire([("doors", 1)]).unwrap();
    set.feedback(Feedback::remaining("tokens", 1, seconds(60)));
    clock.advance(NANO);
    let granted = Task::waiting(set.acquire_async([("tokens", 1)]));
    drop(held);
    assert_eq!(granted.wakes(), 1);
    drop(granted);
    drop(set.try_acquire([("tokens", 1)]).unwrap());
    assert!(set.try_acquire([("tokens", 1)]).is_err());
}

#[test]
fn a_grant_that_reached_nobody_does_not_loosen_what_a_server_said_since() {
    let clock = ManualClock::new();
    let set = on(&clock)
        .limit(RateLimit::new("tokens", 100, Window::SECOND))
        .limit(ResourceLimit::new("doors", 1))
        .build()
        .unwrap();
    let held = set.acquire([("doors", 1)]).unwrap();
    set.feedback(Feedback::remaining("tokens", 10, seconds(60)));
    clock.advance(NANO);
    let granted = Task::waiting(set.acquire_async([("tokens", 5)]));
    drop(held);
    assert_eq!(granted.wakes(), 1);
    clock.advance(SECOND);
    set.feedback(Feedback::remaining("tokens", 5, seconds(30)));
    drop(granted);
    assert_eq!(set.stats().limit("tokens").unwrap().available, 5);
    clock.advance(seconds(30));
    assert_eq!(set.stats().limit("tokens").unwrap().available, 10);
}

#[test]
fn resume_ends_what_a_server_said() {
    let (_clock, set) = boundless();
    set.feedback(Feedback::remaining("tokens", 0, Duration::MAX).and(Feedback::retry_after(Duration::MAX)));
    assert_eq!(tokens_in(&set, 1), Window::MAX.duration());
    let mut task = Task::waiting(set.acquire_async([("tokens", 1)]));
    set.resume("tokens").unwrap();
    drop(task.woken().unwrap());
}

#[test]
fn keys_that_the_set_does_not_have_are_skipped() {
    let (_clock, set) = boundless();
    set.feedback(Feedback::remaining("images", 0, SECOND).and(Feedback::remaining("tokens", 1, SECOND)));
    assert!(admits(&set, 1) && !admits(&set, 2));
    LimitSet::empty().feedback(Feedback::retry_after(SECOND));
    LimitSet::empty().acquire(()).unwrap().feedback(Feedback::retry_after(SECOND));
}

/// What happens to a set in the model below.
#[derive(Debug, Clone)]
enum Step {
    Advance(u64),
    Hear { base: u64, full: u64, nanos: u64 },
    Acquire(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..50_u64).prop_map(Step::Advance),
        (0..40_u64, 0..80_u64, 0..200_u64).prop_map(|(base, full, nanos)| Step::Hear { base, full, nanos }),
        (1..15_u64).prop_map(Step::Acquire),
    ]
}

/// A word, and what was taken since.
struct Heard {
    base: u64,
    full: u64,
    from: u64,
    until: u64,
    taken: u64,
}

impl Heard {
    fn allowed(&self, at: u64) -> u64 {
        let growth = self.full.saturating_sub(self.base);
        self.base + growth * (at - self.from) / (self.until - self.from)
    }
}

/// Words that no other outdoes, most of them: each allows more than the last, for longer.
fn stair() -> impl Strategy<Value = Vec<Step>> {
    let word = (0..100_u64, 0..30_u64, 1..20_u64).prop_map(|(base, growth, jitter)| Step::Hear {
        base,
        full: base + growth,
        nanos: base * 5 + jitter,
    });
    proptest::collection::vec(word, 0..25)
}

/// The most that all words allow at `at`.
fn most(heard: &[Heard], at: u64) -> u64 {
    let running = heard.iter().filter(|word| word.until > at);
    running.map(|word| word.allowed(at).saturating_sub(word.taken)).min().unwrap_or(u64::MAX)
}

proptest! {
    #[test]
    fn every_word_holds_for_its_whole_time_and_a_refusal_names_the_instant(
        said in stair(),
        steps in proptest::collection::vec(step(), 0..60),
        probed in 1..15_u64,
    ) {
        let (clock, set) = boundless();
        let mut heard: Vec<Heard> = Vec::new();
        let mut words = 0;
        for step in said.into_iter().chain(steps) {
            let now = clock.now().as_nanos();
            match step {
                Step::Advance(nanos) => clock.advance(Duration::from_nanos(nanos)),
                Step::Hear { base, full, nanos } => {
                    let full = full.max(base);
                    set.feedback(Feedback::replenished("tokens", base, full, Duration::from_nanos(nanos)));
                    if nanos > 0 {
                        words += 1;
                        heard.push(Heard { base, full, from: now, until: now + nanos, taken: 0 });
                    }
                }
                Step::Acquire(amount) => {
                    let admitted = set.try_acquire([("tokens", amount)]);
                    if let Ok(mut acquired) = admitted {
                        prop_assert!(amount <= most(&heard, now));
                        acquired.update([("tokens", amount)]).unwrap();
                        for word in &mut heard {
                            word.taken += amount;
                        }
                    } else if words <= 8 {
                        // With more words at a time, some are merged into stricter ones.
                        prop_assert!(amount > most(&heard, now));
                    }
                }
            }
        }
        if let Admission::In(wait, _) = set.would_admit([("tokens", probed)]) {
            clock.advance(just_before(wait));
            prop_assert!(!admits(&set, probed));
            clock.advance(NANO);
            prop_assert!(admits(&set, probed));
        }
        clock.advance_to(Timestamp::from_nanos(100_000));
        prop_assert!(admits(&set, 1_000_000));
    }
}

#[test]
fn no_later_shorter_word_of_anyone_shortens_a_longer_pause() {
    let shorter: [fn(&LimitSet); 5] = [
        |set| set.pause("tokens", seconds(2)).unwrap(),
        |set| set.feedback(Feedback::retry_after(seconds(2))),
        |set| set.feedback(Feedback::retry_after_on("tokens", seconds(2))),
        |set| set.feedback(Feedback::remaining("tokens", 500, seconds(2))),
        |set| {
            set.feedback(Feedback::retry_after(Duration::ZERO).and(Feedback::remaining("tokens", 9, SECOND)));
        },
    ];
    let longer: [fn(&LimitSet); 3] = [
        |set| set.pause("tokens", seconds(5)).unwrap(),
        |set| set.feedback(Feedback::retry_after(seconds(5))),
        |set| set.feedback(Feedback::remaining("tokens", 0, seconds(5))),
    ];
    for pause in longer {
        for shorten in shorter {
            let (clock, set) = account();
            pause(&set);
            let mut task = Task::waiting(set.acquire_async([("tokens", 1)]));
            shorten(&set);
            assert_eq!(clock.next_wake(), Some(clock.now() + seconds(5)));
            clock.advance(SECOND);
            shorten(&set);
            clock.advance(just_before(seconds(4)));
            assert_eq!(task.wakes(), 0);
            clock.advance(NANO);
            drop(task.woken().unwrap());
        }
    }
}
