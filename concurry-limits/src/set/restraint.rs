//! What holds a limit back beside its own count: a pause, and what a server still allows.
//!
//! An allowance is a line: it admits an amount at once and evenly more with time, until an instant at which it ends. A word
//! that is stricter than another at every instant of that replaces it; otherwise both hold, each for its own time. So a
//! later word never loosens an earlier one, and the list stays short: the words of one server go down one line.

use std::time::Duration;

use concurry_core::clock::Timestamp;

/// More allowances than this at a time are merged into stricter ones.
const MOST: usize = 8;

/// A pause, and allowances in the order of their ends.
#[derive(Debug, Default)]
pub(super) struct Restraint {
    paused_until: Option<Timestamp>,
    allowances: Vec<Allowance>,
}

/// At most `base` after `since`, and evenly more, by `growth` in `span` nanoseconds, until `until`.
#[derive(Debug, Clone, Copy)]
struct Allowance {
    since: Timestamp,
    until: Timestamp,
    base: u64,
    growth: u64,
    span: u64,
    taken: u64,
}

impl Allowance {
    fn new(base: u64, full: u64, time: Duration, now: Timestamp) -> Self {
        let until = now + time;
        let span = (until.as_nanos() - now.as_nanos()).max(1);
        Self { since: now, until, base, growth: full.saturating_sub(base), span, taken: 0 }
    }

    /// How much has been allowed by `at`, taken or not.
    fn allowed(&self, at: Timestamp) -> u128 {
        let elapsed = at.as_nanos().saturating_sub(self.since.as_nanos());
        // The product of two numbers below 2⁶⁴ fits.
        u128::from(self.base) + u128::from(self.growth) * u128::from(elapsed) / u128::from(self.span)
    }

    fn left(&self, at: Timestamp) -> u128 {
        self.allowed(at).saturating_sub(u128::from(self.taken))
    }

    /// [`allowed`](Self::allowed), rounded up: not below the line itself.
    fn allowed_at_most(&self, at: Timestamp) -> u128 {
        let elapsed = at.as_nanos().saturating_sub(self.since.as_nanos());
        let grown = (u128::from(self.growth) * u128::from(elapsed)).div_ceil(u128::from(self.span));
        u128::from(self.base) + grown
    }

    fn left_at_most(&self, at: Timestamp) -> u128 {
        self.allowed_at_most(at).saturating_sub(u128::from(self.taken))
    }

    /// When it admits `amount`, if it does not at `now`.
    fn refuses_until(&self, amount: u64, now: Timestamp) -> Option<Timestamp> {
        let needed = u128::from(self.taken) + u128::from(amount);
        if self.until <= now || needed <= self.allowed(now) {
            return None;
        }
        let missing = u64::try_from(needed - u128::from(self.base)).unwrap_or(u64::MAX);
        if self.growth == 0 {
            return Some(self.until);
        }
        let time = (u128::from(missing) * u128::from(self.span)).div_ceil(u128::from(self.growth));
        Some(self.since.saturating_add_nanos(time).min(self.until))
    }

    /// Whether this can never admit more than `other`, at any instant from `now` to the end of `other`. Both are lines, so
    /// it is enough to look at both ends, with this rounded up and the other down: of two lines that are one below the
    /// other at both ends after rounding down alone, whole numbers in between may still be the other way round. An amount that was taken of this since `other` was said is taken of both.
    fn outdoes(&self, mine: impl Fn(&Self, Timestamp) -> u128, other: &Self, now: Timestamp) -> bool {
        self.until >= other.until && [now, other.until].into_iter().all(|at| mine(self, at) <= other.left(at))
    }

    /// One that is as strict as both are.
    fn merged(&self, other: &Self, now: Timestamp) -> Self {
        let least = self.left(now).min(other.left(now));
        let slope = |one: &Self| (one.growth, one.span);
        let ((a, b), (c, d)) = (slope(self), slope(other));
        let steeper = u128::from(a) * u128::from(d) > u128::from(c) * u128::from(b);
        let (growth, span) = if steeper { (c, d) } else { (a, b) };
        let base = u64::try_from(least).unwrap_or(u64::MAX);
        Self { since: now, until: self.until.max(other.until), base, growth, span, taken: 0 }
    }
}

impl Restraint {
    /// Admits nothing until `until`, or longer if it is paused for longer.
    pub(super) fn pause(&mut self, until: Timestamp) {
        self.paused_until = self.paused_until.max(Some(until));
    }

    /// Admits at most `base` more at `now` and evenly more, to `full`, for this time.
    pub(super) fn allow(&mut self, base: u64, full: u64, time: Duration, now: Timestamp) {
        let new = Allowance::new(base, full, time, now);
        self.allowances.retain(|old| old.until > now && !new.outdoes(Allowance::left_at_most, old, now));
        // What was taken of an old one may yet be given back, so it counts for nothing here.
        if new.until <= now
            || self.allowances.iter().any(|old| old.outdoes(Allowance::allowed_at_most, &new, now))
        {
            return;
        }
        self.allowances.push(new);
        self.allowances.sort_by_key(|allowance| allowance.until);
        if self.allowances.len() > MOST
            && let (Some(one), Some(other)) = (self.allowances.pop(), self.allowances.pop())
        {
            self.allowances.push(one.merged(&other, now));
        }
    }

    /// The instant before which this admits no such amount; `None` if it admits it at `now`.
    pub(super) fn refuses_until(&self, amount: u64, now: Timestamp) -> Option<Timestamp> {
        let paused = self.paused_until.filter(|until| *until > now);
        let allowances = self.allowances.iter().filter_map(|allowance| allowance.refuses_until(amount, now));
        allowances.chain(paused).max()
    }

    pub(super) fn take(&mut self, amount: u64) {
        for allowance in &mut self.allowances {
            allowance.taken = allowance.taken.saturating_add(amount);
        }
    }

    /// An amount that was taken at `taken_at` never reached its caller. What was said at that same instant may have been said
    /// after it was taken, and then it was not taken of that: such a word stays as strict as it is.
    pub(super) fn undo(&mut self, amount: u64, taken_at: Timestamp) {
        for allowance in self.allowances.iter_mut().filter(|allowance| allowance.since < taken_at) {
            allowance.taken = allowance.taken.saturating_sub(amount);
        }
    }

    /// How much this admits at most at `now`.
    pub(super) fn left(&self, now: Timestamp) -> u64 {
        if self.paused_until(now).is_some() {
            return 0;
        }
        let running = self.allowances.iter().filter(|allowance| allowance.until > now);
        let least = running.map(|allowance| allowance.left(now)).min();
        least.map_or(u64::MAX, |least| u64::try_from(least).unwrap_or(u64::MAX))
    }

    /// The end of a pause that is not over.
    pub(super) fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.paused_until.filter(|until| *until > now)
    }

    /// Whether it holds nothing back any more.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.paused_until(now).is_none() && self.allowances.iter().all(|allowance| allowance.until <= now)
    }
}
