//! [`PreparedRequest`] and [`PreparedAcquisition`]: a request that is looked up once and made many times.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use concurry_core::clock::Timestamp;
use serde_json::Value;

use super::demand::Demand;
use super::engine::Patience;
use super::limit_set::{LimitSet, Repr};
use super::plan::Plan;
use super::waiting::Entry;
use super::{Acquire, Engine, Items};
use crate::remote::Wait;
use crate::usage;
use crate::{Feedback, LimitError, LimitSetAcquisition, Request};

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
enum Target {
    Here(Here),
    /// The empty set, and one in another process, which looks the keys up itself.
    Elsewhere {
        set: LimitSet,
        amounts: Vec<(String, u64)>,
    },
}

#[derive(Clone)]
struct Here {
    engine: Arc<Engine>,
    demand: Demand,
    /// What is held once it is admitted.
    items: Items,
    /// A bit for each place whose usage has to be told.
    must_tell: u128,
    /// Whether nothing is to be given back of what was used wholly.
    spent: bool,
    /// Whether a guard that is dropped untouched has nothing to do: all is spent, and no usage has to be told.
    done: bool,
}

/// What was acquired by a [`PreparedRequest`]: a guard that gives it back, as a [`LimitSetAcquisition`] is.
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

enum Held<'a> {
    /// Of the empty set.
    Nothing {
        set: &'a LimitSet,
        released: bool,
    },
    /// Exactly what was prepared, and the usage that was told of one of its limits, by its place.
    AsPrepared {
        here: &'a Here,
        told: Option<(usize, u64)>,
    },
    Released(&'a Here),
    Whole(Box<LimitSetAcquisition>),
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
            Repr::Local(engine) => {
                let demand = Demand::of(&request, &engine.definition)?;
                let items = demand.items();
                let must_tell = usage::must_tell(&engine.definition, &items);
                let spent = engine.are_spent(&items);
                let done = spent && must_tell == 0;
                Target::Here(Here { engine: Arc::clone(engine), demand, items, must_tell, spent, done })
            }
            Repr::Empty(_) | Repr::Remote(_) => {
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
            Target::Here(here) => Acquire::planned(here.plan(Patience::Forever)),
            Target::Elsewhere { set, amounts } => set.acquire_async(amounts),
        }
    }

    #[inline]
    fn blocking(&self, wait: Wait) -> Result<PreparedAcquisition<'_>, LimitError> {
        match &self.target {
            Target::Here(here) if here.engine.take_simply(&here.demand) => {
                Ok(PreparedAcquisition { held: Held::AsPrepared { here, told: None } })
            }
            Target::Elsewhere { set, .. } if set.is_empty() => {
                Ok(PreparedAcquisition { held: Held::Nothing { set, released: false } })
            }
            target => target.admit(wait),
        }
    }
}

impl Target {
    /// Apart, so that what takes no lock is short enough to stand in its caller.
    #[inline(never)]
    fn admit(&self, wait: Wait) -> Result<PreparedAcquisition<'_>, LimitError> {
        let held = match self {
            Self::Here(here) => here.admit(wait)?,
            Self::Elsewhere { set, amounts } => Held::Whole(Box::new(set.blocking(amounts, wait)?)),
        };
        Ok(PreparedAcquisition { held })
    }
}

impl Here {
    fn admit(&self, wait: Wait) -> Result<Held<'_>, LimitError> {
        let patience = Patience::new(wait, &*self.engine.clock);
        Ok(match self.engine.admit_locked(&self.demand, patience)? {
            Some(_) => Held::AsPrepared { here: self, told: None },
            None => Held::Whole(Box::new(self.plan(patience).block()?)),
        })
    }

    /// Gives everything back; the keys of which a usage had to be told.
    #[inline]
    fn settle(&self, told: Option<(usize, u64)>) -> Vec<String> {
        let items = &self.items;
        match told {
            Some((place, used)) if used != items[place].requested => {
                let mut items = items.clone();
                usage::tell(&mut items, &[(place, used)]);
                self.engine.settle(&items);
            }
            _ if self.spent => {}
            _ => self.engine.settle_unspent(items),
        }
        let untold = told.map_or(self.must_tell, |(place, _)| self.must_tell & !(1 << place));
        if untold == 0 { Vec::new() } else { self.missing(told) }
    }

    #[inline(never)]
    fn settle_dropped(&self, told: Option<(usize, u64)>) {
        let missing = self.settle(told);
        if !missing.is_empty() && !std::thread::panicking() {
            usage::warn_of(&missing);
        }
    }

    #[cold]
    fn missing(&self, told: Option<(usize, u64)>) -> Vec<String> {
        let mut items = self.items.clone();
        usage::tell(&mut items, told.as_slice());
        usage::missing(&self.engine.definition, &items)
    }

    fn plan(&self, patience: Patience) -> Plan {
        let entry = Entry { position: 0, engine: Arc::clone(&self.engine), demand: self.demand.clone() };
        Plan { entries: vec![entry], patience, clock: Arc::clone(&self.engine.clock) }
    }
}

impl PreparedAcquisition<'_> {
    /// As [`LimitSetAcquisition::update`].
    ///
    /// # Errors
    ///
    /// Those of [`LimitSetAcquisition::update`].
    pub fn update(&mut self, usage: impl Request) -> Result<(), LimitError> {
        match &mut self.held {
            Held::Nothing { released: false, .. } => Ok(()),
            Held::AsPrepared { here, told } => {
                let new = usage::read(&here.engine.definition, &here.items, &usage)?;
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
            Held::AsPrepared { here, told: None } if here.done => {}
            Held::AsPrepared { here, told } => here.settle_dropped(*told),
            _ => {}
        }
    }
}

impl fmt::Debug for PreparedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        match &self.target {
            Target::Here(Here { engine, items, .. }) => {
                map.entries(items.iter().map(|item| (engine.definition.key(item.index()), item.requested)))
            }
            Target::Elsewhere { amounts, .. } => {
                map.entries(amounts.iter().map(|(key, amount)| (key, amount)))
            }
        };
        map.finish()
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
