//! What each attempt gave.
//!
//! A call that succeeds in the end does not tell of its earlier attempts; those that judge them see each. They run in the
//! program itself, whatever the mode, so a journal beside them misses none.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{LazyLock, Mutex, PoisonError};

use concurry::Attempt;

static ENTRIES: LazyLock<Mutex<HashMap<u32, Vec<String>>>> = LazyLock::new(Mutex::default);

/// Notes what an attempt at a parcel gave.
pub(crate) fn note(parcel: u32, attempt: &Attempt, gave: impl Display) {
    let entry = format!("attempt {} of `{}`: {gave}", attempt.number(), attempt.method());
    let mut entries = ENTRIES.lock().unwrap_or_else(PoisonError::into_inner);
    entries.entry(parcel).or_default().push(entry);
}

/// What was noted of a parcel, the oldest first.
pub(crate) fn take(parcel: u32) -> Vec<String> {
    ENTRIES.lock().unwrap_or_else(PoisonError::into_inner).remove(&parcel).unwrap_or_default()
}
