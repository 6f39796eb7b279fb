use concurry::prelude::*;

#[worker]
pub struct Greeter {
    name: String,
}

#[worker(process = true)]
impl Greeter {
    pub fn new(name: String) -> Self {
        Self { name }
    }

    pub fn greet(&self, other: String) -> String {
        format!("{} {}", self.name, other)
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Process, (), 1).init("Ada".to_owned()).unwrap();
    println!("{}", greeter.greet("Bob".to_owned()).result().unwrap());
}
