//! A set of one limit admits past its lock; one with a second limit counts in its ledger; and what neither can count is
//! asked. All must tell the same, whatever is done.

use std::sync::Arc;
use std::time::Duration;

use concurry_core::clock::{ManualClock, Timestamp};
use concurry_limits::{
    Admission, CallLimit, Limit, LimitError, LimitSet, LimitSetAcquisition, LimitState, Overrun, RateLimit,
    RateLimitAlgorithm, ResourceLimit, UsageRule, Verdict, Window,
};
use proptest::prelude::*;

use crate::asked::Alone;

#[derive(Debug, Clone)]
enum Step {
    Advance(u64),
    Acquire(u64),
    /// Which of those that are held, and the used share in quarters; more than four is a debt.
    Release(usize, u64),
    SetCapacity(u64),
    Pause(u64),
    Resume,
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_u64..3_000_000_000).prop_map(Step::Advance),
        2 => (0_u64..200).prop_map(Step::Advance),
        6 => (0_u64..12).prop_map(Step::Acquire),
        4 => (0_usize..8, 0_u64..7).prop_map(|(which, quarters)| Step::Release(which, quarters)),
        1 => (1_u64..12).prop_map(Step::SetCapacity),
        1 => (0_u64..1_000_000_000).prop_map(Step::Pause),
        1 => Just(Step::Resume),
        1 => Just(Step::Look),
    ]
}

fn kind() -> impl Strategy<Value = (RateLimitAlgorithm, u64, u64)> {
    let algorithm = prop_oneof![
        Just(RateLimitAlgorithm::Gcra),
        Just(RateLimitAlgorithm::TokenBucket),
        Just(RateLimitAlgorithm::LeakyBucket),
        Just(RateLimitAlgorithm::FixedWindow),
        Just(RateLimitAlgorithm::SlidingWindow),
    ];
    // Among them those whose units do not divide evenly, and one for which no lane will do.
    let window =
        prop_oneof![Just(1), Just(7), Just(999_999_937), Just(1_000_000_000), Just(86_400_000_000_000)];
    (algorithm, 1_u64..12, window)
}

/// How a limit is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Lane,
    Ledger,
    Asked,
}

struct World {
    set: LimitSet,
    clock: Arc<ManualClock>,
    held: Vec<LimitSetAcquisition>,
    key: &'static str,
    /// Whether each request takes of "doors" as well.
    doors: bool,
}

impl World {
    fn new(limit: impl Limit + 'static, way: Way) -> Self {
        let clock = Arc::new(ManualClock::new());
        let builder = LimitSet::builder().clock(clock.clone());
        let beside = ResourceLimit::new("beside", 1_000);
        let builder = match way {
            Way::Lane => builder.limit(limit),
            Way::Ledger => builder.limit(limit).limit(beside),
            Way::Asked => builder.limit(Alone(Box::new(limit))).limit(beside),
        };
        let set = builder.build().expect("the limits are right");
        Self { set, clock, held: Vec::new(), key: "one", doors: false }
    }

    /// With a second limit, of which few are there.
    fn with_doors(limit: impl Limit + 'static, capacity: u64, way: Way) -> Self {
        let clock = Arc::new(ManualClock::new());
        let builder = LimitSet::builder().clock(clock.clone());
        let doors = ResourceLimit::new("doors", capacity);
        let builder = match way {
            Way::Asked => builder.limit(Alone(Box::new(doors))).limit(Alone(Box::new(limit))),
            _ => builder.limit(doors).limit(limit),
        };
        let set = builder.build().expect("the limits are right");
        Self { set, clock, held: Vec::new(), key: "one", doors: true }
    }

    fn request(&self, amount: u64) -> Vec<(&'static str, u64)> {
        let doors = self.doors.then_some(("doors", amount % 4));
        std::iter::once((self.key, amount)).chain(doors).collect()
    }

