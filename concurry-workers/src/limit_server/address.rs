//! [`LimitAddress`].

use std::fmt;
use std::path::PathBuf;

/// Where a [`LimitServer`](super::LimitServer) listens: from text, `unix:` and a path, or whatever holds a `/`, is a Unix
/// socket; anything else is a TCP host and port.
///
/// # Examples
///
/// ```
/// use concurry_workers::limit_server::LimitAddress;
///
/// assert_eq!(LimitAddress::from("unix:limits"), LimitAddress::Unix("limits".into()));
/// assert_eq!(LimitAddress::from("/run/limits"), LimitAddress::Unix("/run/limits".into()));
/// assert_eq!(LimitAddress::from("127.0.0.1:7070"), LimitAddress::Tcp("127.0.0.1:7070".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LimitAddress {
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// Host and port of a TCP socket; port 0 lets the system choose.
    Tcp(String),
}

impl From<&str> for LimitAddress {
    fn from(text: &str) -> Self {
        match text.strip_prefix("unix:") {
            Some(path) => Self::Unix(path.into()),
            None if text.contains('/') => Self::Unix(text.into()),
            None => Self::Tcp(text.to_owned()),
        }
    }
}

impl From<String> for LimitAddress {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<&String> for LimitAddress {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<PathBuf> for LimitAddress {
    fn from(path: PathBuf) -> Self {
        Self::Unix(path)
    }
}

impl From<&Self> for LimitAddress {
    fn from(address: &Self) -> Self {
        address.clone()
    }
}

impl fmt::Display for LimitAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => f.write_str(address),
        }
    }
}
