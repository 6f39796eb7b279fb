//! Lines that are numbers, and what numbers are made of.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Larger ones may take longer than anybody likes to wait.
const LARGEST: u64 = 1_000_000_000_000_000;

/// A number and its prime factors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Factors {
    number: u64,
    primes: Vec<u64>,
}

/// A line that is no number to be factored.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
#[error("`{0}` is no whole number from 1 to {LARGEST}")]
pub(crate) struct NoNumber(String);

/// The prime factors of the number that stands on `line`, found by trial.
pub(crate) fn factors(line: &str) -> Result<Factors, NoNumber> {
    let line = line.trim();
    let number = line.parse().ok().filter(|number| (1..=LARGEST).contains(number));
    let number: u64 = number.ok_or_else(|| NoNumber(line.chars().take(40).collect()))?;
    let (mut rest, mut divisor, mut primes) = (number, 2, Vec::new());
    while divisor * divisor <= rest {
        if rest % divisor == 0 {
            primes.push(divisor);
            rest /= divisor;
        } else {
            divisor += 1;
        }
    }
    if rest > 1 {
        primes.push(rest);
    }
    Ok(Factors { number, primes })
}

impl fmt::Display for Factors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let primes: Vec<String> = self.primes.iter().map(u64::to_string).collect();
        write!(f, "{} = {}", self.number, if primes.is_empty() { "1".to_owned() } else { primes.join(" * ") })
    }
}
