use concurry::prelude::*;

use std::rc::Rc;

#[worker]
pub struct Greeter {
    name: String,
}

#[worker]
impl Greeter {
    pub fn new(name: String) -> Self {
        Self { name }
    }

    pub fn name(&self) -> Rc<String> {
        Rc::new(self.name.clone())
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init("Ada".to_owned()).unwrap();
    println!("{}", greeter.name().result().unwrap());
}
