//! [`PreparedRequest`] and [`PreparedAcquisition`]: a request that is looked up once and made many times.

mod acquisition;
mod here;

use std::fmt;
use std::time::Duration;

pub use acquisition::PreparedAcquisition;
use acquisition::State;
use here::{Here, Told};

use super::Acquire;
use super::limit_set::{LimitSet, Repr};
use crate::remote::Wait;
use crate::{LimitError, Request};

/// A request whose keys were looked up and checked in its set; made by [`LimitSet::prepare`].
///
/// It is for the hot path: each acquire saves the lookup, and the guard borrows from here instead of counting references.
/// It means the same as the request itself, also in the order of the queue.
///
/// # Examples
///
/// ```
/// use concurry_limits::{CallLimit, LimitSet, Window};
///
/// let set = LimitSet::builder().limit(CallLimit::new(1_000, Window::SECOND)).build()?;
/// let call = set.prepare(())?;
/// for _ in 0..10 {
///     let _admitted = call.acquire()?;
/// }
/// assert_eq!(set.stats().limit("call_count").unwrap().admitted, 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct PreparedRequest {
    target: Target,
}

#[derive(Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "each pointer on the way to a limit costs a load, one after the other"
)]
enum Target {
    Here(Here),
    /// The empty set.
    Nowhere(LimitSet),
    /// A set in another process, which looks the keys up itself.
    Elsewhere {
        set: LimitSet,
        amounts: Vec<(String, u64)>,
    },
}

impl LimitSet {
    /// Looks a request up, to be made many times.
    ///
    /// # Errors
    ///
    /// [`LimitError::UnknownKey`], [`LimitError::DuplicateKey`], [`LimitError::AmountRequired`] when the request does not
    /// fit the set; for a set in another process, those are errors of each acquire instead.
    pub fn prepare(&self, request: impl Request) -> Result<PreparedRequest, LimitError> {
        let target = match &self.repr {
            Repr::Local(engine) => Target::Here(Here::of(engine, &request)?),
            Repr::Empty(_) => Target::Nowhere(self.clone()),
            Repr::Remote(_) => {
                let mut amounts = Vec::new();
                request.for_each_amount(&mut |key, amount| amounts.push((key.to_owned(), amount)));
                Target::Elsewhere { set: self.clone(), amounts }
            }
        };
        Ok(PreparedRequest { target })
    }
}

impl PreparedRequest {
    /// As [`LimitSet::acquire`].
    ///
    /// # Errors
    ///
    /// [`LimitError::Never`] when an amount is above a capacity; [`LimitError::Disconnected`] when the set lives in a
    /// process that is gone.
    #[inline]
    pub fn acquire(&self) -> Result<PreparedAcquisition<'_>, LimitError> {
        self.blocking(Wait::Forever)
    }

    /// As [`LimitSet::acquire_timeout`].
    ///
    /// # Errors
    ///
    /// [`LimitError::Timeout`], and those of [`acquire`](Self::acquire).
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<PreparedAcquisition<'_>, LimitError> {
        self.blocking(Wait::For(timeout))
    }

    /// As [`LimitSet::try_acquire`].
    ///
    /// # Errors
    ///
    /// [`LimitError::Unavailable`], and those of [`acquire`](Self::acquire).
    #[inline]
    pub fn try_acquire(&self) -> Result<PreparedAcquisition<'_>, LimitError> {
        self.blocking(Wait::Never)
    }

    /// As [`LimitSet::acquire_async`]: the guard is one that borrows nothing.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing taken and wakes the next in line.
    pub fn acquire_async(&self) -> Acquire {
        match &self.target {
            Target::Here(here) => here.request(),
            Target::Nowhere(set) => set.acquire_async(()),
            Target::Elsewhere { set, amounts } => set.acquire_async(amounts),
        }
    }

    #[inline]
    fn blocking(&self, wait: Wait) -> Result<PreparedAcquisition<'_>, LimitError> {
        match &self.target {
            target @ Target::Here(here) if here.take_simply() => {
                Ok(PreparedAcquisition::of(target, State::Held(Told::NOTHING)))
            }
            target @ Target::Nowhere(_) => Ok(PreparedAcquisition::of(target, State::Held(Told::NOTHING))),
            // The error in a box: nothing large is moved where all goes well.
            target => match target.admit(wait) {
                Ok(state) => Ok(PreparedAcquisition::of(target, state)),
                Err(error) => Err(*error),
            },
        }
    }
}

impl Target {
    /// Apart, so that what takes no lock is short enough to stand in its caller.
    #[cold]
    #[inline(never)]
    fn admit(&self, wait: Wait) -> Result<State, Box<LimitError>> {
        Ok(match self {
            Self::Here(here) => here.admit(wait)?,
            Self::Nowhere(_) => State::Held(Told::NOTHING),
            Self::Elsewhere { set, amounts } => State::Whole(Box::new(set.blocking(amounts, wait, 0)?)),
        })
    }
}

impl fmt::Debug for PreparedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        match &self.target {
            Target::Here(here) => {
                let Here { engine, items, .. } = here;
                map.entries(items.iter().map(|item| (engine.definition.key(item.index()), item.requested)))
            }
            Target::Nowhere(_) => &mut map,
            Target::Elsewhere { amounts, .. } => {
                map.entries(amounts.iter().map(|(key, amount)| (key, amount)))
            }
        };
        map.finish()
    }
}
