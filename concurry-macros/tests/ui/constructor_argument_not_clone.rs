use concurry::prelude::*;

pub struct Key(u64);

#[worker]
pub struct Greeter {
    key: Key,
}

#[worker]
impl Greeter {
    pub fn new(key: Key) -> Self {
        Self { key }
    }

    pub fn key(&self) -> u64 {
        self.key.0
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init(Key(1)).unwrap();
    println!("{}", greeter.key().result().unwrap());
}
