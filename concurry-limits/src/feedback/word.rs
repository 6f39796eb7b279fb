//! [`Feedback`].

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::{FeedbackError, time};
use crate::Window;

/// What a server said about its limits, in the keys of a [`LimitSet`](crate::LimitSet).
///
/// Tell it with [`LimitSetAcquisition::feedback`](crate::LimitSetAcquisition::feedback). From then on the stricter holds,
/// our own count or the server's word, for everyone who uses the set, in whatever process. A later word never loosens an
/// earlier one; what was said ends by itself, or by [`LimitSet::resume`](crate::LimitSet::resume).
///
/// All times are from the moment at which it is told. None is longer than [`Window::MAX`]: a longer one is cut to that.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use concurry_limits::{Admission, CallLimit, Feedback, LimitSet, Window};
///
/// let account = LimitSet::builder().limit(CallLimit::new(500, Window::MINUTE)).build()?;
/// let acquired = account.acquire(())?;
/// // … the server answers: 429 Too Many Requests, Retry-After: 3 …
/// acquired.feedback(Feedback::retry_after(Duration::from_secs(3)));
/// assert!(matches!(account.would_admit(()), Admission::In(wait, _) if wait <= Duration::from_secs(3)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[must_use = "feedback holds once it was told to an acquisition or a set"]
pub struct Feedback {
    pub(crate) words: Vec<Word>,
}

/// One thing that a server said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Word {
    /// Nothing is admitted for this time: on the limit of that key, or on all rates and calls.
    Pause { key: Option<String>, time: Duration },
    /// So much more is admitted now, growing evenly to `full` in this time.
    Allowance { key: String, remaining: u64, full: u64, time: Duration },
}

impl Word {
    /// For how long it holds. It may have come from elsewhere, where nobody cut it.
    pub(crate) fn time(&self) -> Duration {
        let (Self::Pause { time, .. } | Self::Allowance { time, .. }) = self;
        clamp(*time)
    }
}

impl Feedback {
    /// Nothing is to be sent for this time: pauses every limit of the set but those whose usage is
    /// [held and given back](crate::UsageRule::Held), as a resource's is: the server knows nothing of them.
    pub fn retry_after(time: Duration) -> Self {
        Self::of(Word::Pause { key: None, time: clamp(time) })
    }

    /// Nothing is to be sent for this time that needs the limit of this key: pauses that one alone.
    pub fn retry_after_on(key: impl Into<String>, time: Duration) -> Self {
        Self::of(Word::Pause { key: Some(key.into()), time: clamp(time) })
    }

    /// Like [`retry_after`](Self::retry_after), from the value of a `Retry-After` header: whole seconds, or a date in any
    /// of the three forms of HTTP; a date is counted from `now`, and one that has passed is a time of zero.
    /// ([RFC 9110, sections 10.2.3 and 5.6.7](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3))
    ///
    /// # Errors
    ///
    /// When the value is neither.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use concurry_limits::Feedback;
    ///
    /// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    /// let three_seconds = Feedback::retry_after(Duration::from_secs(3));
    /// assert_eq!(Feedback::retry_after_header("3", now)?, three_seconds);
    /// assert_eq!(Feedback::retry_after_header("Sun, 06 Nov 1994 08:49:40 GMT", now)?, three_seconds);
    /// # Ok::<(), concurry_limits::FeedbackError>(())
    /// ```
    pub fn retry_after_header(value: &str, now: SystemTime) -> Result<Self, FeedbackError> {
        time::retry_after(value, now).map(Self::retry_after)
    }

    /// At most `remaining` more are to be admitted on the limit of this key until `reset` from now: a window that ends
    /// then. What is acquired already does not count against it, and neither does what was used beyond the amount that was acquired
    /// ([`Overrun::Debt`](crate::Overrun::Debt)): that is charged to our own count alone, and the server's next word has it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use concurry_limits::{Feedback, LimitSet, RateLimit, Window};
    ///
    /// let set = LimitSet::builder().limit(RateLimit::new("tokens", 10_000, Window::MINUTE)).build()?;
    /// set.feedback(Feedback::remaining("tokens", 500, Duration::from_secs(20)));
    /// assert!(set.try_acquire([("tokens", 501)]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn remaining(key: impl Into<String>, remaining: u64, reset: Duration) -> Self {
        Self::replenished(key, remaining, remaining, reset)
    }

    /// What the three figures of a bucket say, of which the capacity may be left out; nothing where another one is.
    pub(super) fn bucket(
        key: &str,
        remaining: Option<u64>,
        capacity: Option<u64>,
        full_in: Option<Duration>,
    ) -> Self {
        let (Some(remaining), Some(full_in)) = (remaining, full_in) else { return Self::default() };
        Self::replenished(key, remaining, capacity.unwrap_or(remaining), full_in)
    }

    /// At most `remaining` more are to be admitted on the limit of this key now, and evenly more with time, to `full` at
    /// `full_in` from now: a bucket that is refilled.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use concurry_limits::{Admission, Feedback, LimitSet, RateLimit, Window};
    ///
    /// let set = LimitSet::builder().limit(RateLimit::new("tokens", 10_000, Window::MINUTE)).build()?;
    /// set.feedback(Feedback::replenished("tokens", 0, 6_000, Duration::from_secs(60)));
    /// let Admission::In(wait, _) = set.would_admit([("tokens", 100)]) else { panic!("it has to wait") };
    /// assert!(wait <= Duration::from_secs(1)); // 100 a second
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replenished(key: impl Into<String>, remaining: u64, full: u64, full_in: Duration) -> Self {
        let full = full.max(remaining);
        Self::of(Word::Allowance { key: key.into(), remaining, full, time: clamp(full_in) })
    }

    /// Both this and `other`.
    pub fn and(mut self, other: Self) -> Self {
        self.words.extend(other.words);
        self
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    fn of(word: Word) -> Self {
        Self { words: vec![word] }
    }
}

fn clamp(time: Duration) -> Duration {
    time.min(Window::MAX.duration())
}
