//! A request that was looked up in a set of this process: how it is taken and given back past the queue.

use std::sync::Arc;

use concurry_core::clock::Timestamp;

use super::acquisition::State;
use crate::remote::Wait;
use crate::set::demand::Demand;
use crate::set::ledger::Step;
use crate::set::plan::{Patience, Plan, Simple};
use crate::set::{Acquire, Engine, Items};
use crate::usage;
use crate::{LimitError, LimitSetAcquisition, Request};

/// The usage that was told of one item, if any: two words, which are passed in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    /// The place of the item.
    place: usize,
    used: u64,
}

impl Told {
    pub(super) const NOTHING: Self = Self { place: usize::MAX, used: 0 };

    #[inline]
    fn of((place, used): (usize, u64)) -> Self {
        Self { place, used }
    }

    fn get(self) -> Option<(usize, u64)> {
        (self != Self::NOTHING).then_some((self.place, self.used))
    }
}

#[derive(Clone)]
pub(super) struct Here {
    pub(super) engine: Arc<Engine>,
    demand: Demand,
    /// What it costs in the lane of its set, if there is one.
    alone: Option<u64>,
    /// The steps by which it is taken in the ledger of its set, if there is one and it needs nothing else.
    steps: Option<Box<[Step]>>,
    /// What is held once it is admitted.
    pub(super) items: Items,
    /// A bit for each place whose usage has to be told.
    must_tell: u128,
    /// The first usage that has to be told, when all of it was used; nothing where none has to be.
    all: Told,
    /// Whether no other has to be told.
    is_alone: bool,
    /// The key that this is told of.
    key: Box<str>,
    /// Those of the items that are to be given back when they were used wholly.
    owed: Items,
    /// Whether a guard that is dropped untouched has nothing to do: nothing is owed, and no usage has to be told.
    pub(super) done: bool,
}

impl Here {
    pub(super) fn of(engine: &Arc<Engine>, request: &impl Request) -> Result<Self, LimitError> {
        let demand = Demand::of(request, &engine.definition)?;
        let items = demand.items();
        let must_tell = usage::must_tell(&engine.definition, &items);
        let mut telling = items.iter().enumerate().filter(|(place, _)| must_tell >> place & 1 != 0);
        let first = telling.next().map(|(place, item)| (place, item.requested));
        let (all, is_alone) = (first.map_or(Told::NOTHING, Told::of), telling.next().is_none());
        let key = first.map_or("", |(place, _)| engine.definition.key(items[place].index())).into();
        let owed: Items = items.iter().filter(|item| !engine.is_spent(item)).copied().collect();
        let done = owed.is_empty() && must_tell == 0;
        let (alone, steps) = (engine.alone(&demand), engine.steps(&demand));
        let engine = Arc::clone(engine);
        Ok(Self { engine, demand, alone, steps, items, must_tell, all, is_alone, key, owed, done })
    }

    /// What the usage `used` of `key` tells, if it may be told.
    #[inline]
    pub(super) fn told(&self, key: &str, used: u64) -> Option<Told> {
        if used == self.all.used && key == &*self.key && self.all != Told::NOTHING {
            return Some(self.all);
        }
        self.told_of_one(key, used)
    }

    #[inline(never)]
    fn told_of_one(&self, key: &str, used: u64) -> Option<Told> {
        usage::place(&self.engine.definition, &self.items, key, used).map(|place| Told::of((place, used)))
    }

    /// What is held once `usage` is told too.
    #[inline(never)]
    pub(super) fn tell(&self, earlier: Told, usage: &impl Request) -> Result<State, LimitError> {
        let new = usage::read(&self.engine.definition, &self.items, usage)?;
        Ok(match (&new[..], earlier.get()) {
            ([], _) => State::Held(earlier),
            ([one], None) => State::Held(Told::of(*one)),
            ([one], Some((place, _))) if one.0 == place => State::Held(Told::of(*one)),
            (several, earlier) => {
                let mut items = self.items.clone();
                usage::tell(&mut items, earlier.as_slice());
                usage::tell(&mut items, several);
                // When it was taken matters only to who never got it.
                let taken_at = Timestamp::default();
                let whole = LimitSetAcquisition::local(Arc::clone(&self.engine), items, taken_at, 0);
                State::Whole(Box::new(whole))
            }
        })
    }

    /// Takes without the board, if that is possible now. A call, so that the guard is made where it is used; what makes no calls where
    /// all goes well keeps nothing on the stack, which would have to be written before the word of a lane is.
    #[inline(never)]
    pub(super) fn take_simply(&self) -> bool {
        self.alone.is_some_and(|cost| self.engine.take_at_once(cost)) || self.take_with_calls()
    }

    #[inline(never)]
    fn take_with_calls(&self) -> bool {
        match (self.alone, &self.steps) {
            (Some(cost), _) => self.engine.take_alone(cost),
            (None, Some(steps)) => self.engine.take_steps(steps),
            (None, None) => self.engine.take_in_ledger(&self.demand).is_some(),
        }
    }

    /// Gives everything back, if nothing is missing of what `told` tells, all was used, and that is possible without the lock.
    #[inline(never)]
    pub(super) fn settle_simply(&self, told: Told) -> bool {
        if !self.is_alone || told != self.all {
            return false;
        }
        match (self.alone, &self.owed[..]) {
            (Some(cost), _) => self.engine.end_alone(cost),
            (None, []) => true,
            (None, [item]) => self.engine.settle_simply(item),
            (None, _) => false,
        }
    }

    pub(super) fn admit(&self, wait: Wait) -> Result<State, LimitError> {
        let patience = Patience::new(wait, &*self.engine.clock);
        Ok(match self.engine.admit_locked(&self.demand, patience)? {
            Some(_) => State::Held(Told::NOTHING),
            None => State::Whole(Box::new(self.plan(patience).block()?)),
        })
    }

    /// Gives everything back; the keys of which a usage had to be told.
    #[inline]
    pub(super) fn settle(&self, told: Told) -> Vec<String> {
        let (items, told) = (&self.items, told.get());
        match told {
            Some((place, used)) if used != items[place].requested => {
                let mut items = items.clone();
                usage::tell(&mut items, &[(place, used)]);
                self.engine.settle(&items);
            }
            _ => self.engine.settle(&self.owed),
        }
        let untold = told.map_or(self.must_tell, |(place, _)| self.must_tell & !(1 << place));
        if untold == 0 { Vec::new() } else { self.missing(told.as_slice()) }
    }

    #[inline(never)]
    pub(super) fn settle_dropped(&self, told: Told) {
        let missing = self.settle(told);
        if !missing.is_empty() && !std::thread::panicking() {
            usage::warn_of(&self.engine.definition, missing);
        }
    }

    #[cold]
    fn missing(&self, told: &[(usize, u64)]) -> Vec<String> {
        let mut items = self.items.clone();
        usage::tell(&mut items, told);
        usage::missing(&self.engine.definition, &items)
    }

    /// A request that borrows nothing.
    pub(super) fn request(&self) -> Acquire {
        match self.demand.wishes[..] {
            [wish] => Acquire::simple(Simple::new(Arc::clone(&self.engine), wish, 0, Patience::Forever)),
            _ => Acquire::planned(self.plan(Patience::Forever)),
        }
    }

    pub(super) fn plan(&self, patience: Patience) -> Plan {
        Plan::of_one(Arc::clone(&self.engine), self.demand.clone(), 0, patience)
    }
}
