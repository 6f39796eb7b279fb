//! A kind of limit of a user's own does all that the built-in ones do: sets, stats, configuration, worker processes, keys.

#![allow(
    clippy::unwrap_used,
    clippy::missing_errors_doc,
    missing_docs,
    unreachable_pub,
    reason = "a test is its own documentation, and may panic anywhere; workers are private to it"
)]

#[path = "../examples/money_budget/budget.rs"]
mod budget;
#[path = "../examples/money_budget/money.rs"]
#[allow(dead_code, reason = "the example prints money; this test does not")]
mod money;

use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use concurry::clock::ManualClock;
use concurry::prelude::*;
use concurry::{Admission, KeyedLimits, LimitSetBuilder};
use serde::{Deserialize, Serialize};

use budget::MoneyBudget;
use money::Money;

const HOUR: Duration = Duration::from_secs(3_600);

fn dollars(dollars: u64) -> u64 {
    dollars * 100_000
}

/// Ten dollars a day, and two purchases at a time.
fn purse() -> (ManualClock, LimitSet) {
    let clock = ManualClock::new();
    let set = LimitSet::builder()
        .clock(Arc::new(clock.clone()))
        .limit(MoneyBudget::new("spend", Money::from_milli_cents(dollars(10))))
        .limit(ResourceLimit::new("purchases", 2))
        .build()
        .expect("valid limits");
    (clock, set)
}

#[test]
fn it_is_acquired_together_with_others_and_frees_what_was_not_spent() {
    let (clock, set) = purse();
    clock.advance(HOUR);
    let mut acquired = set.acquire([("spend", dollars(8))]).unwrap();
    assert_eq!(set.would_admit([("spend", dollars(3))]), Admission::OnRelease("spend".into()));
    acquired.update([("spend", dollars(5))]).unwrap();
    acquired.release().unwrap();
    assert_eq!(set.would_admit([("spend", dollars(5))]), Admission::Now);
    assert_eq!(set.would_admit([("spend", dollars(6))]), Admission::In(23 * HOUR, "spend".into()));
    clock.advance(23 * HOUR);
    assert_eq!(set.would_admit([("spend", dollars(10))]), Admission::Now);
    let error = set.acquire([("spend", dollars(11))]).unwrap_err();
    assert!(matches!(error, LimitError::Never { .. }), "{error}");
}

#[test]
fn it_keeps_what_a_set_relies_on() {
    for cents in [1, 5, 1_000] {
        concurry::assert_limit_conforms(&MoneyBudget::new("spend", Money::from_milli_cents(cents)));
    }
}

#[test]
fn the_largest_budget_is_not_overspent() {
    let budget = MoneyBudget::new("spend", Money::from_milli_cents(u64::MAX));
    let set = LimitSet::builder().clock(Arc::new(ManualClock::new())).limit(budget).build().unwrap();
    let _held = set.acquire([("spend", u64::MAX - 1)]).unwrap();
    assert_eq!(set.would_admit([("spend", 2)]), Admission::OnRelease("spend".into()));
    assert_eq!(set.would_admit([("spend", 1)]), Admission::Now);
}

#[test]
fn what_it_demands_of_usages_is_enforced() {
    let (_clock, set) = purse();
    let mut acquired = set.acquire([("spend", 5)]).unwrap();
    assert!(matches!(acquired.update([("spend", 6)]), Err(LimitError::UsageExceedsRequested { .. })));
    assert_eq!(acquired.release(), Err(LimitError::MissingUpdate { keys: vec!["spend".into()] }));
    assert!(matches!(set.acquire(()), Err(LimitError::AmountRequired { .. })));
}

#[test]
fn it_is_shown_in_stats_with_its_name() {
    let (_clock, set) = purse();
    let held = set.acquire([("spend", dollars(4))]).unwrap();
    let stats = set.stats();
    let spend = stats.limit("spend").unwrap();
    assert_eq!((spend.kind.as_str(), spend.capacity, spend.in_use), ("MoneyBudget", dollars(10), dollars(4)));
    drop(held);
}

#[test]
fn it_is_read_from_a_configuration_and_written_to_one() {
    let text = "[[limits]]\nkind = \"MoneyBudget\"\nkey = \"spend\"\nmilli_cents_a_day = 200_000\n";
    let set: LimitSet = toml::from_str(text).unwrap();
    assert_eq!(set.limit("spend").unwrap().capacity(), dollars(2));
    let written = serde_json::to_string(&set).unwrap();
    let again: LimitSet = serde_json::from_str(&written).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), written);

    for (from, to, part) in [
        ("MoneyBudget", "Budget", "`MoneyBudget`"),
        (
            "milli_cents_a_day = 200_000",
            "milli_cents_a_day = 0",
            "limit `spend` is not valid: a budget of nothing",
        ),
        ("milli_cents_a_day", "dollars_a_day", "expected `key` or `milli_cents_a_day`"),
    ] {
        let error = toml::from_str::<LimitSet>(&text.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("at line"), "{error}");
    }
}

