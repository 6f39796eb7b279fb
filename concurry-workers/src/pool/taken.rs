//! A call that a worker has taken, and what puts it back to its place.

use super::lanes::Need;
use super::notes::Noted;

/// A call that was taken out of its lane, with what puts it back to its place.
pub(crate) struct Taken<M> {
    pub(super) need: Need,
    pub(super) age: u64,
    pub(crate) message: M,
    pub(crate) noted: Noted,
}

/// Where a call was that was taken.
pub(crate) struct Place {
    need: Need,
    age: u64,
}

impl Place {
    pub(crate) fn age(&self) -> u64 {
        self.age
    }
}

impl<M> Taken<M> {
    pub(crate) fn into_parts(self) -> (Place, M, Noted) {
        (Place { need: self.need, age: self.age }, self.message, self.noted)
    }

    pub(crate) fn from_parts(Place { need, age }: Place, message: M, noted: Noted) -> Self {
        Self { need, age, message, noted }
    }

    pub(crate) fn age(&self) -> u64 {
        self.age
    }

    /// Whether any worker could run it.
    pub(crate) fn is_free(&self) -> bool {
        self.need.is_free()
    }
}
