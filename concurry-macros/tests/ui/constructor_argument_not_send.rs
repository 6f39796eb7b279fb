use concurry::prelude::*;

use std::rc::Rc;

#[worker]
pub struct Greeter {
    key: u64,
}

#[worker]
impl Greeter {
    pub fn new(key: Rc<u64>) -> Self {
        Self { key: *key }
    }

    pub fn key(&self) -> u64 {
        self.key
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init(Rc::new(1)).unwrap();
    println!("{}", greeter.key().result().unwrap());
}
