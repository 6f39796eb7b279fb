//! [`ConfigError`].

use std::sync::Arc;
use std::{fmt, io};

/// What is wrong with a configuration, and where.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use concurry_core::config::Config;
///
/// # let folder = std::env::temp_dir().join(format!("concurry-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let file = folder.join("concurry.toml");
/// std::fs::write(&file, "[pool]\nmax_worker = 4")?;
/// let error = Config::load_from(&file).unwrap_err();
/// assert_eq!(error.key(), "pool.max_worker");
/// assert!(error.to_string().contains("max_workers"), "{error}");
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    pub(super) place: String,
    pub(super) key: String,
    pub(super) problem: String,
    pub(super) source: Option<Unreadable>,
}

/// Why a file cannot be read.
#[derive(Debug, Clone)]
pub(super) struct Unreadable(pub(super) Arc<io::Error>);

/// Two are the same when they tell the same.
impl PartialEq for Unreadable {
    fn eq(&self, other: &Self) -> bool {
        self.0.kind() == other.0.kind() && self.0.to_string() == other.0.to_string()
    }
}

impl Eq for Unreadable {}

impl ConfigError {
    /// The file, or the variable of the environment.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The option, with its section: `pool.max_workers`. Empty when it is the file as a whole.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, key, problem, .. } = self;
        if key.is_empty() { write!(f, "{place} {problem}") } else { write!(f, "{place}: `{key}` {problem}") }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &*source.0 as &(dyn std::error::Error + 'static))
    }
}
