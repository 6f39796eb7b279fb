//! Where a worker runs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where the workers of a pool run: the one word that changes when code moves.
///
/// From text, case does not matter and the names of the Python library are known too: `asyncio` is
/// [`Async`](Self::Async), `threads` is [`Thread`](Self::Thread), `processes` is [`Process`](Self::Process).
///
/// # Examples
///
/// ```
/// use concurry_core::mode::ExecutionMode;
///
/// # fn main() -> Result<(), concurry_core::mode::UnknownMode> {
/// let mode: ExecutionMode = "process".parse()?;
/// assert_eq!(mode, ExecutionMode::Process);
/// assert_eq!(mode.to_string(), "process");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum ExecutionMode {
    /// In the caller, before the call returns.
    Sync,
    /// A thread a worker.
    Thread,
    /// A tokio task a worker.
    Async,
    /// A process a worker.
    Process,
    /// An actor a worker on a Ray cluster. This version has no Ray runtime: `init` fails, says so, and names process mode.
    Ray,
}

impl ExecutionMode {
    /// Every mode, in the order of the documentation.
    ///
    /// # Examples
    ///
    /// ```
    /// # use concurry_core::mode::ExecutionMode;
    /// assert_eq!(ExecutionMode::ALL.len(), 5);
    /// ```
    pub const ALL: [Self; 5] = [Self::Sync, Self::Thread, Self::Async, Self::Process, Self::Ray];

    /// The name in configuration: `sync`, `thread`, `async`, `process`, `ray`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use concurry_core::mode::ExecutionMode;
    /// assert_eq!(ExecutionMode::Thread.name(), "thread");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Thread => "thread",
            Self::Async => "async",
            Self::Process => "process",
            Self::Ray => "ray",
        }
    }
}

impl fmt::Display for ExecutionMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that names no [`ExecutionMode`]. Its message names all of them, `ray` too, for which this version has no runtime.
///
/// # Examples
///
/// ```
/// # use concurry_core::mode::ExecutionMode;
/// let error = "fiber".parse::<ExecutionMode>().unwrap_err();
/// assert_eq!(error.to_string(), "unknown execution mode `fiber`: expected sync, thread, async, process or ray");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown execution mode `{text}`: expected sync, thread, async, process or ray")]
pub struct UnknownMode {
    text: String,
}

impl FromStr for ExecutionMode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        match text.trim().to_ascii_lowercase().as_str() {
            "sync" => Ok(Self::Sync),
            "thread" | "threads" => Ok(Self::Thread),
            "async" | "asyncio" => Ok(Self::Async),
            "process" | "processes" => Ok(Self::Process),
            "ray" => Ok(Self::Ray),
            _ => Err(UnknownMode { text: text.to_owned() }),
        }
    }
}

impl TryFrom<String> for ExecutionMode {
    type Error = UnknownMode;

    fn try_from(text: String) -> Result<Self, UnknownMode> {
        text.parse()
    }
}

impl From<ExecutionMode> for String {
    fn from(mode: ExecutionMode) -> Self {
        mode.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{ExecutionMode, UnknownMode};

    #[test]
    fn each_mode_is_known_by_its_names_and_an_error_tells_them_all() {
        use ExecutionMode::{Async, Process, Ray, Sync, Thread};
        let aliases = [("threads", Thread), ("asyncio", Async), ("processes", Process)];
        let names =
            [("sync", Sync), ("thread", Thread), ("async", Async), ("process", Process), ("ray", Ray)];
        for (name, mode) in names.into_iter().chain(aliases) {
            for text in [name.to_owned(), name.to_uppercase(), format!(" {name}\n")] {
                assert_eq!(text.parse(), Ok(mode), "{text:?}");
                assert_eq!(ExecutionMode::try_from(text), Ok(mode), "as configuration reads it");
            }
        }
        assert!(ExecutionMode::ALL.iter().all(|mode| mode.to_string().parse() == Ok(*mode)));
        for text in ["", "fiber", "process es"] {
            let error: UnknownMode = text.parse::<ExecutionMode>().unwrap_err();
            let error = error.to_string();
            assert!(error.contains(&format!("`{text}`")), "{error}");
            assert!(ExecutionMode::ALL.iter().all(|mode| error.contains(mode.name())), "{error}");
        }
    }
}
