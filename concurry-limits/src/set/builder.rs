//! [`LimitSetBuilder`].

use std::sync::Arc;

use concurry_core::clock::{self, Clock};
use serde_json::Value;

use super::{Definition, LimitSet};
use crate::{Limit, LimitSetError};

/// What a builder has gathered.
pub(crate) type Parts = (Arc<Definition>, Option<Arc<dyn Clock>>);

/// A [`LimitSet`] to be built; made by [`LimitSet::builder`], or read from text like a set, where more is to be said in code:
/// a clock, or that it is the template of [`KeyedLimits`](crate::KeyedLimits).
///
/// # Examples
///
/// ```
/// use concurry_limits::{LimitSet, ResourceLimit};
///
/// let set = LimitSet::builder()
///     .limit(ResourceLimit::new("connections", 8))
///     .limit(ResourceLimit::new("files", 100))
///     .build()?;
/// assert_eq!(set.keys().collect::<Vec<_>>(), ["connections", "files"]);
/// # Ok::<(), concurry_limits::LimitSetError>(())
/// ```
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct LimitSetBuilder {
    definition: Definition,
    clock: Option<Arc<dyn Clock>>,
}

impl LimitSetBuilder {
    /// Adds a limit.
    pub fn limit(self, limit: impl Limit + 'static) -> Self {
        self.limit_boxed(Box::new(limit))
    }

    /// Adds a limit of a kind that is known at run time only.
    pub fn limit_boxed(mut self, limit: Box<dyn Limit>) -> Self {
        self.definition.limits.push(limit);
        self
    }

    /// Free-form data that goes with the set: a region, an account, an endpoint. Readable from each acquisition.
    pub fn config(mut self, config: Value) -> Self {
        self.definition.config = config;
        self
    }

    /// Counts by this clock, for tests; default: the system's monotonic clock. Worker processes have none but that for sets that
    /// are [`private`](Self::private), so a pool of such workers refuses a private set with another.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Requests may name keys that the set does not have: they are skipped, with one warning a key.
    pub fn lenient(mut self) -> Self {
        self.definition.lenient = true;
        self
    }

    /// Gives each worker a state of its own instead of one for all.
    pub fn private(mut self) -> Self {
        self.definition.private = true;
        self
    }

    /// Builds the set.
    ///
    /// # Errors
    ///
    /// A key that two limits have, an empty key, a capacity of zero, a window out of range, or more than 128 limits.
    pub fn build(self) -> Result<LimitSet, LimitSetError> {
        let (definition, clock) = self.into_parts()?;
        Ok(LimitSet::local(definition, clock.unwrap_or_else(clock::system)))
    }

    /// The definition, which was validated, and the clock, if one was given.
    pub(crate) fn into_parts(self) -> Result<Parts, LimitSetError> {
        self.definition.validate()?;
        Ok((Arc::new(self.definition), self.clock))
    }

    pub(super) fn of(definition: Definition) -> Self {
        Self { definition, clock: None }
    }

    pub(super) fn definition(&self) -> &Definition {
        &self.definition
    }
}
