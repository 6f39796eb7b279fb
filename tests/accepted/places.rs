//! A worker may stand in a function, in a module with private types, behind a macro, and away from its `impl` block.
#![deny(warnings)]

use concurry::prelude::*;

mod nested {
    use concurry::prelude::*;

    #[derive(Clone)]
    struct Start(u64);

    struct Step(u64);

    #[derive(Debug)]
    struct Failure;

    #[worker]
    struct Private {
        count: u64,
    }

    #[worker]
    impl Private {
        pub fn new(start: Start) -> Self {
            Self { count: start.0 }
        }

        pub fn step(&mut self, step: Step) -> Result<Step, Failure> {
            self.count += step.0;
            Ok(Step(self.count))
        }
    }

    pub fn count() -> u64 {
        let private = Private::options(ExecutionMode::Thread, (), 1).init(Start(1)).unwrap();
        private.step(Step(2)).result().unwrap().0
    }
}

mod apart {
    #[concurry::worker]
    pub struct Apart {
        pub(super) count: u64,
    }

    mod block {
        #[concurry::worker]
        impl super::Apart {
            pub fn new(count: u64) -> Self {
                Self { count }
            }

            pub fn again(&self) -> Vec<Self> {
                vec![Self { count: self.count }, super::Apart { count: 2 }]
            }

            pub fn add(&self, other: Self) -> u64 {
                self.count + other.count
            }
        }
    }
}

/// Its `impl` block stands in a module that may make it, but is not below it.
mod beside {
    mod item {
        use concurry::prelude::*;

        #[worker]
        pub struct Beside {
            pub(in super::super) count: u64,
        }

        #[worker]
        pub struct BesideUnit;
    }

    pub use item::{Beside, BesideHandle, BesideUnit, BesideUnitHandle};

    #[concurry::worker]
    impl Beside {
        pub fn new(count: u64) -> Self {
            Self { count }
        }

        pub fn count(&self) -> u64 {
            self.count
        }
    }

    #[concurry::worker]
    impl BesideUnit {
        pub fn new() -> Self {
            Self
        }

        pub fn one(&self) -> u64 {
            1
        }
    }
}

macro_rules! counter {
    ($name:ident, $field:ident: $type:ty, $method:ident($argument:ident)) => {
        #[worker]
        pub struct $name {
            $field: $type,
        }

        #[worker]
        impl $name {
            pub fn new($field: $type) -> Self {
                Self { $field }
            }

            pub fn $method(&mut self, $argument: $type) -> $type {
                self.$field += $argument;
                self.$field
            }
        }
    };
}

counter!(ByMacro, total: u64, add(more));

fn in_a_function() -> u64 {
    #[worker]
    struct Local {
        count: u64,
    }

    #[worker]
    impl Local {
        pub fn new(count: u64) -> Self {
            Self { count }
        }

        pub fn count(&self) -> u64 {
            self.count
        }
    }

    Local::options(ExecutionMode::Thread, (), 1).init(3).unwrap().count().result().unwrap()
}

pub(crate) fn main() {
    assert_eq!(nested::count(), 3);
    assert_eq!(in_a_function(), 3);
    let apart = apart::Apart::options(ExecutionMode::Thread, (), 1).init(1).unwrap();
    assert_eq!(apart.again().result().unwrap().len(), 2);
    assert_eq!(apart.add(apart::Apart::new(2)).result().unwrap(), 3);
    let beside = beside::Beside::options(ExecutionMode::Thread, (), 1).init(5).unwrap();
    let unit = beside::BesideUnit::options(ExecutionMode::Thread, (), 1).init().unwrap();
    assert_eq!(beside.count().result().unwrap() + unit.one().result().unwrap(), 6);
    let by_macro = ByMacro::options(ExecutionMode::Thread, (), 1).init(1).unwrap();
    assert_eq!(by_macro.add(2).result().unwrap(), 3);
}
