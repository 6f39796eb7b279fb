//! An `impl` block may hold more than methods, and `Self` may stand in any signature.
#![deny(warnings)]

use concurry::prelude::*;

#[worker]
#[derive(Clone)]
pub struct Whole {
    numbers: [u64; Whole::COUNT],
}

pub trait Named {
    type Name;
}

impl Named for Whole {
    type Name = String;
}

#[worker]
impl Whole {
    pub const COUNT: usize = 3;
    const STEP: u64 = 2;

    pub fn new(numbers: [u64; Self::COUNT], _: Option<<Self as Named>::Name>) -> Self {
        Self::checked(numbers)
    }

    fn checked(numbers: [u64; Self::COUNT]) -> Self {
        Self { numbers }
    }

    /// Has no receiver: not on the handle.
    pub fn sum_of(numbers: &[u64]) -> u64 {
        numbers.iter().sum()
    }

    /// Private: may be generic and borrow.
    fn scaled<'a, T: From<u64>>(&'a self, by: &'a u64) -> impl Iterator<Item = T> + use<'a, T> {
        self.numbers.iter().map(move |number| T::from(number * by))
    }

    pub fn sum(&self) -> u64 {
        Self::sum_of(&self.scaled(&Self::STEP).collect::<Vec<u64>>())
    }

    pub fn array(&mut self, numbers: [u64; Self::COUNT]) -> [u64; Self::COUNT] {
        std::mem::replace(&mut self.numbers, numbers)
    }

    pub fn named(&self, name: <Self as Named>::Name) -> Option<<Self as Named>::Name> {
        Some(name)
    }

    pub fn copy(&self) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.clone())
    }

    pub fn function(&self, function: fn(&Self) -> u64) -> u64 {
        function(self)
    }

    pub const fn constant(&self) -> u64 {
        Self::STEP
    }
}

/// Its `Default` is written by hand.
#[worker]
pub struct ByHand {
    made: u64,
}

#[worker]
impl Default for ByHand {
    fn default() -> Self {
        let Self { made } = Self { made: 1 };
        ByHand { made: made + 1 }
    }
}

#[worker]
impl ByHand {
    pub fn made(&self) -> u64 {
        self.made
    }
}

pub(crate) fn main() {
    let by_hand = ByHand::options(ExecutionMode::Thread, (), 1).init().unwrap();
    assert_eq!(by_hand.made().result().unwrap(), 2);
    let whole = Whole::options(ExecutionMode::Thread, (), 1).init([1, 2, 3], None).unwrap();
    assert_eq!(whole.sum().result().unwrap(), 12);
    assert_eq!(whole.array([4, 5, 6]).result().unwrap(), [1, 2, 3]);
    assert_eq!(whole.named("Ada".into()).result().unwrap(), Some("Ada".into()));
    assert_eq!(whole.copy().result().unwrap().numbers, [4, 5, 6]);
    assert_eq!(whole.function(|whole| whole.numbers[0]).result().unwrap(), 4);
    assert_eq!(whole.constant().result().unwrap(), 2);
}
