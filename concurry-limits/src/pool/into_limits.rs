//! [`IntoLimits`]: everything that a worker's options take as limits.

use super::LimitPool;
use crate::{Limit, LimitSet, LimitSetError};

/// Everything that can be the limits of workers.
///
/// * `()`: none.
/// * a [`LimitSet`], several of them, or a [`LimitPool`].
/// * limits themselves: one set of them, shared by all workers.
///
/// # Examples
///
/// ```
/// use concurry_limits::{CallLimit, IntoLimits, LimitSet, ResourceLimit, Window};
///
/// assert!(().into_limits()?[0].is_empty());
/// assert_eq!([LimitSet::empty(), LimitSet::empty()].into_limits()?.sets().len(), 2);
/// let pool = [CallLimit::new(10, Window::SECOND)].into_limits()?;
/// assert!(pool[0].limit("call_count").is_some());
/// # Ok::<(), concurry_limits::LimitSetError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the limits of workers",
    label = "not limits",
    note = "use `()`, a `LimitSet`, several of them, a `LimitPool`, or a list of limits"
)]
pub trait IntoLimits {
    /// The pool that each worker gets a clone of.
    ///
    /// # Errors
    ///
    /// Those of [`LimitSetBuilder::build`](crate::LimitSetBuilder::build), when a set has to be built.
    fn into_limits(self) -> Result<LimitPool, LimitSetError>;
}

impl IntoLimits for () {
    fn into_limits(self) -> Result<LimitPool, LimitSetError> {
        Ok(LimitPool::default())
    }
}

impl IntoLimits for LimitPool {
    fn into_limits(self) -> Result<LimitPool, LimitSetError> {
        Ok(self)
    }
}

impl IntoLimits for LimitSet {
    fn into_limits(self) -> Result<LimitPool, LimitSetError> {
        Ok(LimitPool::new([self]))
    }
}

impl IntoLimits for &LimitSet {
    fn into_limits(self) -> Result<LimitPool, LimitSetError> {
        self.clone().into_limits()
    }
}

impl<const N: usize> IntoLimits for [LimitSet; N] {
    fn into_limits(self) -> Result<LimitPool, LimitSetError> {
        Ok(LimitPool::new(self))
    }
}

impl IntoLimits for Vec<LimitSet> {
    fn into_limits(self) -> Result<LimitPool, LimitSetError> {
        Ok(LimitPool::new(self))
    }
}

impl<L: Limit + 'static, const N: usize> IntoLimits for [L; N] {
    fn into_limits(self) -> Result<LimitPool, LimitSetError> {
        of_limits(self.into_iter().map(boxed))
    }
}

impl<L: Limit + 'static> IntoLimits for Vec<L> {
    fn into_limits(self) -> Result<LimitPool, LimitSetError> {
        of_limits(self.into_iter().map(boxed))
    }
}

impl IntoLimits for Vec<Box<dyn Limit>> {
    fn into_limits(self) -> Result<LimitPool, LimitSetError> {
        of_limits(self)
    }
}

fn boxed<L: Limit + 'static>(limit: L) -> Box<dyn Limit> {
    Box::new(limit)
}

fn of_limits(limits: impl IntoIterator<Item = Box<dyn Limit>>) -> Result<LimitPool, LimitSetError> {
    let builder = limits.into_iter().fold(LimitSet::builder(), crate::LimitSetBuilder::limit_boxed);
    builder.build()?.into_limits()
}
