//! What threads share of a set, and locks that ignore poisoning.
//!
//! A lock of ours is held for bookkeeping only; the one kind of foreign code under it is a user's own
//! [`LimitState`](crate::LimitState), and when that panics the panic reaches the caller while the counts of all other
//! limits stay true. So going on is right.

pub(crate) use concurry_core::modelled::{AtomicU64, Mutex, MutexGuard, Ordering, lock};
