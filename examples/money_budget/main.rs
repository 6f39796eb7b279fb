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

#[path = "../support/program.rs"]
mod program;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;
use concurry::prelude::*;

use budget::MoneyBudget;
use money::Money;

/// Tells which purchases fit into a day's budget, all in dollars.
#[derive(Parser)]
struct Arguments {
    /// What may be spent a day
    #[arg(default_value = "2.00", allow_hyphen_values = true)]
    budget: Money,
    /// The price that is reserved for each purchase and, after a colon, what it really cost
    #[arg(value_name = "PRICE[:PAID]", default_values = ["0.75", "1.20:0.40", "0.90", "0.50", "3.00"], allow_hyphen_values = true)]
    purchases: Vec<Purchase>,
}

/// The price that is reserved, and the one that is paid.
#[derive(Clone, Copy)]
struct Purchase {
    price: Money,
    paid: Money,
}

impl FromStr for Purchase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (price, paid) = text.split_once(':').unwrap_or((text, text));
        Ok(Self { price: price.parse()?, paid: paid.parse()? })
    }
}

fn main() -> ExitCode {
    program::run("money_budget", spend)
}

fn spend(Arguments { budget, purchases }: Arguments) -> Result<(), Box<dyn Error>> {
    let purse = LimitSet::builder().limit(MoneyBudget::new("spend", budget)).build()?;
    let mut out = io::stdout().lock();
    writeln!(out, "a budget of {budget} a day")?;
    for Purchase { price, paid } in purchases {
        let outcome = buy(&purse, price, paid)?;
        let left = purse.stats().limits[0].available;
        writeln!(out, "{price:>9}  {outcome}; {} left today", Money::from_milli_cents(left))?;
    }
    Ok(())
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
