use concurry::prelude::*;

use std::error::Error;

#[worker]
pub struct Greeter {
    name: String,
}

#[worker]
impl Greeter {
    pub fn new(name: String) -> Self {
        Self { name }
    }

    pub fn name(&self) -> Result<String, Box<dyn Error>> {
        Ok(self.name.clone())
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init("Ada".to_owned()).unwrap();
    println!("{}", greeter.name().result().unwrap());
}
