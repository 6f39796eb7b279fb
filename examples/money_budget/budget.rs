//! A kind of limit of our own: so much money a day.
//!
//! What the built-in rates do not do: a price is reserved when it is acquired, and it is spent when it is told, on the day
//! on which that happens. So what was reserved and not spent is free again at once, and a new day begins with nothing
//! spent, less what is still reserved.
//!
//! The attribute makes the kind known by its name, to configuration files and to worker processes as well:
//!
//! ```toml
//! [[limits]]
//! kind = "MoneyBudget"
//! key = "spend"
//! milli_cents_a_day = 200_000     # two dollars
//! ```

use concurry::clock::Timestamp;
use concurry::{Limit, LimitSetError, LimitState, Overrun, UsageRule, Verdict, typetag};
use serde::{Deserialize, Serialize};

use super::money::Money;

const A_DAY: u64 = 86_400_000_000_000;

/// So much money a day of 24 hours, counted from the start of the clock.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoneyBudget {
    key: String,
    milli_cents_a_day: u64,
}

impl MoneyBudget {
    pub(crate) fn new(key: &str, a_day: Money) -> Self {
        Self { key: key.to_owned(), milli_cents_a_day: a_day.milli_cents() }
    }
}

#[typetag::serde]
impl Limit for MoneyBudget {
    fn key(&self) -> &str {
        &self.key
    }

    fn capacity(&self) -> u64 {
        self.milli_cents_a_day
    }

    /// None: each purchase must name its price.
    fn default_amount(&self) -> Option<u64> {
        None
    }

    /// What was paid must be told, and is the reserved price at most.
    fn usage_rule(&self) -> UsageRule {
        UsageRule::Reported(Overrun::Refuse)
    }

    fn validate(&self) -> Result<(), LimitSetError> {
        if self.milli_cents_a_day > 0 {
            return Ok(());
        }
        let reason = "a budget of nothing buys nothing: `milli_cents_a_day` is at least 1".to_owned();
        Err(LimitSetError::Invalid { key: self.key.clone(), reason })
    }

    fn state(&self, now: Timestamp) -> Box<dyn LimitState> {
        Box::new(Spending { a_day: self.milli_cents_a_day, today: day(now), spent: 0, reserved: 0 })
    }
}

/// A pure state machine: it is given the time, and a set calls it under its lock.
struct Spending {
    a_day: u64,
    today: u64,
    /// On that day.
    spent: u64,
    /// On whatever day.
    reserved: u64,
}

fn day(now: Timestamp) -> u64 {
    now.as_nanos() / A_DAY
}

impl Spending {
    fn begin_day(&mut self, now: Timestamp) {
        if day(now) > self.today {
            self.today = day(now);
            self.spent = 0;
        }
    }
}

impl LimitState for Spending {
    fn check(&mut self, amount: u64, now: Timestamp) -> Verdict {
        self.begin_day(now);
        // A sum that does not fit into a number does not fit into the largest budget either.
        let fits = |beside: Option<u64>| {
            beside.and_then(|sum| sum.checked_add(amount)).is_some_and(|sum| sum <= self.a_day)
        };
        if amount > self.a_day {
            Verdict::Never("it is more than the budget of a day".into())
        } else if fits(self.spent.checked_add(self.reserved)) {
            Verdict::Granted
        } else if fits(Some(self.reserved)) {
            Verdict::NotBefore(Timestamp::from_nanos((self.today + 1).saturating_mul(A_DAY)))
        } else {
            Verdict::OnRelease
        }
    }

    fn take(&mut self, amount: u64, _: Timestamp) {
        self.reserved = self.reserved.saturating_add(amount);
    }

    fn settle(&mut self, requested: u64, used: u64, now: Timestamp) {
        self.begin_day(now);
        self.reserved = self.reserved.saturating_sub(requested);
        self.spent = self.spent.saturating_add(used);
    }

    fn undo(&mut self, amount: u64, _: Timestamp, _: Timestamp) {
        self.reserved = self.reserved.saturating_sub(amount);
    }

    fn set_capacity(&mut self, capacity: u64, _: Timestamp) {
        self.a_day = capacity;
    }

    fn in_use(&mut self, now: Timestamp) -> u64 {
        self.begin_day(now);
        self.spent.saturating_add(self.reserved)
    }
}
