//! Sets of several limits, in which waiters come and go between: whether it is counted in words or each limit is asked,
//! and whether the request was prepared, all must tell the same. Only the steps that look close a ledger, so that it
//! stays open for long.

use std::time::Duration;

use concurry_core::clock::ManualClock;
use concurry_limits::{
    CallLimit, Feedback, Limit, LimitError, LimitSet, LimitSetAcquisition, Overrun, PreparedAcquisition,
    PreparedRequest, RateLimit, RateLimitAlgorithm, ResourceLimit, Window,
};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::asked::Alone;
use crate::common::{Task, on};
use crate::steps::{KEYS, Said, Step, Told, Wanted, step};

fn algorithm() -> impl Strategy<Value = RateLimitAlgorithm> {
    prop_oneof![
        3 => Just(RateLimitAlgorithm::Gcra),
        3 => Just(RateLimitAlgorithm::TokenBucket),
        3 => Just(RateLimitAlgorithm::LeakyBucket),
        1 => Just(RateLimitAlgorithm::FixedWindow),
        1 => Just(RateLimitAlgorithm::SlidingWindow),
    ]
}

/// The algorithm, the capacity and the window of a rate.
type Pace = (RateLimitAlgorithm, u64, u64);

fn pace() -> impl Strategy<Value = Pace> {
    let window =
        prop_oneof![Just(1), Just(7), Just(999_999_937), Just(1_000_000_000), Just(86_400_000_000_000)];
    (algorithm(), 1_u64..9, window)
}

/// A few requests, which are made again and again.
fn menu() -> impl Strategy<Value = Vec<Wanted>> {
    let amount = || prop_oneof![1 => Just(None), 3 => (0_u64..5).prop_map(Some)];
    prop::collection::vec((amount(), amount(), amount(), amount()).prop_map(Into::into), 1..5)
}

