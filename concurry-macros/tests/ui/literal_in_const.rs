use concurry::prelude::*;

#[worker]
pub struct Counter {
    count: u64,
}

#[worker]
impl Counter {
    const ZERO: Self = Self { count: 0 };

    const fn at(count: u64) -> Self {
        Self { count }
    }

    pub fn new() -> Self {
        Self::at(Self::ZERO.count)
    }

    pub fn count(&self) -> u64 {
        self.count
    }
}

fn main() {
    let counter = Counter::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{}", counter.count().result().unwrap());
}
