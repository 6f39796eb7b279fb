//! A value on cache lines of its own: who writes to it does not slow down those who read what lies beside it.

use std::ops::Deref;

/// 128 bytes: two lines, since processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Apart<T>(pub(super) T);

impl<T> Deref for Apart<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}
