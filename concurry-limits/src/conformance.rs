//! What every kind of limit must keep, checked by running it: for the tests of whoever writes one.

use std::time::Duration;

use concurry_core::clock::Timestamp;

use crate::{Limit, LimitState, Overrun, UsageRule, Verdict};

/// How many histories are tried, and how many steps each has.
const HISTORIES: u64 = 64;
const STEPS: usize = 120;

/// Runs a limit through random histories (the same ones each time) and checks, after each step, what a
/// [`LimitSet`](crate::LimitSet) relies on:
///
/// * It can be built, and has a default amount within its capacity.
/// * It becomes text and a limit again that says the same of itself.
/// * `check` changes nothing: asked twice it says the same, and in between nothing is used.
/// * [`NotBefore`](Verdict::NotBefore) is exact: refused one nanosecond before that instant, admitted at it.
/// * `take` and then `undo` leave no more in use than before; a take never lessens what is in use.
/// * Within the capacity nothing is in use beyond it, unless a usage made a debt or the capacity fell below what was in use.
/// * [`set_capacity`](LimitState::set_capacity) leaves in use what is in use; from then on the rest goes by the new capacity.
/// * Where a usage may be above the request, what is above it is charged.
/// * Where nothing is held, it does not wait for a release.
/// * Where it says that it [spends when taken](LimitState::spends_when_taken), a settle of all changes nothing.
/// * Where it says that it does not [go by time](LimitState::goes_by_time), time frees nothing.
/// * Where it says that it does not [refund](LimitState::refunds), a settle makes no admission earlier.
/// * A state that was packed and unpacked, or that is [pristine](LimitState::is_pristine), gives the answers of the original,
///   or of a new one.
/// * Amounts up to `u64::MAX` and times up to the last one are no reason to panic.
///
/// # Panics
///
/// With the rule that is broken, and after which history.
///
/// # Examples
///
/// ```
/// use concurry_limits::{RateLimit, RateLimitAlgorithm, Window, assert_limit_conforms};
///
/// assert_limit_conforms(&RateLimit::new("tokens", 10, Window::SECOND).algorithm(RateLimitAlgorithm::Gcra));
/// ```
pub fn assert_limit_conforms(limit: &dyn Limit) {
    assert_definition(limit);
    for seed in 0..HISTORIES {
        let mut history = History::new(limit, seed);
        for _ in 0..STEPS {
            history.step();
        }
        history.end();
    }
    assert_absurd_is_no_panic(limit);
}

fn assert_definition(limit: &dyn Limit) {
    assert_eq!(limit.validate(), Ok(()), "{limit:?} is not valid itself");
    let fits = limit.default_amount().is_none_or(|amount| amount <= limit.capacity());
    assert!(fits, "{limit:?}: the default amount is above the capacity");
    let text = serde_json::to_string(limit)
        .unwrap_or_else(|error| panic!("{limit:?} does not become text: {error}"));
    let again: Box<dyn Limit> = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{text} does not become a limit again: {error}"));
    let says = |limit: &dyn Limit| {
        (limit.key().to_owned(), limit.capacity(), limit.default_amount(), limit.usage_rule())
    };
    assert_eq!(says(limit), says(&*again), "{text} says other things of itself than {limit:?}");
}

/// Nothing is asked of the answers: they only have to come.
fn assert_absurd_is_no_panic(limit: &dyn Limit) {
    for start in [Timestamp::default(), Timestamp::MAX] {
        let mut state = limit.state(start);
        for now in [start, Timestamp::MAX] {
            for amount in [0, 1, limit.capacity(), u64::MAX] {
                if state.check(amount, now) == Verdict::Granted && amount <= limit.capacity() {
                    state.take(amount, now);
                    state.settle(amount, amount, now);
                }
            }
            state.in_use(now);
            state.is_pristine(now);
            state.pack(now);
        }
        state.set_capacity(u64::MAX, Timestamp::MAX);
        state.set_capacity(1, Timestamp::MAX);
        state.in_use(Timestamp::MAX);
    }
}

