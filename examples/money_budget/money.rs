//! Money in whole milli-cents, so that no sum is ever rounded.

use std::fmt;
use std::str::FromStr;

const A_DOLLAR: u64 = 100_000;

/// An amount of dollars, to the thousandth of a cent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Money(u64);

impl Money {
    pub(crate) const fn from_milli_cents(milli_cents: u64) -> Self {
        Self(milli_cents)
    }

    pub(crate) const fn milli_cents(self) -> u64 {
        self.0
    }
}

impl FromStr for Money {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fail =
            || format!("`{text}` is no amount of dollars: write it as in 12.50, with up to five decimals");
        let (dollars, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(dollars) || !all_digits(decimals) || decimals.len() > 5 {
            return Err(fail());
        }
        let dollars: u64 = dollars.parse().map_err(|_| fail())?;
        let decimals: u64 = format!("{decimals:0<5}").parse().map_err(|_| fail())?;
        dollars.checked_mul(A_DOLLAR).and_then(|whole| whole.checked_add(decimals)).map(Self).ok_or_else(fail)
    }
}

impl fmt::Display for Money {
    /// Cents, and their fractions where there are some.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, rest) = (self.0 / A_DOLLAR, self.0 % A_DOLLAR);
        let decimals = format!("{rest:05}");
        let (cents, fraction) = decimals.split_at(2);
        f.pad(&format!("${dollars}.{cents}{}", fraction.trim_end_matches('0')))
    }
}