#[test]
fn a_tenant_each_may_have_one() {
    let clock = ManualClock::new();
    let template: LimitSetBuilder = serde_json::from_str(
        r#"{"limits": [{"kind": "MoneyBudget", "key": "spend", "milli_cents_a_day": 100}]}"#,
    )
    .unwrap();
    let tenants: KeyedLimits<u64> =
        KeyedLimits::builder(template).clock(Arc::new(clock.clone())).max_keys(0).build().unwrap();
    let spend = |tenant: u64, price: u64| {
        let mut acquired = tenants.try_acquire(&tenant, [("spend", price)])?;
        acquired.update([("spend", price)])
    };
    for tenant in 0..200 {
        spend(tenant, 60).unwrap();
    }
    for tenant in 0..200 {
        spend(tenant, 41).unwrap_err();
    }
    clock.advance(24 * HOUR);
    for _ in 0..100 * 200 {
        drop(tenants.get(&0).unwrap());
    }
    assert!(tenants.len() < 20, "what was spent yesterday does not count any more: {}", tenants.len());
}

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error(transparent)]
pub struct BuyError(#[from] LimitError);

/// Buys in another process, out of the purse of this one.
#[worker]
#[derive(Default)]
pub struct Buyer;

#[worker]
impl Buyer {
    pub fn buy(&mut self, price: u64, paid: u64) -> Result<u64, BuyError> {
        let mut acquired = self.limits.try_acquire([("spend", price)])?;
        acquired.update([("spend", paid)])?;
        acquired.release()?;
        Ok(price - paid)
    }
}

#[test]
fn worker_processes_share_it() {
    let (_clock, set) = purse();
    let buyers = Buyer::options(ExecutionMode::Process, &set, 2).init().unwrap();
    assert_eq!(buyers.buy(dollars(8), dollars(7)).result().unwrap(), dollars(1));
    let error = buyers.buy(dollars(4), dollars(4)).result().unwrap_err();
    assert!(error.to_string().contains("limit `spend` cannot admit 400000 now"), "{error}");
    assert_eq!(set.stats().limit("spend").unwrap().in_use, dollars(7));
    buyers.stop();
}

/// The example, which `cargo test` builds beside the tests.
fn example(arguments: &[&str]) -> Output {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(std::path::Path::parent).unwrap();
    let example = profile.join("examples").join(format!("money_budget{}", std::env::consts::EXE_SUFFIX));
    Command::new(example).args(arguments).output().expect("run `cargo build --example money_budget` first")
}

#[test]
fn the_example_tells_which_purchases_fit() {
    let output = example(&["2.00", "0.75", "1.20:0.40", "0.90", "0.50", "3.00"]);
    assert!(output.status.success());
    assert_eq!(example(&[]).stdout, output.stdout, "it runs as it stands");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    assert_eq!(
        lines[..3],
        [
            "a budget of $2.00 a day",
            "$0.75  paid $0.75; $1.25 left today",
            "$1.20  paid $0.40; $0.85 left today",
        ]
    );
    assert!(
        lines[3].starts_with("$0.90  not today: in ") && lines[3].ends_with("$0.85 left today"),
        "{text}"
    );
    assert_eq!(lines[4], "$0.50  paid $0.50; $0.35 left today");
    assert!(lines[5].contains("never: it is more than a whole day's budget"), "{text}");
}

#[test]
fn bad_input_of_the_example_is_one_clear_line() {
    for (arguments, part) in [
        (&["two", "1"][..], "`two` is no amount of dollars"),
        (&["2", "1.234567"], "up to five decimals"),
        (&["2", "-1"], "`-1` is no amount"),
        (&["0", "1"], "a budget of nothing buys nothing"),
        (&["2", "1:1.50"], "reserve what it may cost at most"),
        (&["99999999999999999999", "1"], "is no amount of dollars"),
    ] {
        let output = example(arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments:?}: {text}");
        assert!(
            text.starts_with("money_budget: ") && text.contains(part) && text.lines().count() == 1,
            "{arguments:?}: {text}"
        );
    }
}
