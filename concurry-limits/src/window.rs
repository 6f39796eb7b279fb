//! [`Window`]: the span of time that a rate is counted over.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// The span of time that a rate is counted over: 1 ns to 10 years.
///
/// Made from a [`Duration`], one of the named constants, or text: a name (`"minute"`, `"mins"`, `"per_minute"`), or a
/// whole number with a unit (`"30s"`, `"5 minutes"`, `"1500ms"`). In configuration it is such a text or a number of seconds.
/// A window that is out of range is reported when a [`LimitSet`](crate::LimitSet) is built from it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use concurry_limits::Window;
///
/// assert_eq!(Window::from(Duration::from_secs(60)), Window::MINUTE);
/// assert_eq!("per_minute".parse::<Window>()?, Window::MINUTE);
/// assert_eq!("90s".parse::<Window>()?.duration(), Duration::from_secs(90));
/// assert_eq!(serde_json::from_str::<Window>("0.5")?.duration(), Duration::from_millis(500));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window(Duration);

/// Names, and how a window of one is written; the first name of each row is the one that is written.
const UNITS: [(&[&str], u64); 8] = [
    (&["second", "seconds", "sec", "secs", "s"], 1_000_000_000),
    (&["minute", "minutes", "min", "mins", "m"], 60_000_000_000),
    (&["hour", "hours", "hr", "hrs", "h"], 3_600_000_000_000),
    (&["day", "days", "d"], 86_400_000_000_000),
    (&["week", "weeks", "w"], 604_800_000_000_000),
    (&["millisecond", "milliseconds", "millis", "ms"], 1_000_000),
    (&["microsecond", "microseconds", "micros", "us"], 1_000),
    (&["nanosecond", "nanoseconds", "nanos", "ns"], 1),
];

impl Window {
    /// One second.
    pub const SECOND: Self = Self(Duration::from_secs(1));
    /// One minute.
    pub const MINUTE: Self = Self(Duration::from_secs(60));
    /// One hour.
    pub const HOUR: Self = Self(Duration::from_secs(3_600));
    /// One day of 24 hours.
    pub const DAY: Self = Self(Duration::from_secs(86_400));
    /// Seven days of 24 hours.
    pub const WEEK: Self = Self(Duration::from_secs(604_800));
    /// The longest window that a limit may have: ten years of 366 days.
    pub const MAX: Self = Self(Duration::from_secs(10 * 366 * 86_400));

    /// The length of this window.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// The length in nanoseconds, at least 1 and at most that of [`Window::MAX`].
    pub(crate) fn nanos(self) -> u64 {
        let nanos = self.0.clamp(Duration::from_nanos(1), Self::MAX.0).as_nanos();
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    /// Whether a limit may have this window.
    pub(crate) fn is_valid(self) -> bool {
        !self.0.is_zero() && self <= Self::MAX
    }
}

impl From<Duration> for Window {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

/// The text is no window.
///
/// # Examples
///
/// ```
/// let error = "fortnight".parse::<concurry_limits::Window>().unwrap_err();
/// assert!(error.to_string().contains("fortnight"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no window: use second, minute, hour, day or week (also `per_minute`, `mins`), or a whole number with a unit such as `30s`"
)]
pub struct ParseWindowError(String);

impl FromStr for Window {
    type Err = ParseWindowError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = || ParseWindowError(text.to_owned());
        let lower = text.trim().to_ascii_lowercase();
        let rest =
            ["per_", "per-", "per ", "/"].iter().find_map(|per| lower.strip_prefix(per)).unwrap_or(&lower);
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (count, unit) = rest.split_at(digits);
        let count: u64 = if count.is_empty() { 1 } else { count.parse().map_err(|_| fail())? };
        let unit = unit.trim();
        let (_, nanos) = UNITS.iter().find(|(names, _)| names.contains(&unit)).ok_or_else(fail)?;
        let nanos = u128::from(count) * u128::from(*nanos);
        Ok(Self(Duration::from_nanos(u64::try_from(nanos).map_err(|_| fail())?)))
    }
}

impl fmt::Display for Window {
    /// The name of a named window, or whole seconds or nanoseconds with their unit: text that parses to the same window.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        match UNITS.iter().find(|(_, unit)| u128::from(*unit) == nanos) {
            Some((names, _)) => f.write_str(names[0]),
            None if self.0.subsec_nanos() == 0 => write!(f, "{}s", self.0.as_secs()),
            None => write!(f, "{nanos}ns"),
        }
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(WindowVisitor)
        } else {
            Duration::deserialize(deserializer).map(Self)
        }
    }
}

struct WindowVisitor;

impl Visitor<'_> for WindowVisitor {
    type Value = Window;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a window: a number of seconds, a name such as `minute`, or a text such as `30s`")
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Window, E> {
        Ok(Window(Duration::from_secs(seconds)))
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Window, E> {
        let seconds = u64::try_from(seconds).map_err(|_| E::custom("a window cannot be negative"))?;
        self.visit_u64(seconds)
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Window, E> {
        Duration::try_from_secs_f64(seconds).map(Window).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Window, E> {
        text.parse().map_err(E::custom)
    }
}
