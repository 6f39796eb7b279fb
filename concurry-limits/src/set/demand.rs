//! What a request means in one set: its keys looked up, and the unnamed limits added.

use smallvec::SmallVec;

use super::Definition;
use crate::{LimitError, Request};

/// One limit of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    pub(crate) requested: u64,
    /// All of it, until something else is told.
    used: u64,
    told: bool,
    /// Whether the request named it.
    pub(crate) named: bool,
    /// In a byte, since guards are moved often: a set has 128 limits at most.
    index: u8,
}

impl Item {
    pub(crate) fn new(index: usize, requested: u64, named: bool) -> Self {
        // Another version of the set may have had more; that limit has no key here.
        let index = u8::try_from(index).unwrap_or(u8::MAX);
        Self { requested, used: requested, told: false, named, index }
    }

    /// Which limit of the set.
    #[inline]
    pub(crate) fn index(&self) -> usize {
        usize::from(self.index)
    }

    /// The usage that counts.
    #[inline]
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// The usage, if it was told.
    pub(crate) fn told(&self) -> Option<u64> {
        self.told.then_some(self.used)
    }

    pub(crate) fn tell(&mut self, used: u64) {
        (self.used, self.told) = (used, true);
    }
}

/// The limits of a request, in place where there are few.
pub(crate) type Items = SmallVec<[Item; 3]>;

/// A request that was looked up in a set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Demand {
    /// One a limit, in the order of the request.
    pub(crate) items: Items,
    /// A bit for each limit of which an amount is to be taken. A named amount of 0 has none: it takes nothing, waits for
    /// nobody and is in nobody's way.
    pub(crate) mask: u128,
}

impl Demand {
    /// Looks `request` up.
    pub(crate) fn of(request: &impl Request, definition: &Definition) -> Result<Self, LimitError> {
        let mut demand = Self { items: Items::new(), mask: 0 };
        let mut named: u128 = 0;
        let mut empty = true;
        let mut outcome = Ok(());
        request.for_each_amount(&mut |key, amount| {
            empty = false;
            let Some(index) = definition.index(key) else {
                if definition.lenient {
                    definition.warn_unknown(key);
                } else if outcome.is_ok() {
                    outcome = Err(LimitError::UnknownKey { key: key.to_owned(), known: definition.keys() });
                }
                return;
            };
            if named & (1 << index) == 0 {
                named |= 1 << index;
                demand.push(index, amount, true);
            } else if outcome.is_ok() {
                outcome = Err(LimitError::DuplicateKey { key: key.to_owned() });
            }
        });
        outcome?;
        for (index, limit) in definition.known().iter().enumerate() {
            match limit.default_amount {
                _ if named & (1 << index) != 0 => {}
                Some(amount) => demand.push(index, amount, false),
                None if empty => return Err(LimitError::AmountRequired { key: limit.key.to_string() }),
                None => {}
            }
        }
        Ok(demand)
    }

    fn push(&mut self, index: usize, requested: u64, named: bool) {
        self.items.push(Item::new(index, requested, named));
        if requested > 0 {
            self.mask |= 1 << index;
        }
    }
}
