//! [`KeyedLimitsBuilder`].

use std::hash::Hash;
use std::sync::Arc;

use concurry_core::clock::{self, Clock};

use super::KeyedLimits;
use super::template::Template;
use crate::{LimitSetBuilder, LimitSetError};

/// How many keys are remembered though they are full again, unless told otherwise.
const DEFAULT_MAX_KEYS: usize = 65_536;

/// [`KeyedLimits`] to be built; made by [`KeyedLimits::builder`] and [`KeyedLimits::builder_with`].
///
/// # Examples
///
/// ```
/// use concurry_limits::{CallLimit, KeyedLimits, LimitSet, Window};
///
/// let tenants: KeyedLimits<u64> = KeyedLimits::builder(LimitSet::builder().limit(CallLimit::new(10, Window::SECOND)))
///     .max_keys(1_000_000)
///     .build()?;
/// assert_eq!(tenants.stats().max_keys, 1_000_000);
/// # Ok::<(), concurry_limits::LimitSetError>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct KeyedLimitsBuilder<K> {
    template: Result<Template<K>, LimitSetError>,
    clock: Option<Arc<dyn Clock>>,
    max_keys: usize,
}

impl<K: Hash + Eq + Send> KeyedLimitsBuilder<K> {
    pub(super) fn same(template: LimitSetBuilder) -> Self {
        let (template, clock) = match template.into_parts() {
            Ok((definition, clock)) => (Ok(Template::Same(definition)), clock),
            Err(error) => (Err(error), None),
        };
        Self { template, clock, max_keys: DEFAULT_MAX_KEYS }
    }

    pub(super) fn each(template: impl Fn(&K) -> LimitSetBuilder + Send + Sync + 'static) -> Self {
        Self { template: Ok(Template::each(template)), clock: None, max_keys: DEFAULT_MAX_KEYS }
    }

    /// From how many keys on those are forgotten that are full again; default 65,536. It is a target, not a wall: a key
    /// of which something is held, waited for, or still counted is never forgotten.
    pub fn max_keys(mut self, max_keys: usize) -> Self {
        self.max_keys = max_keys;
        self
    }

    /// All keys count by this clock, for tests; default: that of the template that was given as a builder, otherwise the
    /// system's monotonic clock. A clock that a template sets for one key is ignored.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Builds it; no key has a set yet.
    ///
    /// # Errors
    ///
    /// Those of [`LimitSetBuilder::build`] for a template that was given as a builder.
    pub fn build(self) -> Result<KeyedLimits<K>, LimitSetError> {
        Ok(KeyedLimits::new(self.template?, self.clock.unwrap_or_else(clock::system), self.max_keys))
    }
}
