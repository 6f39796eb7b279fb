//! [`PreparedAcquisition`]: what a prepared request has acquired.

use std::fmt;

use serde_json::Value;

use super::Target;
use super::here::Told;
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
    target: &'a Target,
    state: State,
}

/// Passed on by value wherever it can be: a guard of which nobody has the address stays in registers.
pub(super) enum State {
    /// Exactly what was prepared is held, and this was told.
    Held(Told),
    Released,
    Whole(Box<LimitSetAcquisition>),
}

/// A call, so that what is mostly done is short enough to stand in its caller.
#[inline(never)]
fn update_whole(acquisition: &mut LimitSetAcquisition, usage: &impl Request) -> Result<(), LimitError> {
    acquisition.update(usage)
}

impl<'a> PreparedAcquisition<'a> {
    #[inline]
    pub(super) fn of(target: &'a Target, state: State) -> Self {
        Self { target, state }
    }
}

impl PreparedAcquisition<'_> {
    /// As [`LimitSetAcquisition::update`].
    ///
    /// # Errors
    ///
    /// Those of [`LimitSetAcquisition::update`].
    #[expect(clippy::inline_always, reason = "a guard whose address is passed on does not stay in registers")]
    #[inline(always)]
    pub fn update(&mut self, usage: impl Request) -> Result<(), LimitError> {
        if let (State::Held(Told::NOTHING), Target::Here(here)) = (&self.state, self.target)
            && let Some((key, used)) = usage.single()
            && let Some(told) = here.told(key, used)
        {
            self.state = State::Held(told);
            return Ok(());
        }
        match (&mut self.state, self.target) {
            (State::Whole(acquisition), _) => update_whole(acquisition, &usage),
            (State::Held(told), Target::Here(here)) => {
                self.state = here.tell(*told, &usage)?;
                Ok(())
            }
            (State::Held(_), _) => Ok(()),
            (State::Released, _) => Err(LimitError::Released),
        }
    }

    /// As [`LimitSetAcquisition::release`].
    ///
    /// # Errors
    ///
    /// [`LimitError::MissingUpdate`], after everything was given back.
    pub fn release(&mut self) -> Result<(), LimitError> {
        let missing = match (&mut self.state, self.target) {
            (State::Whole(acquisition), _) => return acquisition.release(),
            (State::Held(told), Target::Here(here)) => {
                let told = *told;
                // First, so that nothing is given back twice when a user's own limit panics.
                self.state = State::Released;
                here.settle(told)
            }
            (State::Held(_) | State::Released, _) => {
                self.state = State::Released;
                Vec::new()
            }
        };
        if missing.is_empty() { Ok(()) } else { Err(LimitError::MissingUpdate { keys: missing }) }
    }

    /// As [`LimitSetAcquisition::feedback`].
    pub fn feedback(&self, feedback: Feedback) {
        match (&self.state, self.target) {
            (State::Whole(acquisition), _) => acquisition.feedback(feedback),
            (_, Target::Here(here)) => here.engine.hear(&feedback),
            _ => {}
        }
    }

    /// The amount that was acquired of a limit, named or not; `None` if nothing was.
    pub fn requested(&self, key: &str) -> Option<u64> {
        match (&self.state, self.target) {
            (State::Whole(acquisition), _) => acquisition.requested(key),
            (_, Target::Here(here)) => {
                let index = here.engine.definition.index(key)?;
                here.items.iter().find(|item| item.index() == index).map(|item| item.requested)
            }
            _ => None,
        }
    }

    /// The free-form data of the set; null without any.
    pub fn config(&self) -> &Value {
        match (&self.state, self.target) {
            (State::Whole(acquisition), _) => acquisition.config(),
            (_, Target::Here(here)) => &here.engine.definition.config,
            (_, Target::Nowhere(set) | Target::Elsewhere { set, .. }) => set.config(),
        }
    }
}

impl Drop for PreparedAcquisition<'_> {
    #[inline]
    fn drop(&mut self) {
        if let (State::Held(told), Target::Here(here)) = (&self.state, self.target)
            && !(*told == Told::NOTHING && here.done || here.settle_simply(*told))
        {
            here.settle_dropped(*told);
        }
    }
}

impl fmt::Debug for PreparedAcquisition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Released => "released",
            State::Held(_) | State::Whole(_) => "held",
        };
        f.debug_tuple("PreparedAcquisition").field(&state).finish()
    }
}