/// A state, and what happened to it.
struct History<'a> {
    limit: &'a dyn Limit,
    state: Box<dyn LimitState>,
    now: Timestamp,
    /// The one that was set last.
    capacity: u64,
    /// Of that, or what was in use when it was lowered and still is.
    most: u64,
    /// Whether the capacity changes at all in this history.
    is_steered: bool,
    held: Vec<u64>,
    indebted: bool,
    random: Random,
    told: Vec<String>,
}

impl<'a> History<'a> {
    fn new(limit: &'a dyn Limit, seed: u64) -> Self {
        let now = Timestamp::from_nanos(seed * 1_000_003);
        let (state, capacity, is_steered) = (limit.state(now), limit.capacity(), seed % 2 == 1);
        let (held, told, random) = (Vec::new(), Vec::new(), Random(seed));
        Self { limit, state, now, capacity, most: capacity, is_steered, held, indebted: false, random, told }
    }

    fn holds(&self, holds: bool, rule: &str) {
        assert!(holds, "{:?}: {rule}, after {}", self.limit, self.told.join(", "));
    }

    fn step(&mut self) {
        match self.random.below(if self.is_steered { 9 } else { 8 }) {
            0 => self.wait(),
            1 | 2 => self.settle(),
            3 => self.try_and_undo(),
            4 => self.pack(),
            8 => self.set_capacity(),
            _ => self.acquire(),
        }
        self.look();
    }

    fn amount(&mut self) -> u64 {
        if self.random.below(4) == 0 { self.capacity } else { 1 + self.random.below(self.capacity) }
    }

    fn wait(&mut self) {
        let nanos = 1_u64 << self.random.below(44);
        let nanos = nanos + self.random.below(nanos);
        let before = self.state.in_use(self.now);
        self.now = self.now + Duration::from_nanos(nanos);
        self.told.push(format!("{nanos} ns"));
        let freed = self.state.in_use(self.now) < before;
        self.holds(!freed || self.state.goes_by_time(), "it does not go by time, and time freed something");
    }

    /// What is in use is within bounds, and pristine is like new.
    fn look(&mut self) {
        let in_use = self.state.in_use(self.now);
        self.holds(self.indebted || in_use <= self.most, "more is in use than the capacity");
        self.most = self.capacity.max(in_use);
        if self.held.is_empty() && self.state.is_pristine(self.now) {
            let mut new = self.limit.state(self.now);
            let (now, capacity) = (self.now, self.capacity);
            if capacity != self.limit.capacity() {
                new.set_capacity(capacity, now);
            }
            let same =
                [1, capacity].iter().all(|amount| self.state.check(*amount, now) == new.check(*amount, now));
            self.holds(same, "it says that it is as good as new, and is not");
        }
    }

    fn check(&mut self, amount: u64) -> Verdict {
        let before = self.state.in_use(self.now);
        let verdict = self.state.check(amount, self.now);
        let again = self.state.check(amount, self.now);
        self.holds(verdict == again, "a check changed the next one");
        let after = self.state.in_use(self.now);
        self.holds(before == after, "a check used something");
        verdict
    }

    fn take(&mut self, amount: u64) {
        let before = self.state.in_use(self.now);
        self.state.take(amount, self.now);
        let after = self.state.in_use(self.now);
        self.holds(after >= before, "a take lessened what is in use");
    }

    fn acquire(&mut self) {
        let amount = self.amount();
        self.told.push(format!("acquire {amount}"));
        match self.check(amount) {
            Verdict::Granted => {
                self.take(amount);
                self.held.push(amount);
            }
            Verdict::NotBefore(at) if at < Timestamp::MAX => self.wait_until(amount, at),
            Verdict::NotBefore(_) => {}
            Verdict::OnRelease => {
                self.holds(!self.held.is_empty(), "it waits for a release where nothing is held");
            }
            Verdict::Never(_) => self.holds(false, "an amount within the capacity is refused for ever"),
        }
    }

    /// Refused until exactly that instant.
    fn wait_until(&mut self, amount: u64, at: Timestamp) {
        self.holds(at > self.now, "it refuses until an instant that is over");
        let just_before = Timestamp::from_nanos(at.as_nanos() - 1);
        if just_before > self.now {
            self.now = just_before;
            let verdict = self.check(amount);
            self.holds(
                verdict == Verdict::NotBefore(at),
                "a nanosecond before its instant it says another one",
            );
        }
        self.now = at;
        self.told.push(format!("wait until {at:?}"));
        let verdict = self.check(amount);
        self.holds(verdict == Verdict::Granted, "it refuses at the instant that it named");
    }

