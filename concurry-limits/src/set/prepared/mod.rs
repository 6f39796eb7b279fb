//! [`PreparedRequest`] and [`PreparedAcquisition`]: a request that is looked up once and made many times.

mod acquisition;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use acquisition::Held;
pub use acquisition::PreparedAcquisition;

use super::demand::Demand;
use super::engine::Patience;
use super::ledger::Step;
use super::limit_set::{LimitSet, Repr};
use super::plan::Plan;
use super::waiting::Entry;
use super::{Acquire, Engine, Items};
use crate::remote::Wait;
use crate::usage;
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
enum Target {
    Here(Arc<Here>),
    /// The empty set.
    Nowhere(LimitSet),
    /// A set in another process, which looks the keys up itself.
    Elsewhere {
        set: LimitSet,
        amounts: Vec<(String, u64)>,
    },
}

struct Here {
    engine: Arc<Engine>,
    demand: Demand,
    /// What it costs in the lane of its set, if there is one.
    alone: Option<u64>,
    /// The steps by which it is taken in the ledger of its set, if there is one and it needs nothing else.
    steps: Option<Box<[Step]>>,
    /// What is held once it is admitted.
    items: Items,
    /// A bit for each place whose usage has to be told.
    must_tell: u128,
    /// Those of the items that are to be given back when they were used wholly.
    owed: Items,
    /// Whether a guard that is dropped untouched has nothing to do: nothing is owed, and no usage has to be told.
    done: bool,
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
                let owed: Items = items.iter().filter(|item| !engine.is_spent(item)).copied().collect();
                let done = owed.is_empty() && must_tell == 0;
                let (alone, steps) = (engine.alone(&demand), engine.steps(&demand));
                let engine = Arc::clone(engine);
                Target::Here(Arc::new(Here { engine, demand, alone, steps, items, must_tell, owed, done }))
            }
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
            Target::Here(here) => Acquire::planned(here.plan(Patience::Forever)),
            Target::Nowhere(set) => set.acquire_async(()),
            Target::Elsewhere { set, amounts } => set.acquire_async(amounts),
        }
    }

    #[inline]
    fn blocking(&self, wait: Wait) -> Result<PreparedAcquisition<'_>, LimitError> {
        match &self.target {
            Target::Here(here) if here.take_simply() => {
                Ok(PreparedAcquisition::of(Held::AsPrepared { here, told: None }))
            }
            Target::Nowhere(set) => Ok(PreparedAcquisition::of(Held::Nothing { set, released: false })),
            // The error in a box: nothing large is moved where all goes well.
            target => target.admit(wait).map(PreparedAcquisition::of).map_err(|error| *error),
        }
    }
}

impl Target {
    /// Apart, so that what takes no lock is short enough to stand in its caller.
    #[cold]
    #[inline(never)]
    fn admit(&self, wait: Wait) -> Result<Held<'_>, Box<LimitError>> {
        let held = match self {
            Self::Here(here) => here.admit(wait)?,
            Self::Nowhere(set) => Held::Nothing { set, released: false },
            Self::Elsewhere { set, amounts } => Held::Whole(Box::new(set.blocking(amounts, wait)?)),
        };
        Ok(held)
    }
}

impl Here {
    /// Takes without the board, if that is possible now. A call, so that the guard is made where it is used.
    #[inline(never)]
    fn take_simply(&self) -> bool {
        match (self.alone, &self.steps) {
            (Some(cost), _) => self.engine.take_alone(cost),
            (None, Some(steps)) => self.engine.take_steps(steps),
            (None, None) => self.engine.take_in_ledger(&self.demand).is_some(),
        }
    }

    /// Gives back what was taken, untold, if that is possible without the lock.
    #[inline(never)]
    fn give_back_simply(&self) -> bool {
        match self.alone {
            Some(cost) if self.must_tell == 0 => self.engine.end_alone(cost),
            _ => false,
        }
    }

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
            _ => self.engine.settle_unspent(&self.owed),
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

impl fmt::Debug for PreparedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        match &self.target {
            Target::Here(here) => {
                let Here { engine, items, .. } = &**here;
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
