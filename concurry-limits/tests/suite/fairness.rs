//! The whole engine against a queue that is walked in full at every step.

use concurry_core::clock::{Clock, ManualClock};
use concurry_limits::{LimitSet, LimitSetAcquisition, RateLimit, ResourceLimit};
use proptest::prelude::*;

use crate::common::{Task, on, seconds};

const RESOURCES: [(&str, u64); 3] = [("a", 3), ("b", 2), ("c", 4)];
const RATE: u64 = 5;
const WINDOW: u64 = 3;

/// Amounts of `a`, `b`, `c` and of the rate `r`; 0 of everything never comes.
type Amounts = [u64; 4];

#[derive(Debug, Clone)]
enum Step {
    Acquire(Amounts),
    Try(Amounts),
    /// Releases the holder at this place, counted around.
    Release(usize),
    /// Drops the waiter at this place, counted around.
    Cancel(usize),
    Second,
}

fn amounts() -> impl Strategy<Value = Amounts> {
    (0..=3u64, 0..=2u64, 0..=4u64, 0..=5u64)
        .prop_map(|(a, b, c, r)| [a, b, c, r])
        .prop_filter("something is asked for", |amounts| amounts.iter().sum::<u64>() > 0)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => amounts().prop_map(Step::Acquire),
        1 => amounts().prop_map(Step::Try),
        4 => any::<usize>().prop_map(Step::Release),
        2 => any::<usize>().prop_map(Step::Cancel),
        1 => Just(Step::Second),
    ]
}

/// The promise in its plainest form: walk all waiters in order, admit who fits and shares no key with one passed over.
#[derive(Default)]
struct Model {
    second: u64,
    held: Vec<(usize, Amounts)>,
    charges: Vec<(u64, u64)>,
    waiting: Vec<(usize, Amounts)>,
}

fn share_a_key(one: &Amounts, other: &Amounts) -> bool {
    one.iter().zip(other).any(|(one, other)| *one > 0 && *other > 0)
}

impl Model {
    fn fits(&self, amounts: &Amounts) -> bool {
        let held = |index: usize| self.held.iter().map(|(_, held)| held[index]).sum::<u64>();
        let resources = RESOURCES.iter().enumerate();
        let recent =
            self.charges.iter().filter(|(at, _)| at + WINDOW > self.second).map(|(_, amount)| amount);
        let mut resources = resources.filter(|(index, _)| amounts[*index] > 0);
        resources.all(|(index, (_, capacity))| held(index) + amounts[index] <= *capacity)
            && (amounts[3] == 0 || recent.sum::<u64>() + amounts[3] <= RATE)
    }

    fn admit(&mut self, id: usize, amounts: Amounts) {
        self.held.push((id, amounts));
        self.charges.push((self.second, amounts[3]));
    }

    fn walk(&mut self) {
        let mut passed_over: Vec<Amounts> = Vec::new();
        for (id, amounts) in std::mem::take(&mut self.waiting) {
            if self.fits(&amounts) && !passed_over.iter().any(|earlier| share_a_key(earlier, &amounts)) {
                self.admit(id, amounts);
            } else {
                passed_over.push(amounts);
                self.waiting.push((id, amounts));
            }
        }
    }
}

fn request(amounts: &Amounts) -> [(&'static str, u64); 4] {
    [("a", amounts[0]), ("b", amounts[1]), ("c", amounts[2]), ("r", amounts[3])]
}

fn set(clock: &ManualClock) -> LimitSet {
    let rate = RateLimit::new("r", RATE, seconds(WINDOW));
    let builder = RESOURCES
        .iter()
        .fold(on(clock), |builder, (key, capacity)| builder.limit(ResourceLimit::new(*key, *capacity)));
    builder.limit(rate).build().expect("valid limits")
}

/// What the engine has granted so far becomes held; the rest goes on waiting.
fn collect(waiting: &mut Vec<(usize, Task)>, held: &mut Vec<(usize, LimitSetAcquisition)>) {
    for (id, mut task) in std::mem::take(waiting) {
        if task.wakes() > 0 {
            held.push((id, task.woken().expect("a grant")));
        } else {
            waiting.push((id, task));
        }
    }
}

fn agree(steps: Vec<Step>) {
    let clock = ManualClock::new();
    let set = set(&clock);
    let (mut waiting, mut held, mut model) = (Vec::new(), Vec::new(), Model::default());
    for (id, step) in steps.into_iter().enumerate() {
        match step {
            Step::Acquire(amounts) => {
                let mut task = Task::new(set.acquire_async(request(&amounts)));
                match task.poll() {
                    Some(outcome) => held.push((id, outcome.expect("a grant"))),
                    None => waiting.push((id, task)),
                }
                model.waiting.push((id, amounts));
            }
            Step::Try(amounts) => {
                let outcome = set.try_acquire(request(&amounts));
                let behind = model.waiting.iter().any(|(_, earlier)| share_a_key(earlier, &amounts));
                assert_eq!(outcome.is_ok(), model.fits(&amounts) && !behind, "try {amounts:?}");
                if let Ok(acquisition) = outcome {
                    held.push((id, acquisition));
                    model.admit(id, amounts);
                }
            }
            Step::Release(place) if !held.is_empty() => {
                let place = place % held.len();
                let (gone, acquisition) = held.swap_remove(place);
                drop(acquisition);
                model.held.retain(|(id, _)| *id != gone);
            }
            Step::Cancel(place) if !waiting.is_empty() => {
                let place = place % waiting.len();
                let (gone, task) = waiting.remove(place);
                drop(task);
                model.waiting.retain(|(id, _)| *id != gone);
            }
            Step::Second => {
                clock.advance(seconds(1));
                model.second += 1;
            }
            Step::Release(_) | Step::Cancel(_) => {}
        }
        model.walk();
        collect(&mut waiting, &mut held);
        let ids = |held: Vec<usize>| held.into_iter().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(
            ids(held.iter().map(|(id, _)| *id).collect()),
            ids(model.held.iter().map(|(id, _)| *id).collect())
        );
    }
    waiting.clear();
    held.clear();
    let stats = set.stats();
    assert!(RESOURCES.iter().all(|(key, _)| stats.limit(key).is_some_and(|limit| limit.in_use == 0)));
    assert!(stats.limits.iter().all(|limit| limit.waiting == 0));
    assert_eq!(clock.next_wake(), None, "no timer is left behind at {:?}", clock.now());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn waiters_are_served_as_though_the_whole_queue_were_walked_at_every_step(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        agree(steps);
    }
}