    /// What this step shows.
    fn take(&mut self, step: &Step) -> String {
        match *step {
            Step::Advance(nanos) => self.clock.advance(Duration::from_nanos(nanos)),
            Step::Acquire(amount) => match self.set.try_acquire(self.request(amount)) {
                Ok(acquired) => self.held.push(acquired),
                Err(error) => return error.to_string(),
            },
            Step::Release(which, quarters) if !self.held.is_empty() => {
                let mut acquired = self.held.swap_remove(which % self.held.len());
                let used = acquired.requested(self.key).unwrap_or_default() * quarters / 4;
                let told = acquired.update([(self.key, used)]).map_err(|error| error.to_string());
                return format!("{told:?} {:?}", acquired.release().map_err(|error| error.to_string()));
            }
            Step::Release(..) => {}
            Step::SetCapacity(capacity) => {
                self.set.set_capacity(self.key, capacity).expect("the limit is there");
            }
            Step::Pause(nanos) => {
                self.set.pause(self.key, Duration::from_nanos(nanos)).expect("the limit is there");
            }
            Step::Resume => self.set.resume(self.key).expect("the limit is there"),
            Step::Look => {
                let stats = self.set.stats();
                let seen = [self.key, "doors"].map(|key| {
                    let seen = stats.limit(key)?;
                    Some((seen.in_use, seen.available, seen.admitted, seen.refused, seen.paused_for))
                });
                return format!("{seen:?}");
            }
        }
        format!("{:?}", self.set.would_admit(self.request(1)))
    }
}

fn agree<const N: usize>(mut worlds: [World; N], steps: &[Step]) -> Result<(), TestCaseError> {
    for step in steps.iter().chain([&Step::Look]) {
        let told = worlds.each_mut().map(|world| world.take(step));
        for other in &told[1..] {
            prop_assert_eq!(&told[0], other, "at {:?}", step);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_rate_counts_alike_in_its_lane_in_a_ledger_and_asked(
        (algorithm, capacity, window) in kind(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let world = |way| World::new(rate(algorithm, capacity, window), way);
        agree([Way::Lane, Way::Ledger, Way::Asked].map(world), &steps)?;
    }

    #[test]
    fn a_resource_counts_alike_in_its_lane_in_a_ledger_and_asked(
        capacity in 1_u64..12,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let world = |way| World::new(ResourceLimit::new("one", capacity), way);
        agree([Way::Lane, Way::Ledger, Way::Asked].map(world), &steps)?;
    }

    #[test]
    fn two_limits_are_taken_together_or_not_in_a_ledger_and_asked(
        (algorithm, capacity, window) in kind(),
        doors in 1_u64..5,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let world = |way| World::with_doors(rate(algorithm, capacity, window), doors, way);
        agree([Way::Ledger, Way::Asked].map(world), &steps)?;
    }
}

fn rate(algorithm: RateLimitAlgorithm, capacity: u64, window: u64) -> RateLimit {
    let rate = RateLimit::new("one", capacity, Duration::from_nanos(window));
    rate.algorithm(algorithm).overrun(Overrun::Debt)
}

#[test]
fn a_count_of_admissions_that_outgrows_its_bits_is_carried_over() {
    for way in [Way::Lane, Way::Ledger, Way::Asked] {
        let calls = CallLimit::new(1_000_000, Window::SECOND).algorithm(RateLimitAlgorithm::Gcra);
        let set = World::new(calls, way).set;
        let prepared = set.prepare(()).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| (0..5_000).for_each(|_| prepared.try_acquire().unwrap().release().unwrap()));
            scope.spawn(|| (0..5_000).for_each(|_| set.try_acquire(()).unwrap().release().unwrap()));
            // Who looks closes the way past the lock, and opens it.
            scope.spawn(|| (0..100).for_each(|_| drop(set.stats())));
        });
        let stats = set.stats();
        let calls = stats.limit("call_count").unwrap();
        assert_eq!((calls.admitted, calls.in_use, calls.refused), (10_000, 10_000, 0));
    }
}

#[test]
fn a_time_that_outgrows_its_bits_is_counted_from_later_on() {
    let clock = Arc::new(ManualClock::new());
    let calls = CallLimit::new(7, Window::SECOND).algorithm(RateLimitAlgorithm::TokenBucket);
    let set = LimitSet::builder().clock(clock.clone()).limit(calls).build().unwrap();
    for _ in 0..40 {
        for _ in 0..7 {
            set.try_acquire(()).unwrap().release().unwrap();
        }
        assert!(set.try_acquire(()).is_err());
        clock.advance(Duration::from_secs(86_400 * 3));
    }
    assert_eq!(set.stats().limits[0].admitted, 280);
}

