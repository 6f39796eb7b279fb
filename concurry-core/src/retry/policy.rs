//! [`Retry`]: what is asked for.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the time between attempts grows.
///
/// # Examples
///
/// ```
/// use concurry_core::retry::RetryAlgorithm;
///
/// assert_eq!(RetryAlgorithm::default(), RetryAlgorithm::Exponential);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAlgorithm {
    /// Always the same.
    Fixed,
    /// Once, twice, three times the first.
    Linear,
    /// Twice as long each time.
    #[default]
    Exponential,
    /// Each as long as the two before it together: 1, 1, 2, 3, 5 times the first.
    Fibonacci,
}

/// How a call is tried again: how often, how long the waits are, and what else than the method's own errors is retried.
///
/// Give it to a pool with `.retry(…)` for all of its methods that return a `Result`; `#[retry(…)]` on a method overrides
/// it field by field. What is not said: a first wait of 1 s, waits of at most 60 s
/// (or of the first one, if that is longer), a jitter of 0.3, no budget, and no
/// retry of panics and deaths.
///
/// # Examples
///
/// ```
/// use concurry_core::retry::Retry;
/// use std::time::Duration;
///
/// let retry = Retry::exponential(5)
///     .wait(Duration::from_millis(200))
///     .max_wait(Duration::from_secs(20))
///     .jitter(0.0)
///     .budget(Duration::from_secs(60));
/// assert_eq!(retry.backoff(3, 0), Duration::from_millis(800));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[must_use = "give it to a pool with `.retry(…)`"]
pub struct Retry {
    pub(super) attempts: u32,
    pub(super) algorithm: RetryAlgorithm,
    pub(super) wait: Duration,
    pub(super) max_wait: Option<Duration>,
    pub(super) jitter: f64,
    pub(super) budget: Option<Duration>,
    pub(super) panics: bool,
    pub(super) worker_death: bool,
}

/// A [`Retry`] that cannot be.
///
/// # Examples
///
/// ```
/// use concurry_core::retry::Retry;
///
/// let error = Retry::fixed(0).check().unwrap_err();
/// assert_eq!(error.to_string(), "retry attempts is 0, but a call is tried at least once");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option} is {value}, but {expected}")]
pub struct InvalidRetry {
    /// What is wrong.
    pub option: &'static str,
    /// What was given.
    pub value: String,
    /// What would do.
    pub expected: &'static str,
}

impl Default for Retry {
    /// [`Retry::exponential`] with three attempts.
    fn default() -> Self {
        Self::exponential(3)
    }
}

impl Retry {
    fn new(attempts: u32, algorithm: RetryAlgorithm) -> Self {
        Self {
            attempts,
            algorithm,
            wait: Duration::from_secs(1),
            max_wait: None,
            jitter: 0.3,
            budget: None,
            panics: false,
            worker_death: false,
        }
    }

    /// At most `attempts`, the first included; the same wait each time.
    pub fn fixed(attempts: u32) -> Self {
        Self::new(attempts, RetryAlgorithm::Fixed)
    }

    /// At most `attempts`, the first included; waits that grow by the first one each time.
    pub fn linear(attempts: u32) -> Self {
        Self::new(attempts, RetryAlgorithm::Linear)
    }

    /// At most `attempts`, the first included; waits that double.
    pub fn exponential(attempts: u32) -> Self {
        Self::new(attempts, RetryAlgorithm::Exponential)
    }

    /// At most `attempts`, the first included; waits that grow like Fibonacci's numbers.
    pub fn fibonacci(attempts: u32) -> Self {
        Self::new(attempts, RetryAlgorithm::Fibonacci)
    }

    /// The wait before the second attempt; 1 s by default. Zero tries again at once.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// The longest wait that the algorithm may come to; by default 60 s, or the first wait if that is longer. A wait that an error itself asks for (`after`)
    /// is kept even when it is longer.
    pub fn max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = Some(max_wait);
        self
    }

    /// How much of a wait is left to chance, 0 to 1; 0.3 by default. A wait is drawn evenly between `(1 - jitter)` of
    /// itself and itself, so 0 keeps it as it is, and 1 ("full jitter") draws it between nothing and itself.
    pub fn jitter(mut self, jitter: f64) -> Self {
        self.jitter = jitter;
        self
    }

    /// The time for all attempts together, from the submission of the call: no attempt but the first begins later. One whose
    /// back-off would end later is not made, and the call ends at once with what there is; one that still waits for a worker or
    /// for limits then is taken out, and the call ends. One that runs is not interrupted. No bound by default.
    pub fn budget(mut self, budget: Duration) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Whether a call that panicked is tried again, on a worker that was made anew; not by default.
    pub fn panics(mut self, retried: bool) -> Self {
        self.panics = retried;
        self
    }

    /// Whether a call whose worker's process died is tried again. Not by default: the method may have run in part.
    pub fn worker_death(mut self, retried: bool) -> Self {
        self.worker_death = retried;
        self
    }

    /// How many attempts there are at most.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether panics are retried.
    pub fn retries_panics(&self) -> bool {
        self.panics
    }

    /// Whether deaths of workers are retried.
    pub fn retries_worker_death(&self) -> bool {
        self.worker_death
    }

    /// Whether an attempt may begin `elapsed` after the submission of its call.
    pub fn has_time(&self, elapsed: Duration) -> bool {
        self.budget.is_none_or(|budget| elapsed <= budget)
    }

    /// The time for all attempts, if there is a bound.
    #[doc(hidden)]
    pub fn time(&self) -> Option<Duration> {
        self.budget
    }

    /// Whether it can be: what `init` asks.
    ///
    /// # Errors
    ///
    /// [`InvalidRetry`] for no attempts, and for a jitter that is not between 0 and 1.
    pub fn check(&self) -> Result<(), InvalidRetry> {
        if self.attempts == 0 {
            return Err(InvalidRetry {
                option: "retry attempts",
                value: "0".to_owned(),
                expected: "a call is tried at least once",
            });
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return Err(InvalidRetry {
                option: "retry jitter",
                value: self.jitter.to_string(),
                expected: "it is between 0 (none) and 1 (full)",
            });
        }
        Ok(())
    }
}
