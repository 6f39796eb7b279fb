#![allow(private_interfaces)]

use concurry::prelude::*;

#[derive(Clone)]
struct Name(String);

#[worker]
pub struct Greeter {
    name: Name,
}

#[worker]
impl Greeter {
    pub fn new(name: Name) -> Self {
        Self { name }
    }

    pub fn name(&self) -> String {
        self.name.0.clone()
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init(Name("Ada".to_owned())).unwrap();
    println!("{}", greeter.name().result().unwrap());
}