#[test]
fn many_threads_past_the_lock_never_hold_more_than_there_is() {
    use std::sync::atomic::{AtomicU64, Ordering};
    let set = LimitSet::builder().limit(ResourceLimit::new("doors", 3)).build().unwrap();
    let (inside, admitted) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for number in 0..6 {
            let (set, inside, admitted) = (set.clone(), &inside, &admitted);
            scope.spawn(move || {
                for round in 0..2_000 {
                    // Waiting, trying and looking close and open the lane over and over.
                    let acquired = if (round + number) % 3 == 0 {
                        set.acquire(()).ok()
                    } else {
                        set.try_acquire(()).ok()
                    };
                    if let Some(acquired) = acquired {
                        assert!(inside.fetch_add(1, Ordering::SeqCst) < 3);
                        admitted.fetch_add(1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(acquired);
                    }
                    if round % 64 == 0 {
                        assert!(set.stats().limits[0].in_use <= 3);
                    }
                }
            });
        }
    });
    let stats = set.stats();
    assert_eq!((stats.limits[0].in_use, stats.limits[0].waiting), (0, 0));
    assert_eq!(stats.limits[0].admitted, admitted.into_inner());
}

/// A limit that says less than the state that it counts with.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Modest;

/// A limit with a rest of a second after each release.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Resting;

struct Rest {
    until: Timestamp,
    held: bool,
}

#[typetag::serde]
impl Limit for Modest {
    fn key(&self) -> &'static str {
        "modest"
    }

    fn capacity(&self) -> u64 {
        1
    }

    fn default_amount(&self) -> Option<u64> {
        Some(1)
    }

    fn usage_rule(&self) -> UsageRule {
        UsageRule::Held
    }

    fn state(&self, now: Timestamp) -> Box<dyn LimitState> {
        ResourceLimit::new("modest", 2).state(now)
    }
}

#[typetag::serde]
impl Limit for Resting {
    fn key(&self) -> &'static str {
        "resting"
    }

    fn capacity(&self) -> u64 {
        1
    }

    fn default_amount(&self) -> Option<u64> {
        Some(1)
    }

    fn usage_rule(&self) -> UsageRule {
        UsageRule::Held
    }

    fn state(&self, now: Timestamp) -> Box<dyn LimitState> {
        Box::new(Rest { until: now, held: false })
    }
}

impl LimitState for Rest {
    fn check(&mut self, _: u64, now: Timestamp) -> Verdict {
        match (self.held, self.until > now) {
            (true, _) => Verdict::OnRelease,
            (_, true) => Verdict::NotBefore(self.until),
            _ => Verdict::Granted,
        }
    }

    fn take(&mut self, _: u64, _: Timestamp) {
        self.held = true;
    }

    fn settle(&mut self, _: u64, _: u64, now: Timestamp) {
        (self.held, self.until) = (false, now + Duration::from_secs(1));
    }

    fn undo(&mut self, _: u64, _: Timestamp, _: Timestamp) {
        self.held = false;
    }

    fn set_capacity(&mut self, _: u64, _: Timestamp) {}

    fn in_use(&mut self, _: Timestamp) -> u64 {
        u64::from(self.held)
    }
}

#[test]
fn the_capacity_that_a_limit_tells_holds_past_the_lock_too() {
    let set = LimitSet::builder().limit(Modest).build().unwrap();
    assert!(matches!(set.try_acquire([("modest", 2)]), Err(LimitError::Never { .. })));
}

#[test]
fn a_limit_of_a_users_own_is_told_when_it_is_given_back() {
    let clock = Arc::new(ManualClock::new());
    let set = LimitSet::builder().clock(clock.clone()).limit(Resting).build().unwrap();
    let acquired = set.try_acquire(()).unwrap();
    clock.advance(Duration::from_secs(10));
    drop(acquired);
    assert_eq!(set.would_admit(()), Admission::In(Duration::from_secs(1), "resting".into()));
}
