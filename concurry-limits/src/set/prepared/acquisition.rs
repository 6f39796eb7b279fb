//! [`PreparedAcquisition`]: what a prepared request has acquired.

use std::fmt;
use std::sync::Arc;

use concurry_core::clock::Timestamp;
use serde_json::Value;

use super::here::{Here, Told};
use crate::set::LimitSet;
use crate::usage;
use crate::{Feedback, LimitError, LimitSetAcquisition, Request};

/// What was acquired by a [`PreparedRequest`](super::PreparedRequest): a guard that gives it back, as a
/// [`LimitSetAcquisition`] is.
///
/// # Examples
///
/// ```
/// use concurry_limits::{LimitSet, RateLimit, Window};
///
/// let set = LimitSet::builder().limit(RateLimit::new("tokens", 1_000, Window::MINUTE)).build()?;
/// let prompt = set.prepare([("tokens", 500)])?;
/// let mut acquired = prompt.acquire()?;
/// acquired.update([("tokens", 320)])?;
/// acquired.release()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping an acquisition releases it"]
pub struct PreparedAcquisition<'a> {
    held: Held<'a>,
}

pub(super) enum Held<'a> {
    /// Of the empty set.
    Nothing {
        set: &'a LimitSet,
        released: bool,
    },
    /// Exactly what was prepared, and the usage that was told of one of its limits, by its place.
    AsPrepared {
        here: &'a Here,
        told: Told,
    },
    Released(&'a Here),
    Whole(Box<LimitSetAcquisition>),
}

impl<'a> PreparedAcquisition<'a> {
    #[inline]
    pub(super) fn of(held: Held<'a>) -> Self {
        Self { held }
    }
}

impl PreparedAcquisition<'_> {
    /// As [`LimitSetAcquisition::update`].
    ///
    /// # Errors
    ///
    /// Those of [`LimitSetAcquisition::update`].
    #[inline]
    pub fn update(&mut self, usage: impl Request) -> Result<(), LimitError> {
        if let Held::AsPrepared { here, told: told @ None } = &mut self.held
            && let Some((key, used)) = usage.single()
            && let Some(new) = here.told(key, used)
        {
            *told = Some(new);
            return Ok(());
        }
        self.update_any(&usage)
    }

    #[inline(never)]
    fn update_any(&mut self, usage: &impl Request) -> Result<(), LimitError> {
        match &mut self.held {
            Held::Nothing { released: false, .. } => Ok(()),
            Held::AsPrepared { here, told } => {
                let new = usage::read(&here.engine.definition, &here.items, usage)?;
                match (&new[..], *told) {
                    ([], _) => {}
                    ([one], None) => *told = Some(*one),
                    ([one], Some((place, _))) if one.0 == place => *told = Some(*one),
                    (several, earlier) => {
                        let mut items = here.items.clone();
                        usage::tell(&mut items, earlier.as_slice());
                        usage::tell(&mut items, several);
                        // When it was taken matters only to who never got it.
                        let taken_at = Timestamp::default();
                        let whole = LimitSetAcquisition::local(Arc::clone(&here.engine), items, taken_at, 0);
                        self.held = Held::Whole(Box::new(whole));
                    }
                }
                Ok(())
            }
            Held::Whole(acquisition) => acquisition.update(usage),
            Held::Nothing { .. } | Held::Released(_) => Err(LimitError::Released),
        }
    }

    /// As [`LimitSetAcquisition::release`].
    ///
    /// # Errors
    ///
    /// [`LimitError::MissingUpdate`], after everything was given back.
    pub fn release(&mut self) -> Result<(), LimitError> {
        match &mut self.held {
            Held::Whole(acquisition) => return acquisition.release(),
            Held::Nothing { released, .. } => *released = true,
            Held::AsPrepared { .. } | Held::Released(_) => {}
        }
        let missing = self.settle();
        if missing.is_empty() { Ok(()) } else { Err(LimitError::MissingUpdate { keys: missing }) }
    }

    /// Gives back what was taken as prepared, once; the keys of which a usage had to be told.
    #[inline]
    fn settle(&mut self) -> Vec<String> {
        let Held::AsPrepared { here, told } = &self.held else { return Vec::new() };
        let (here, told) = (*here, *told);
        // First, so that nothing is given back twice when a user's own limit panics.
        self.held = Held::Released(here);
        here.settle(told)
    }

    /// As [`LimitSetAcquisition::feedback`].
    pub fn feedback(&self, feedback: Feedback) {
        match &self.held {
            Held::Nothing { .. } => {}
            Held::AsPrepared { here, .. } | Held::Released(here) => here.engine.hear(&feedback),
            Held::Whole(acquisition) => acquisition.feedback(feedback),
        }
    }

    /// The amount that was acquired of a limit, named or not; `None` if nothing was.
    pub fn requested(&self, key: &str) -> Option<u64> {
        match &self.held {
            Held::Nothing { .. } => None,
            Held::AsPrepared { here, .. } | Held::Released(here) => {
                let index = here.engine.definition.index(key)?;
                here.items.iter().find(|item| item.index() == index).map(|item| item.requested)
            }
            Held::Whole(acquisition) => acquisition.requested(key),
        }
    }

    /// The free-form data of the set; null without any.
    pub fn config(&self) -> &Value {
        match &self.held {
            Held::Nothing { set, .. } => set.config(),
            Held::AsPrepared { here, .. } | Held::Released(here) => &here.engine.definition.config,
            Held::Whole(acquisition) => acquisition.config(),
        }
    }
}

impl Drop for PreparedAcquisition<'_> {
    #[inline]
    fn drop(&mut self) {
        match &self.held {
            Held::AsPrepared { here, told } if told.is_none() && here.done || here.settle_simply(told) => {}
            Held::AsPrepared { here, told } => here.settle_dropped(*told),
            _ => {}
        }
    }
}

impl fmt::Debug for PreparedAcquisition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.held {
            Held::Released(_) | Held::Nothing { released: true, .. } => "released",
            Held::Nothing { .. } | Held::AsPrepared { .. } | Held::Whole(_) => "held",
        };
        f.debug_tuple("PreparedAcquisition").field(&state).finish()
    }
}
