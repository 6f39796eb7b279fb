//! What a request means in one set: its keys looked up, and the unnamed limits added.

use smallvec::SmallVec;

use super::Definition;
use crate::{LimitError, Request};

/// An amount that is wanted of one limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    pub(crate) requested: u64,
    /// In a byte, since a crowd may wait: a set has 128 limits at most.
    index: u8,
    /// Whether the request named it.
    pub(crate) named: bool,
}

impl Wish {
    fn new(index: usize, requested: u64, named: bool) -> Self {
        // Another version of the set may have had more; that limit has no key here.
        Self { requested, index: u8::try_from(index).unwrap_or(u8::MAX), named }
    }

    /// Which limit of the set.
    #[inline]
    pub(crate) fn index(&self) -> usize {
        usize::from(self.index)
    }
}

/// What is wanted, in place where it is of few limits.
pub(crate) type Wishes = SmallVec<[Wish; 3]>;

/// A bit for each limit of which an amount is wanted. An amount of 0 has none: it takes nothing, waits for nobody and is
/// in nobody's way.
pub(super) fn mask_of(wishes: &[Wish]) -> u128 {
    let wanted = wishes.iter().filter(|wish| wish.requested > 0);
    wanted.fold(0, |mask, wish| mask | 1 << wish.index())
}

/// What is held of one limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    pub(crate) requested: u64,
    /// All of it, until something else is told.
    used: u64,
    told: bool,
    pub(crate) named: bool,
    /// In a byte, since guards are moved often.
    index: u8,
}

impl From<Wish> for Item {
    #[inline]
    fn from(Wish { requested, index, named }: Wish) -> Self {
        Self { requested, used: requested, told: false, named, index }
    }
}

impl Item {
    pub(crate) fn new(index: usize, requested: u64, named: bool) -> Self {
        Wish::new(index, requested, named).into()
    }

    /// What was wanted.
    #[inline]
    pub(crate) fn wish(&self) -> Wish {
        Wish { requested: self.requested, index: self.index, named: self.named }
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

/// What is held, in place where it is of few limits.
pub(crate) type Items = SmallVec<[Item; 3]>;

/// What is held once `wishes` were admitted.
#[inline]
pub(crate) fn items_of(wishes: &[Wish]) -> Items {
    match *wishes {
        [one] => Items::from_buf_and_len([one.into(); 3], 1),
        [one, two] => Items::from_buf_and_len([one.into(), two.into(), two.into()], 2),
        [one, two, three] => Items::from_buf([one.into(), two.into(), three.into()]),
        _ => wishes.iter().copied().map(Item::from).collect(),
    }
}

/// A request that was looked up in a set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Demand {
    /// One a limit, in the order of the request.
    pub(super) wishes: Wishes,
    /// Of the wishes, see [`mask_of`].
    pub(super) mask: u128,
}

impl Demand {
    /// Looks `request` up.
    pub(crate) fn of(request: &impl Request, definition: &Definition) -> Result<Self, LimitError> {
        let mut demand = Self { wishes: Wishes::new(), mask: 0 };
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
        demand.mask = mask_of(&demand.wishes);
        Ok(demand)
    }

    /// What `request` means in a set of one limit, where that is cheap to tell.
    #[inline]
    pub(super) fn of_one(request: &impl Request, definition: &Definition) -> Option<Wish> {
        let [limit] = definition.known() else { return None };
        match request.single() {
            Some((key, amount)) => (*key == *limit.key).then(|| Wish::new(0, amount, true)),
            None if request.names_nothing() => Some(Wish::new(0, limit.default_amount?, false)),
            None => None,
        }
    }

    /// That alone.
    pub(super) fn of_wish(wish: Wish) -> Self {
        let wishes = Wishes::from_slice(&[wish]);
        Self { mask: mask_of(&wishes), wishes }
    }

    fn push(&mut self, index: usize, requested: u64, named: bool) {
        self.wishes.push(Wish::new(index, requested, named));
    }

    /// What is held once it was admitted.
    #[inline]
    pub(super) fn items(&self) -> Items {
        items_of(&self.wishes)
    }
}
