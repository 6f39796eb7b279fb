//! A crowd that waits: what a release costs does not depend on how many stand in line.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use concurry_core::clock::Timestamp;
use concurry_limits::{Limit, LimitSet, LimitSetAcquisition, LimitState, ResourceLimit, UsageRule, Verdict};

use crate::common::{Task, in_use, waiters};

const CROWD: usize = 20_000;

/// A door that must be named, and counts how often it is asked.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Asked {
    key: String,
    #[serde(skip)]
    checks: Arc<AtomicU64>,
}

#[typetag::serde]
impl Limit for Asked {
    fn key(&self) -> &str {
        &self.key
    }

    fn capacity(&self) -> u64 {
        1
    }

    fn default_amount(&self) -> Option<u64> {
        None
    }

    fn usage_rule(&self) -> UsageRule {
        UsageRule::Held
    }

    fn state(&self, now: Timestamp) -> Box<dyn LimitState> {
        let door = ResourceLimit::new("", 1).state(now);
        Box::new(State { door, checks: Arc::clone(&self.checks) })
    }
}

struct State {
    door: Box<dyn LimitState>,
    checks: Arc<AtomicU64>,
}

impl LimitState for State {
    fn check(&mut self, amount: u64, now: Timestamp) -> Verdict {
        self.checks.fetch_add(1, Ordering::Relaxed);
        self.door.check(amount, now)
    }

    fn take(&mut self, amount: u64, now: Timestamp) {
        self.door.take(amount, now);
    }

    fn settle(&mut self, requested: u64, used: u64, now: Timestamp) {
        self.door.settle(requested, used, now);
    }

    fn undo(&mut self, amount: u64, taken_at: Timestamp, now: Timestamp) {
        self.door.undo(amount, taken_at, now);
    }

    fn set_capacity(&mut self, capacity: u64, now: Timestamp) {
        self.door.set_capacity(capacity, now);
    }

    fn in_use(&mut self, now: Timestamp) -> u64 {
        self.door.in_use(now)
    }
}

/// A set of such doors, and how often they were asked, all together.
fn doors(keys: &[&str]) -> (LimitSet, Arc<AtomicU64>) {
    let checks = Arc::<AtomicU64>::default();
    let builder = keys.iter().fold(LimitSet::builder(), |builder, key| {
        builder.limit(Asked { key: (*key).to_owned(), checks: Arc::clone(&checks) })
    });
    (builder.build().expect("they are valid"), checks)
}

/// Lets a crowd through, whose requests are each of these shapes in turn, and returns the most checks that one release led to.
fn most_checks_of_a_release(keys: &[&str], shapes: &[&[&str]]) -> u64 {
    let (set, checks) = doors(keys);
    let request = |shape: &[&str]| shape.iter().map(|key| ((*key).to_owned(), 1)).collect::<Vec<_>>();
    let mut held: Vec<LimitSetAcquisition> =
        shapes.iter().map(|shape| set.try_acquire(request(shape)).expect("all is free")).collect();
    let mut crowd = std::collections::VecDeque::new();
    for shape in shapes.iter().cycle().take(CROWD) {
        crowd.push_back(Task::waiting(set.acquire_async(request(shape))));
    }
    let in_line: usize = shapes.iter().map(|shape| waiters(&set, shape[0])).sum();
    assert_eq!(in_line, CROWD);
    let mut most = 0;
    for index in (0..shapes.len()).cycle().take(CROWD) {
        let before = checks.load(Ordering::Relaxed);
        // Dropped, and its place is taken by who was first in line for it.
        drop(held.remove(index));
        let mut next = crowd.pop_front().expect("as many as there are releases");
        held.insert(index, next.woken().expect("it was its turn"));
        drop(next);
        let asked = checks.load(Ordering::Relaxed) - before;
        assert!(asked <= 1_000, "{asked} checks by a release, with {} in line", crowd.len());
        most = most.max(asked);
    }
    assert!(most > 0, "they are asked");
    drop(held);
    assert!(keys.iter().all(|key| in_use(&set, key) == 0 && waiters(&set, key) == 0));
    most
}

#[test]
fn a_release_asks_about_the_first_in_line_and_the_next_alone() {
    let most = most_checks_of_a_release(&["door"], &[&["door"]]);
    assert!(most <= 2, "{most} checks by a release");
}

#[test]
fn a_release_asks_about_the_first_of_each_line_alone() {
    let keys = ["a", "b", "c", "d", "e", "f"];
    let most = most_checks_of_a_release(&keys, &[&["a"], &["b"], &["c"], &["d", "e"], &["f"]]);
    // Each key once, and the two of the line that was served once more.
    assert!(most <= 8, "{most} checks by a release");
}
