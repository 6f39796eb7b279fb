use concurry::prelude::*;

#[worker]
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
pub struct Counter {
    count: u64,
}

#[worker]
impl Counter {
    pub fn count(&self) -> u64 {
        self.count
    }
}

fn main() {
    let counter = Counter::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{}", counter.count().result().unwrap());
}