fn named<T: Copy>(keys: &[&'static str], amounts: &[Option<T>]) -> Vec<(&'static str, T)> {
    keys.iter().zip(amounts).filter_map(|(key, amount)| Some((*key, (*amount)?))).collect()
}

/// What is held, however it was acquired.
enum Held<'a> {
    Whole(LimitSetAcquisition),
    Prepared(PreparedAcquisition<'a>),
}

impl Held<'_> {
    fn update(&mut self, usage: &[(&'static str, u64)]) -> Result<(), LimitError> {
        match self {
            Self::Whole(held) => held.update(usage),
            Self::Prepared(held) => held.update(usage),
        }
    }

    fn release(&mut self) -> Result<(), LimitError> {
        match self {
            Self::Whole(held) => held.release(),
            Self::Prepared(held) => held.release(),
        }
    }

    fn requested(&self, key: &str) -> Option<u64> {
        match self {
            Self::Whole(held) => held.requested(key),
            Self::Prepared(held) => held.requested(key),
        }
    }

    fn feedback(&self, feedback: Feedback) {
        match self {
            Self::Whole(held) => held.feedback(feedback),
            Self::Prepared(held) => held.feedback(feedback),
        }
    }

    fn usage(&self, keys: &[&'static str], quarters: [u64; 4]) -> Vec<(&'static str, u64)> {
        let used = |key: &str, quarters: u64| Some(self.requested(key)? * quarters / 4);
        let usages = keys.iter().zip(quarters).map(|(key, quarters)| used(key, quarters));
        named(keys, &usages.collect::<Vec<_>>())
    }

    /// Tells, lets go, and says what it was answered.
    fn end(mut self, keys: &[&'static str], told: &Told) -> String {
        let mut answers = Vec::new();
        let mut tell = |held: &mut Self, usage: &[(&'static str, u64)]| answers.push(held.update(usage));
        match *told {
            Told::Nothing => {}
            Told::AtOnce(quarters) => {
                let usage = self.usage(keys, quarters);
                tell(&mut self, &usage);
            }
            Told::OneByOne(quarters) => {
                let usage = self.usage(keys, quarters);
                for one in &usage {
                    tell(&mut self, std::slice::from_ref(one));
                }
            }
            Told::Again(first, last) => {
                let (first, last) = (self.usage(keys, first), self.usage(keys, last));
                for one in &first {
                    tell(&mut self, std::slice::from_ref(one));
                }
                tell(&mut self, &last);
            }
        }
        answers.push(self.release());
        answers.push(self.release());
        format!("{answers:?}")
    }
}

/// One way to do the same.
struct World<'a> {
    set: &'a LimitSet,
    clock: &'a ManualClock,
    keys: &'a [&'static str],
    menu: &'a [Wanted],
    /// The requests of the menu, where they are prepared.
    prepared: Vec<Option<&'a PreparedRequest>>,
    waiting: Vec<Task>,
    held: Vec<Held<'a>>,
}

impl World<'_> {
    fn request(&self, which: Index) -> Vec<(&'static str, u64)> {
        named(self.keys, &self.menu[which.index(self.menu.len())])
    }

    fn keep<'a>(outcome: Result<Held<'a>, LimitError>, held: &mut Vec<Held<'a>>) -> String {
        match outcome {
            Ok(acquired) => {
                held.push(acquired);
                "acquired".to_owned()
            }
            Err(error) => format!("{error:?}"),
        }
    }

    fn line_up(&mut self, mut task: Task) -> String {
        if let Some(outcome) = task.poll() {
            return Self::keep(outcome.map(Held::Whole), &mut self.held);
        }
        self.waiting.push(task);
        "waits".to_owned()
    }

    fn collect(&mut self) -> String {
        let mut seen = Vec::new();
        for mut task in std::mem::take(&mut self.waiting) {
            let outcome = if task.wakes() > 0 { task.poll() } else { None };
            match outcome {
                Some(outcome) => seen.push(Self::keep(outcome.map(Held::Whole), &mut self.held)),
                None => self.waiting.push(task),
            }
        }
        format!("{seen:?}")
    }

    fn hear(&self, said: &Said) {
        let nanos = Duration::from_nanos;
        let feedback = match *said {
            Said::RetryAfter(time) => Feedback::retry_after(nanos(time)),
            Said::RetryAfterOn(key, time) => Feedback::retry_after_on(self.keys[key], nanos(time)),
            Said::Remaining(key, left, time) => Feedback::remaining(self.keys[key], left, nanos(time)),
            Said::Replenished(key, left, full, time) => {
                Feedback::replenished(self.keys[key], left, full, nanos(time))
            }
        };
        match self.held.last() {
            Some(held) => held.feedback(feedback),
            None => self.set.feedback(feedback),
        }
    }

    fn look(&self) -> String {
        let stats = self.set.stats();
        let seen = self.keys.iter().map(|key| {
            let mut seen = stats.limit(key).expect("it is there").clone();
            seen.kind.clear();
            seen
        });
        format!("{:?}", seen.collect::<Vec<_>>())
    }

    /// What this step shows.
    fn take(&mut self, step: &Step) -> String {
        let shown = match step {
            Step::Advance(nanos) => {
                self.clock.advance(Duration::from_nanos(*nanos));
                String::new()
            }
            Step::Try(which) => {
                let outcome = match self.prepared.get(which.index(self.menu.len())) {
                    Some(Some(prepared)) => prepared.try_acquire().map(Held::Prepared),
                    _ => self.set.try_acquire(self.request(*which)).map(Held::Whole),
                };
                Self::keep(outcome, &mut self.held)
            }
            Step::Wait(which) => {
                let future = match self.prepared.get(which.index(self.menu.len())) {
                    Some(Some(prepared)) => prepared.acquire_async(),
                    _ => self.set.acquire_async(self.request(*which)),
                };
                self.line_up(Task::new(future))
            }
            Step::WaitFor(which, time) => {
                let time = Duration::from_nanos(*time);
                self.line_up(Task::new(self.set.acquire_async_timeout(self.request(*which), time)))
            }
            Step::Leave(which) if !self.waiting.is_empty() => {
                drop(self.waiting.remove(which.index(self.waiting.len())));
                String::new()
            }
            Step::Collect => self.collect(),
            Step::Release(which, told) if !self.held.is_empty() => {
                self.held.swap_remove(which.index(self.held.len())).end(self.keys, told)
            }
            Step::Leave(_) | Step::Release(..) => String::new(),
            Step::SetCapacity(key, capacity) => {
                format!("{:?}", self.set.set_capacity(self.keys[*key], *capacity))
            }
            Step::Pause(key, time) => {
                format!("{:?}", self.set.pause(self.keys[*key], Duration::from_nanos(*time)))
            }
            Step::Resume(key) => format!("{:?}", self.set.resume(self.keys[*key])),
            Step::Hear(said) => {
                self.hear(said);
                String::new()
            }
            Step::Ask(which) => format!("{:?}", self.set.would_admit(self.request(*which))),
            Step::Look => self.look(),
        };
        format!("{shown} {:?}", self.waiting.iter().map(Task::wakes).collect::<Vec<_>>())
    }

    /// Everybody leaves.
    fn end(mut self) -> String {
        let keys = self.keys;
        let waiting = self.waiting.drain(..).rev();
        waiting.for_each(drop);
        let held: Vec<_> = self.held.drain(..).map(|held| held.end(keys, &Told::Nothing)).collect();
        assert_eq!(self.set.stats().limits.iter().map(|limit| limit.waiting).sum::<usize>(), 0);
        if let Some(doors) = self.set.stats().limit("doors") {
            assert_eq!(doors.in_use, 0, "what was held is back");
        }
        format!("{held:?} {}", self.look())
    }
}

/// Takes all of `steps` in each of `sets`, with and without requests that were prepared.
fn agree(sets: &[(ManualClock, LimitSet)], keys: &[&'static str], menu: &[Wanted], steps: &[Step]) {
    let prepare = |(number, (_, set)): (usize, &(ManualClock, LimitSet))| {
        let prepared =
            menu.iter().map(move |wanted| set.prepare(named(keys, wanted)).ok().filter(|_| number % 2 == 1));
        prepared.collect::<Vec<_>>()
    };
    let prepared: Vec<_> = sets.iter().enumerate().map(prepare).collect();
    let worlds = sets.iter().zip(&prepared).map(|((clock, set), prepared)| World {
        set,
        clock,
        keys,
        menu,
        prepared: prepared.iter().map(Option::as_ref).collect(),
        waiting: Vec::new(),
        held: Vec::new(),
    });
    let mut worlds: Vec<_> = worlds.collect();
    for (number, step) in steps.iter().enumerate() {
        let shown: Vec<_> = worlds.iter_mut().map(|world| world.take(step)).collect();
        assert!(shown.iter().all(|one| *one == shown[0]), "step {number}, {step:?}: {shown:#?}");
    }
    let shown: Vec<_> = worlds.into_iter().map(World::end).collect();
    assert!(shown.iter().all(|one| *one == shown[0]), "at the end: {shown:#?}");
}

fn rate(key: &str, (algorithm, capacity, window): Pace) -> RateLimit {
    RateLimit::new(key, capacity, Duration::from_nanos(window)).algorithm(algorithm).overrun(Overrun::Debt)
}

fn calls((algorithm, capacity, window): Pace) -> CallLimit {
    CallLimit::new(capacity, Duration::from_nanos(window)).algorithm(algorithm)
}

/// A set of `limits`, and of one that nobody names, if `beside`; `asked` about each.
fn set_of(limits: Vec<Box<dyn Limit>>, beside: bool, asked: bool) -> (ManualClock, LimitSet) {
    let clock = ManualClock::new();
    let builder = limits.into_iter().fold(on(&clock), |builder, limit| {
        if asked { builder.limit(Alone(limit)) } else { builder.limit_boxed(limit) }
    });
    let builder = if beside { builder.limit(RateLimit::new("beside", 1, Window::DAY)) } else { builder };
    let set = builder.build().expect("the limits are right");
    (clock, set)
}

proptest! {
    #[test]
    fn several_limits_count_alike_in_a_ledger_and_asked_whoever_waits_between(
        (one, two, three) in (pace(), pace(), pace()),
        doors in 1_u64..6,
        menu in menu(),
        steps in prop::collection::vec(step(4), 1..80),
    ) {
        let limits = || -> Vec<Box<dyn Limit>> {
            let own = Alone(Box::new(rate("own", three)));
            let doors = ResourceLimit::new("doors", doors);
            vec![Box::new(rate("rate", one)), Box::new(calls(two)), Box::new(doors), Box::new(own)]
        };
        let sets = [false, false, true].map(|asked| set_of(limits(), false, asked));
        agree(&sets, &KEYS, &menu, &steps);
    }

    #[test]
    fn one_limit_counts_alike_in_a_lane_a_ledger_and_asked_whoever_waits_between(
        pace in pace(),
        which in 0_usize..3,
        menu in menu(),
        steps in prop::collection::vec(step(1), 1..80),
    ) {
        let limit = || -> Box<dyn Limit> {
            match which {
                0 => Box::new(rate("rate", pace)),
                1 => Box::new(calls(pace)),
                _ => Box::new(ResourceLimit::new("doors", pace.1)),
            }
        };
        let ways = [(false, false), (false, false), (true, false), (true, false), (true, true)];
        let sets = ways.map(|(beside, asked)| set_of(vec![limit()], beside, asked));
        // All is named, since a request that names nothing would be for the rate beside as well.
        let menu: Vec<Wanted> = menu.iter().map(|wanted| wanted.map(|amount| amount.or(Some(1)))).collect();
        agree(&sets, &KEYS[which..=which], &menu, &steps);
    }
}
