//! Which transport a pool of processes uses.

use std::fmt;
use std::str::FromStr;

/// How calls and answers travel between a pool and its processes.
///
/// All transports keep the same promises. The environment variable `CONCURRY_TRANSPORT` chooses one for pools that do not.
///
/// # Examples
///
/// ```
/// use concurry_workers::process::Transport;
///
/// assert_eq!("socket".parse(), Ok(Transport::Socket));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// Rings in shared memory, on Linux, where it is the default: a call costs no system call as long as both sides are awake.
    Ring,
    /// A pair of sockets, on every Unix.
    Socket,
}

/// The environment variable that chooses a transport.
pub(crate) const VARIABLE: &str = "CONCURRY_TRANSPORT";

/// A name that is no transport.
///
/// # Examples
///
/// ```
/// use concurry_workers::process::Transport;
///
/// assert!("pigeon".parse::<Transport>().unwrap_err().to_string().contains("socket"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown transport `{0}`: there are ring and socket")]
pub struct UnknownTransport(String);

impl Default for Transport {
    fn default() -> Self {
        if cfg!(target_os = "linux") { Self::Ring } else { Self::Socket }
    }
}

impl Transport {
    /// What the environment says; the default where it says nothing.
    pub(crate) fn from_environment() -> Result<Self, UnknownTransport> {
        match std::env::var(VARIABLE) {
            Ok(name) => name.parse(),
            Err(std::env::VarError::NotPresent) => Ok(Self::default()),
            Err(std::env::VarError::NotUnicode(name)) => {
                Err(UnknownTransport(name.to_string_lossy().into_owned()))
            }
        }
    }

    /// Whether this system has it.
    pub(crate) fn is_there(self) -> bool {
        self == Self::Socket || cfg!(target_os = "linux")
    }

    /// The byte that tells a child.
    pub(in crate::process) fn byte(self) -> u8 {
        match self {
            Self::Ring => b'r',
            Self::Socket => b's',
        }
    }

    pub(in crate::process) fn from_byte(byte: u8) -> Option<Self> {
        [Self::Ring, Self::Socket].into_iter().find(|transport| transport.byte() == byte)
    }

    /// How much memory a child shares with its pool.
    pub(in crate::process) fn memory(self) -> usize {
        #[cfg(target_os = "linux")]
        if self == Self::Ring {
            return super::ring::SIZE;
        }
        // The turns alone.
        4096
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ring => "ring",
            Self::Socket => "socket",
        })
    }
}

impl FromStr for Transport {
    type Err = UnknownTransport;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_lowercase().as_str() {
            "ring" => Ok(Self::Ring),
            "socket" => Ok(Self::Socket),
            _ => Err(UnknownTransport(text.to_owned())),
        }
    }
}
