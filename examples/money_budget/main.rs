//! Which purchases fit into a day's budget of money? A kind of limit of one's own, used like the built-in ones.
//!
//! ```sh
//! cargo run --example money_budget -- 2.00 0.75 1.20:0.40 0.90 0.50 3.00
//! ```
//!
//! The first number is the budget a day in dollars. Each further one is a purchase: the price that is reserved for it and,
//! after a colon, what it really cost. What to look at: [`budget`], the kind itself; and `buy`, which acquires, tells the
//! real price and releases.

mod budget;
mod money;

use std::process::ExitCode;
use std::time::Duration;

use concurry::prelude::*;

use budget::MoneyBudget;
use money::Money;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match Plan::read(&arguments).and_then(|plan| plan.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("money_budget: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Plan {
    a_day: Money,
    /// Each with the price that is reserved and the one that is paid.
    purchases: Vec<(Money, Money)>,
}

impl Plan {
    fn read(arguments: &[String]) -> Result<Self, String> {
        let (a_day, purchases) = match arguments {
            [a_day, purchases @ ..] if !purchases.is_empty() => (a_day.parse()?, purchases),
            _ => return Err("usage: money_budget BUDGET PRICE[:PAID] ..., all in dollars".to_owned()),
        };
        let purchases = purchases.iter().map(|text| {
            let (price, paid) = text.split_once(':').unwrap_or((text, text));
            Ok::<(Money, Money), String>((price.parse()?, paid.parse()?))
        });
        Ok(Self { a_day, purchases: purchases.collect::<Result<_, _>>()? })
    }

    fn run(&self) -> Result<(), String> {
        let budget = MoneyBudget::new("spend", self.a_day);
        let purse = LimitSet::builder().limit(budget).build().map_err(|error| error.to_string())?;
        println!("a budget of {} a day", self.a_day);
        for (price, paid) in &self.purchases {
            let outcome = buy(&purse, *price, *paid)?;
            let left = purse.stats().limits[0].available;
            println!("{price:>9}  {outcome}; {} left today", Money::from_milli_cents(left));
        }
        Ok(())
    }
}

/// Reserves the price, and tells what was paid.
fn buy(purse: &LimitSet, price: Money, paid: Money) -> Result<String, String> {
    let mut acquired = match purse.try_acquire([("spend", price.milli_cents())]) {
        Ok(acquired) => acquired,
        Err(LimitError::Unavailable { available_in: Some(wait), .. }) => {
            return Ok(format!("not today: in {}", hours(wait)));
        }
        Err(LimitError::Never { .. }) => return Ok("never: it is more than a whole day's budget".to_owned()),
        Err(error) => return Err(error.to_string()),
    };
    acquired.update([("spend", paid.milli_cents())]).map_err(|_| {
        format!("{paid} were paid where {price} were reserved: reserve what it may cost at most")
    })?;
    acquired.release().map_err(|error| error.to_string())?;
    Ok(format!("paid {paid}"))
}

fn hours(wait: Duration) -> String {
    let minutes = wait.as_secs().div_ceil(60);
    format!("{} h {} min", minutes / 60, minutes % 60)
}
