//! Each algorithm against a model that counts nanosecond by nanosecond.

use std::time::Duration;

use concurry_core::clock::Timestamp;
use concurry_limits::RateLimitAlgorithm::{self, FixedWindow, Gcra, LeakyBucket, SlidingWindow, TokenBucket};
use concurry_limits::{Limit, LimitState, Overrun, RateLimit, Verdict};
use proptest::prelude::*;

fn state(algorithm: RateLimitAlgorithm, capacity: u64, window: u64) -> Box<dyn LimitState> {
    RateLimit::new("rate", capacity, Duration::from_nanos(window))
        .algorithm(algorithm)
        .overrun(Overrun::Debt)
        .state(Timestamp::default())
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Advance(u64),
    Try(u64),
    /// Settles the oldest open take, with so much of 8 eighths used.
    Settle(u64),
    UndoLatest,
    SetCapacity(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..40u64).prop_map(Step::Advance),
        4 => (1..14u64).prop_map(Step::Try),
        2 => (0..12u64).prop_map(Step::Settle),
        1 => Just(Step::UndoLatest),
        1 => (1..12u64).prop_map(Step::SetCapacity),
    ];
    prop::collection::vec(step, 1..60)
}

/// What is used, as the plainest possible program would count it.
enum Model {
    /// Drains one unit of 1/window a nanosecond and capacity; refunds or not.
    Draining { capacity: u64, window: u64, refunds: bool, used: u64 },
    /// Everything that was charged, and when.
    Log { capacity: u64, window: u64, charges: Vec<(u64, u64)> },
    /// The count of the current window, and what later ones must pay.
    Windows { capacity: u64, window: u64, start: Option<u64>, count: u64, debt: u64 },
}

impl Model {
    fn new(algorithm: RateLimitAlgorithm, capacity: u64, window: u64) -> Self {
        match algorithm {
            SlidingWindow => Self::Log { capacity, window, charges: Vec::new() },
            FixedWindow => Self::Windows { capacity, window, start: None, count: 0, debt: 0 },
            other => Self::Draining { capacity, window, refunds: other != LeakyBucket, used: 0 },
        }
    }

    /// One nanosecond passes; `now` is the time after it.
    fn tick(&mut self, now: u64) {
        match self {
            Self::Draining { capacity, used, .. } => *used = used.saturating_sub(*capacity),
            Self::Log { .. } => {}
            Self::Windows { capacity, window, start, count, debt } => {
                if start.is_some_and(|start| now == start + *window) {
                    *start = Some(now);
                    *count = (*debt).min(*capacity);
                    *debt -= *count;
                }
            }
        }
    }

    fn advance(&mut self, now: &mut u64, to: u64) {
        while *now < to {
            *now += 1;
            self.tick(*now);
        }
    }

    fn admits(&self, amount: u64, now: u64) -> bool {
        match self {
            Self::Draining { capacity, window, used, .. } => used + amount * window <= capacity * window,
            Self::Log { capacity, window, charges } => {
                let inside = charges.iter().filter(|(at, _)| at + window > now);
                inside.map(|(_, amount)| amount).sum::<u64>() + amount <= *capacity
            }
            Self::Windows { capacity, count, debt, .. } => *debt == 0 && count + amount <= *capacity,
        }
    }

    fn take(&mut self, amount: u64, now: u64) {
        match self {
            Self::Draining { window, used, .. } => *used += amount * *window,
            Self::Log { charges, .. } => charges.push((now, amount)),
            Self::Windows { start, count, .. } => {
                start.get_or_insert(now);
                *count += amount;
            }
        }
    }

    fn settle(&mut self, requested: u64, told: u64, now: u64) {
        let (unused, excess) = (requested.saturating_sub(told), told.saturating_sub(requested));
        match self {
            Self::Draining { window, refunds, used, .. } => {
                *used = used.saturating_sub(if *refunds { unused * *window } else { 0 }) + excess * *window;
            }
            Self::Log { charges, .. } => charges.push((now, excess)),
            Self::Windows { debt, .. } => {
                *debt += excess;
                self.pay();
            }
        }
    }

    /// What a fixed window is owed is paid from what it has left.
    fn pay(&mut self) {
        if let Self::Windows { capacity, count, debt, .. } = self {
            while *debt > 0 && *count < *capacity {
                *count += 1;
                *debt -= 1;
            }
        }
    }

    fn set_capacity(&mut self, new: u64) {
        match self {
            Self::Draining { capacity, .. } | Self::Log { capacity, .. } | Self::Windows { capacity, .. } => {
                *capacity = new;
            }
        }
        self.pay();
    }

    fn undo(&mut self, amount: u64, taken_at: u64) {
        match self {
            Self::Draining { window, used, .. } => *used = used.saturating_sub(amount * *window),
            Self::Log { charges, .. } => {
                let place =
                    charges.iter().rposition(|charge| *charge == (taken_at, amount)).expect("it was charged");
                charges.remove(place);
            }
            Self::Windows { start, count, .. } => {
                if start.is_some_and(|start| taken_at >= start) {
                    *count -= amount;
                }
                self.pay();
            }
        }
    }
}

fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

/// Runs the same steps through both. A refusal must name an instant, be refused until it and admitted at it.
fn agree(algorithm: RateLimitAlgorithm, capacity: u64, window: u64, steps: &[Step]) {
    let (mut real, mut model) = (state(algorithm, capacity, window), Model::new(algorithm, capacity, window));
    let (mut now, mut capacity) = (1_000, capacity);
    let mut open: Vec<(u64, u64)> = Vec::new();
    for step in steps {
        match *step {
            Step::Advance(by) => {
                let to = now + by;
                model.advance(&mut now, to);
            }
            Step::Try(amount) if amount > capacity => {
                assert!(matches!(real.check(amount, at(now)), Verdict::Never(_)));
            }
            Step::Try(amount) => match real.check(amount, at(now)) {
                Verdict::Granted => {
                    assert!(
                        model.admits(amount, now),
                        "{algorithm:?} admits {amount} at {now}, which is too early"
                    );
                    real.take(amount, at(now));
                    model.take(amount, now);
                    open.push((amount, now));
                }
                Verdict::NotBefore(instant) => {
                    let instant = instant.as_nanos();
                    assert!(instant > now);
                    while now < instant {
                        assert!(
                            !model.admits(amount, now),
                            "{algorithm:?} names {instant}, but {now} would do"
                        );
                        let next = now + 1;
                        model.advance(&mut now, next);
                    }
                    assert!(model.admits(amount, now), "{algorithm:?} names {instant}, which is too early");
                    assert_eq!(real.check(amount, at(now)), Verdict::Granted);
                }
                other => panic!("{other:?}"),
            },
            Step::Settle(eighths) if !open.is_empty() => {
                let (amount, _) = open.remove(0);
                let used = amount * eighths / 8;
                real.settle(amount, used, at(now));
                model.settle(amount, used, now);
            }
            Step::UndoLatest => {
                if let Some((amount, taken_at)) = open.pop() {
                    real.undo(amount, at(taken_at), at(now));
                    model.undo(amount, taken_at);
                }
            }
            Step::SetCapacity(new) => {
                real.set_capacity(new, at(now));
                model.set_capacity(new);
                capacity = new;
            }
            Step::Settle(_) => {}
        }
    }
}

proptest! {
    #[test]
    fn a_token_bucket_counts_like_its_model(capacity in 1..12u64, window in 1..60u64, steps in steps()) {
        agree(TokenBucket, capacity, window, &steps);
    }

    #[test]
    fn a_leaky_bucket_counts_like_its_model(capacity in 1..12u64, window in 1..60u64, steps in steps()) {
        agree(LeakyBucket, capacity, window, &steps);
    }

    #[test]
    fn a_sliding_window_counts_like_its_model(capacity in 1..12u64, window in 1..60u64, steps in steps()) {
        agree(SlidingWindow, capacity, window, &steps);
    }

    #[test]
    fn a_fixed_window_counts_like_its_model(capacity in 1..12u64, window in 1..60u64, steps in steps()) {
        agree(FixedWindow, capacity, window, &steps);
    }

    #[test]
    fn gcra_counts_like_its_model(capacity in 1..12u64, window in 1..60u64, steps in steps()) {
        agree(Gcra, capacity, window, &steps);
    }

    #[test]
    fn a_sliding_window_never_admits_more_than_its_capacity_in_any_window(
        capacity in 1..12u64,
        window in 1..60u64,
        requests in prop::collection::vec((0..20u64, 1..12u64), 1..80),
    ) {
        let mut real = state(SlidingWindow, capacity, window);
        let mut now = 0;
        let mut admitted: Vec<(u64, u64)> = Vec::new();
        for (pause, amount) in requests {
            now += pause;
            if real.check(amount, at(now)) == Verdict::Granted {
                real.take(amount, at(now));
                admitted.push((now, amount));
            }
        }
        for start in 0..=now {
            let inside = admitted.iter().filter(|(at, _)| (start..start + window).contains(at));
            prop_assert!(inside.map(|(_, amount)| amount).sum::<u64>() <= capacity);
        }
    }

    #[test]
    fn no_algorithm_overflows_at_the_largest_capacity_and_window(
        capacity in (u64::MAX - 3)..=u64::MAX,
        steps in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 1..20),
    ) {
        for algorithm in [TokenBucket, LeakyBucket, SlidingWindow, FixedWindow, Gcra] {
            let mut real = state(algorithm, capacity, 10 * 366 * 86_400 * 1_000_000_000);
            let mut now = 0u64;
            for (by, amount, used) in &steps {
                now = now.saturating_add(by >> 4);
                let amount = (*amount).min(capacity);
                if real.check(amount, at(now)) == Verdict::Granted {
                    real.take(amount, at(now));
                    real.settle(amount, *used, at(now));
                }
                real.in_use(at(now));
            }
        }
    }
}