    fn try_and_undo(&mut self) {
        let amount = self.amount();
        if self.check(amount) == Verdict::Granted {
            self.told.push(format!("undo {amount}"));
            let before = self.state.in_use(self.now);
            self.take(amount);
            self.state.undo(amount, self.now, self.now);
            let after = self.state.in_use(self.now);
            self.holds(after <= before, "an undo left something in use");
        }
    }

    fn set_capacity(&mut self) {
        let (first, amount) = (self.limit.capacity(), self.amount());
        let before = match self.check(amount) {
            // What time has freed by then was freed by the old capacity, though nobody has looked since.
            Verdict::NotBefore(at) if at < Timestamp::MAX && self.random.below(2) == 0 => {
                self.now = at;
                self.told.push(format!("wait until {at:?}"));
                None
            }
            _ => Some(self.state.in_use(self.now)),
        };
        let left = self.capacity - amount;
        self.capacity = match self.random.below(3) {
            0 => first,
            1 => 1 + self.random.below(first),
            _ => first.saturating_add(self.random.below(first)),
        };
        self.told.push(format!("set the capacity to {}", self.capacity));
        self.state.set_capacity(self.capacity, self.now);
        let after = self.state.in_use(self.now);
        let stays = before.map_or(after <= left, |before| after == before);
        self.holds(stays, "a change of the capacity changed what is in use");
        self.most = self.capacity.max(after);
    }

    fn settle(&mut self) {
        let Some(requested) = self.held.pop() else { return };
        let used = match (self.limit.usage_rule(), self.random.below(3)) {
            (UsageRule::Held, _) | (_, 0) => requested,
            (UsageRule::Reported(Overrun::Debt), 1) => {
                requested.saturating_add(self.random.below(requested.saturating_add(1)))
            }
            _ => self.random.below(requested.saturating_add(1)),
        };
        self.indebted |= used > requested;
        self.told.push(format!("settle {used} of {requested}"));
        let refused = (!self.state.refunds()).then(|| self.state.check(self.capacity, self.now));
        let before = self.state.in_use(self.now);
        self.state.settle(requested, used, self.now);
        let after = self.state.in_use(self.now);
        if let Some(Verdict::NotBefore(at)) = refused {
            let verdict = self.state.check(self.capacity, self.now);
            let kept = matches!(verdict, Verdict::NotBefore(later) if later >= at);
            self.holds(kept, "it does not refund, and a settle made an admission earlier");
        }
        if used == requested && self.state.spends_when_taken() {
            self.holds(before == after, "it spends when taken, and a settle of all changed something");
        }
        self.holds(used > requested || after <= before, "a settle of what was taken used more");
        if let Some(excess) = used.checked_sub(requested).filter(|excess| *excess > 0) {
            let charged = after == before.saturating_add(excess);
            self.holds(charged, "what was used above the request was not charged");
        }
    }

    /// Goes on with a state that was packed.
    fn pack(&mut self) {
        // It is unpacked by a new state, which has the capacity of the limit.
        if !self.held.is_empty() || self.capacity != self.limit.capacity() {
            return;
        }
        let Some(packed) = self.state.pack(self.now) else { return };
        self.told.push("pack".to_owned());
        let mut again = self.limit.state(self.now);
        again.unpack(packed, self.now);
        let (now, capacity) = (self.now, self.capacity);
        let same = self.state.in_use(now) == again.in_use(now)
            && [1, capacity].iter().all(|amount| self.state.check(*amount, now) == again.check(*amount, now));
        self.holds(same, "what was packed and unpacked answers otherwise");
        self.state = again;
    }

    /// Gives everything back; then a release is not what it waits for.
    fn end(mut self) {
        while !self.held.is_empty() {
            self.settle();
        }
        let verdict = self.check(self.capacity);
        self.holds(verdict != Verdict::OnRelease, "it waits for a release where nothing is held");
    }
}

/// `SplitMix64`: the same numbers everywhere.
struct Random(u64);

impl Random {
    /// A number below `bound`, or 0.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}
