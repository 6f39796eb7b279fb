//! Literals and patterns of the worker need not mention `limits`, wherever they stand in its block.
#![deny(warnings)]

use concurry::prelude::*;

#[worker]
#[derive(Default, Clone)]
pub struct Literal {
    a: u64,
    b: u64,
}

#[worker]
impl Literal {
    pub const LARGE: u64 = 10;

    pub fn new(a: u64) -> Self {
        let make = |b| {
            let inner = || Self { a, b };
            inner()
        };
        match a {
            0 => Self { a, ..Default::default() },
            1 => make(2),
            2 => Literal { b: Self::LARGE, a },
            3 => Self { a, b: 1, limits: limits.clone() },
            _ => {
                let mut all = vec![Self { a, b: 0 }, Self::with(a)];
                all.swap_remove(1)
            }
        }
    }

    fn with(a: u64) -> Self {
        Self::of(Some(Self { a, b: a }))
    }

    fn of(literal: Option<Self>) -> Self {
        literal.unwrap_or_else(|| Self { a: 0, b: 0 })
    }

    pub fn sum(&self) -> u64 {
        let Self { a, .. } = self;
        let Literal { b, a: _ } = self;
        a + b
    }

    pub fn both(&mut self) -> (u64, u64) {
        let Self { a, b } = self;
        *a += 1;
        (*a, *b)
    }

    pub fn other(&self, other: Self) -> Box<Self> {
        Box::new(Self { a: self.a + other.a, ..other })
    }

    pub fn matched(&self) -> u64 {
        match self {
            Self { a: 1 | 2, b } if *b > 5 => *b,
            Self { a: 0, .. } => 0,
            Self { a, b: _ } => *a,
        }
    }

    /// `Self` in an item inside of a body is another one.
    pub fn inside(&self) -> u64 {
        struct Other {
            a: u64,
        }

        impl Other {
            fn new(a: u64) -> Self {
                let Self { a } = Self { a };
                Self { a }
            }
        }

        Other::new(self.a).a
    }

    pub async fn later(&self) -> Vec<Self> {
        let made = async { Self { a: 1, b: 2 } };
        vec![made.await; 2]
    }
}

/// Macros take what they take: values, but also types, patterns, and text.
#[worker]
#[derive(Clone)]
pub struct InMacros {
    a: u64,
    b: u64,
}

#[worker]
impl InMacros {
    pub fn new(a: u64) -> Self {
        vec![Self { a, b: 0 }; 4].swap_remove(3)
    }

    pub fn text(&self) -> &'static str {
        concat!(stringify!(InMacros), " ", stringify!(Self))
    }

    pub fn offset(&self) -> bool {
        std::mem::offset_of!(Self, a) != std::mem::offset_of!(InMacros, b)
    }

    pub fn is_first(&self) -> bool {
        let is_odd = matches!(self, Self { a: 1, b: 0 } | InMacros { a: 3, b: _ } if self.b == 0);
        is_odd && matches!(Self { a: 1, b: 2 }, Self { a, .. } if matches!(a, 0 | 1))
    }
}

#[worker]
pub struct Unit;

#[worker]
impl Unit {
    pub fn new(by_name: bool) -> Self {
        if by_name { Unit } else { Self }
    }

    pub fn one(&self) -> u64 {
        let Unit = self;
        let Self = self;
        let again = [Some(Self), Some(Unit), None];
        assert!(matches!(self, Self) && matches!(Self, Unit) && matches!(Some(Unit), Some(Self)));
        assert_eq!(stringify!(Unit), "Unit");
        assert_eq!(vec![Unit, Self].len(), [Self, Unit].len());
        again.iter().flatten().map(|Self {}| 1).sum()
    }
}

pub(crate) fn main() {
    let sums = (0..5).map(|a| {
        let literal = Literal::options(ExecutionMode::Thread, (), 1).init(a).unwrap();
        assert_eq!(literal.inside().result().unwrap(), a);
        assert_eq!(literal.later().result().unwrap().len(), 2);
        assert_eq!(literal.other(Literal::new(1)).result().unwrap().a, a + 1);
        let _ = literal.matched().result().unwrap();
        let _ = literal.both().result().unwrap();
        literal.sum().result().unwrap()
    });
    assert_eq!(sums.collect::<Vec<_>>(), [1, 4, 13, 5, 9]);
    let in_macros = InMacros::options(ExecutionMode::Thread, (), 1).init(1).unwrap();
    assert_eq!(in_macros.text().result().unwrap(), "InMacros Self");
    assert!(in_macros.offset().result().unwrap() && in_macros.is_first().result().unwrap());
    for by_name in [true, false] {
        let unit = Unit::options(ExecutionMode::Thread, (), 1).init(by_name).unwrap();
        assert_eq!(unit.one().result().unwrap(), 2);
    }
}
