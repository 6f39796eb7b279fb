//! What may be done to a set of several limits, in any order: see [`ways`](crate::ways).

use proptest::prelude::*;
use proptest::sample::Index;

/// Of each: a rate, the calls, a resource, and a rate of a user's own.
pub(crate) const KEYS: [&str; 4] = ["rate", "call_count", "doors", "own"];

/// What is wanted of each key; `None` names it not.
pub(crate) type Wanted = [Option<u64>; 4];

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Advance(u64),
    Try(Index),
    Wait(Index),
    WaitFor(Index, u64),
    /// Drops a waiter, whether it was granted or not.
    Leave(Index),
    /// Those that were woken see what for.
    Collect,
    Release(Index, Told),
    SetCapacity(usize, u64),
    Pause(usize, u64),
    Resume(usize),
    Hear(Said),
    Ask(Index),
    Look,
}

/// The used share of each key in quarters, more than four of which is a debt.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    Nothing,
    AtOnce([u64; 4]),
    OneByOne([u64; 4]),
    Again([u64; 4], [u64; 4]),
}

#[derive(Debug, Clone)]
pub(crate) enum Said {
    RetryAfter(u64),
    RetryAfterOn(usize, u64),
    Remaining(usize, u64, u64),
    Replenished(usize, u64, u64, u64),
}

pub(crate) fn step(keys: usize) -> impl Strategy<Value = Step> {
    let short = 0_u64..1_500_000_000;
    prop_oneof![
        4 => (0_u64..3_000_000_000).prop_map(Step::Advance),
        3 => (0_u64..20).prop_map(Step::Advance),
        8 => any::<Index>().prop_map(Step::Try),
        3 => any::<Index>().prop_map(Step::Wait),
        1 => (any::<Index>(), short.clone()).prop_map(|(which, time)| Step::WaitFor(which, time)),
        3 => any::<Index>().prop_map(Step::Leave),
        4 => Just(Step::Collect),
        6 => (any::<Index>(), told()).prop_map(|(which, told)| Step::Release(which, told)),
        1 => (0..keys, 1_u64..9).prop_map(|(key, capacity)| Step::SetCapacity(key, capacity)),
        1 => (0..keys, short).prop_map(|(key, time)| Step::Pause(key, time)),
        2 => (0..keys).prop_map(Step::Resume),
        1 => said(keys).prop_map(Step::Hear),
        1 => any::<Index>().prop_map(Step::Ask),
        1 => Just(Step::Look),
    ]
}

fn told() -> impl Strategy<Value = Told> {
    let quarters = || prop::array::uniform4(0_u64..7);
    prop_oneof![
        Just(Told::Nothing),
        quarters().prop_map(Told::AtOnce),
        quarters().prop_map(Told::OneByOne),
        (quarters(), quarters()).prop_map(|(first, last)| Told::Again(first, last)),
    ]
}

fn said(keys: usize) -> impl Strategy<Value = Said> {
    let time = 0_u64..2_000_000_000;
    prop_oneof![
        time.clone().prop_map(Said::RetryAfter),
        (0..keys, time.clone()).prop_map(|(key, time)| Said::RetryAfterOn(key, time)),
        (0..keys, 0_u64..6, time.clone()).prop_map(|(key, left, time)| Said::Remaining(key, left, time)),
        (0..keys, 0_u64..6, 0_u64..9, time)
            .prop_map(|(key, left, full, time)| Said::Replenished(key, left, full, time)),
    ]
}
