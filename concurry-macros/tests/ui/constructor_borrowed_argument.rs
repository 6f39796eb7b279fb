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

    pub fn name(&self) -> String {
        self.name.clone()
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init("Ada").unwrap();
    println!("{}", greeter.name().result().unwrap());
}
