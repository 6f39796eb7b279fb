//! Returns: how what is held of a limit of a [ledger](super::ledger) is given back without the engine's lock.
//!
//! Only what is taken changes the words of the ledger, under the lock. What is given back is added up here, one word a limit,
//! and the ledger subtracts it when it needs the room, or when it is closed. Then the words here are closed too, and
//! everybody comes to the lock.

use std::sync::Arc;

use crate::sync::{AtomicU64, Ordering};

/// The word of a limit of which nothing is given back here.
const CLOSED: u64 = u64::MAX;

#[derive(Debug, Clone)]
pub(super) struct Returns {
    /// One a slot, in their order.
    words: Arc<[AtomicU64]>,
}

impl Returns {
    /// Closed words for so many limits.
    pub(super) fn new(limits: usize) -> Self {
        Self { words: (0..limits).map(|_| AtomicU64::new(CLOSED)).collect() }
    }

    /// Gives an amount back, unless that takes the lock.
    #[inline]
    pub(super) fn give_back(&self, index: usize, amount: u64) -> bool {
        let Some(word) = self.words.get(index) else { return false };
        let mut back = word.load(Ordering::Acquire);
        loop {
            let Some(more) = back.checked_add(amount).filter(|more| *more != CLOSED) else { return false };
            match word.compare_exchange_weak(back, more, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(other) => back = other,
            }
        }
    }

    /// What was given back since the last time, of a word that is open; under the engine's lock.
    #[inline]
    pub(super) fn fold(&self, index: usize) -> u64 {
        self.words[index].swap(0, Ordering::AcqRel)
    }

    /// Closes a word that is open, under the engine's lock; what was given back since the last time.
    pub(super) fn close(&self, index: usize) -> u64 {
        self.words[index].swap(CLOSED, Ordering::AcqRel)
    }

    /// Opens a word, under the engine's lock.
    pub(super) fn open(&self, index: usize) {
        self.words[index].store(0, Ordering::Release);
    }
}
