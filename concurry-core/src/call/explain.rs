//! How it stands with a call, and who can say so.
//!
//! A call knows the number of its origin, the pool that it was submitted to, and nothing more: so a call that nobody asks about
//! pays nothing. Pools are found by their number here, and find the call by its own among those that wait.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use crate::sync::lock;

/// How it stands with a call: see [`Call::explain`](super::Call::explain). It shows as one line.
///
/// # Examples
///
/// ```
/// use concurry_core::call::{Call, Explanation};
///
/// /// Whether it is worth waiting for.
/// fn is_near<T, E>(call: &Call<T, E>) -> bool {
///     match call.explain() {
///         Explanation::Done | Explanation::Running => true,
///         Explanation::Queued { expected: Some(wait), .. } => wait.as_secs() < 10,
///         _ => false,
///     }
/// }
/// # let _ = is_near::<u64, String>;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Explanation {
    /// Its outcome is decided.
    Done,
    /// A worker has it.
    Running,
    /// It waits in the pool's queue.
    Queued {
        /// The older calls that are in its way: those that a worker takes before it.
        ahead: usize,
        /// The workers that may take it: all of the pool, or the one that it was given to.
        workers: usize,
        /// The limit that does not admit it now, of those that its method declares.
        held_by: Option<HeldBy>,
        /// How long it may wait, from how long calls of the pool ran so far, and from what its limit says; none as long as
        /// nothing is known.
        expected: Option<Duration>,
    },
    /// It failed, and waits for its time to be tried again.
    BackingOff {
        /// How often it was tried.
        attempts: u32,
        /// The time that is left.
        left: Duration,
    },
    /// It is made of other calls, or of parts: ask those.
    Derived,
}

/// A limit that does not admit a call now.
///
/// # Examples
///
/// ```
/// use concurry_core::call::HeldBy;
///
/// let limit = HeldBy { key: "tokens".to_owned(), admits_in: None };
/// assert_eq!(limit.to_string(), "the limit `tokens` admits it when others release");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBy {
    /// Its key.
    pub key: String,
    /// When it admits the call, if that depends on time alone; otherwise others must release.
    pub admits_in: Option<Duration>,
}

impl fmt::Display for HeldBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match self.admits_in {
            Some(wait) => write!(f, "the limit `{key}` admits it in {wait:.1?}"),
            None => write!(f, "the limit `{key}` admits it when others release"),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Running => f.write_str("running"),
            Self::Derived => f.write_str("made of other calls, which are not all done"),
            Self::BackingOff { attempts, left } => {
                write!(f, "failed {}, is tried again in {left:.1?}", so_many(*attempts as usize, "time"))
            }
            Self::Queued { ahead, workers, held_by, expected } => {
                let behind = so_many(*ahead, "call");
                match workers {
                    1 => write!(f, "waits behind {behind} for its worker")?,
                    _ => write!(f, "waits behind {behind} for one of {workers} workers")?,
                }
                if let Some(limit) = held_by {
                    write!(f, "; {limit}")?;
                }
                match expected {
                    Some(wait) => write!(f, "; about {wait:.1?} to go"),
                    None => Ok(()),
                }
            }
        }
    }
}

fn so_many(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A pool, as far as its calls can be explained.
#[doc(hidden)]
pub trait Explains: Send + Sync {
    /// How it stands with the call of this number, which is not done.
    fn explain(&self, call: usize) -> Explanation;

    /// The call of this number was cancelled, wherever it is.
    fn is_cancelled(&self, call: usize);

    /// What the pool knows a call by besides its number, which it forgets when the call is done.
    fn age_of(&self, call: usize) -> Option<u64>;

    /// Ends the process that runs a call which was cancelled, if it runs in one of its own.
    fn end_by_force(&self, call: usize, age: Option<u64>);

    /// Has `look` look for the end of the call of this number, with a step of its own where a thread that waits can do what brings that
    /// end about; whoever looks calls the step between looks, and ends when it says true.
    fn help(&self, call: usize, look: Look<'_>) {
        let _ = call;
        look(&mut || false);
    }
}

/// Looks for something for a while; the step that it is given is called again and again meanwhile.
#[doc(hidden)]
pub type Look<'a> = &'a mut dyn FnMut(&mut dyn FnMut() -> bool);

/// The number of a pool; none for calls that were submitted to no pool.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin(u32);

/// The numbers of pools that can help who waits for a call have this bit: nobody else is asked.
const HELPS: u32 = 1 << 31;

static POOLS: Mutex<BTreeMap<u32, Weak<dyn Explains>>> = Mutex::new(BTreeMap::new());

impl Origin {
    pub(super) fn explain(self, call: usize) -> Explanation {
        if self == Self::default() {
            return Explanation::Derived;
        }
        // A pool that is gone has answered what waited; what still runs ends without it.
        self.pool().map_or(Explanation::Running, |pool| pool.explain(call))
    }

    /// Tells the pool that the call of this number was cancelled.
    pub(super) fn is_cancelled(self, call: usize) {
        if let Some(pool) = self.pool() {
            pool.is_cancelled(call);
        }
    }

    /// Has `look` look for the end of the call of this number, with the help of its pool.
    pub(super) fn help(self, call: usize, look: Look<'_>) {
        match Some(self).filter(|origin| origin.0 & HELPS != 0).and_then(Self::pool) {
            Some(pool) => pool.help(call, look),
            None => look(&mut || false),
        }
    }

    pub(super) fn pool(self) -> Option<Arc<dyn Explains>> {
        if self == Self::default() { None } else { lock(&POOLS).get(&self.0).and_then(Weak::upgrade) }
    }
}

/// A pool that is found by its number, until this is dropped.
#[doc(hidden)]
#[derive(Debug)]
pub struct Registered(Origin);

impl Registered {
    /// Gives a pool a number; one that [`helps`](Explains::help) is known by it.
    pub fn new(pool: Weak<dyn Explains>, helps: bool) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let mut pools = lock(&POOLS);
        loop {
            // After 2³¹ pools the numbers begin anew.
            let number = NEXT.fetch_add(1, Ordering::Relaxed) & !HELPS;
            let number = if helps && number != 0 { number | HELPS } else { number };
            if number != 0 && !pools.contains_key(&number) {
                pools.insert(number, pool);
                return Self(Origin(number));
            }
        }
    }

    /// The number.
    pub fn origin(&self) -> Origin {
        self.0
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let pool = lock(&POOLS).remove(&self.0.0);
        drop(pool);
    }
}
