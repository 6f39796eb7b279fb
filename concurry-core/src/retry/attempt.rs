//! [`Attempt`].

use std::time::Duration;

/// What a predicate of `#[retry(…)]` may know of the attempt that it judges.
///
/// # Examples
///
/// ```
/// use concurry_core::retry::Attempt;
/// use std::time::Duration;
///
/// /// Gives up on a full disk after the second attempt.
/// fn is_worth_it(error: &std::io::Error, attempt: &Attempt) -> bool {
///     error.kind() != std::io::ErrorKind::StorageFull || attempt.number() < 2
/// }
/// let attempt = Attempt::new(2, Duration::from_secs(1), "store");
/// assert!(!is_worth_it(&std::io::ErrorKind::StorageFull.into(), &attempt));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    number: u32,
    elapsed: Duration,
    method: &'static str,
}

impl Attempt {
    /// Attempt `number`, 1 or more, at `method`, ended `elapsed` after the call was submitted.
    pub fn new(number: u32, elapsed: Duration, method: &'static str) -> Self {
        Self { number, elapsed, method }
    }

    /// Which attempt it was: 1 is the first.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The time from the submission of the call to the end of this attempt.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The method's name.
    pub fn method(&self) -> &'static str {
        self.method
    }
}
