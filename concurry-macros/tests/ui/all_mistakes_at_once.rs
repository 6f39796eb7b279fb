use std::rc::Rc;

use concurry::prelude::*;

#[worker]
pub struct Greeter {
    name: String,
}

#[worker]
impl Greeter {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned() }
    }

    pub fn greet(&self, other: &str, times: &[u8]) -> String {
        format!("{} {other} {times:?}", self.name)
    }

    pub fn show<T: std::fmt::Display>(&self, value: T) -> String {
        format!("{} {value}", self.name)
    }

    pub fn shared(&self) -> Rc<String> {
        Rc::new(self.name.clone())
    }

    pub fn into_name(self) -> String {
        self.name
    }

    pub fn fine(&self) -> String {
        self.name.clone()
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init("Ada").unwrap();
    println!("{}", greeter.greet("Bob", &[1]).result().unwrap());
    println!("{}", greeter.show(1).result().unwrap());
    println!("{}", greeter.shared().result().unwrap());
    println!("{}", greeter.into_name().result().unwrap());
    println!("{}", greeter.fine().result().unwrap());
}
