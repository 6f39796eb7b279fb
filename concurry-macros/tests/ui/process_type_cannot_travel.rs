use concurry::prelude::*;

pub struct Name(String);

#[worker]
pub struct Greeter {
    name: String,
}

#[worker(process)]
impl Greeter {
    pub fn new(name: String) -> Self {
        Self { name }
    }

    pub fn greet(&self, other: Name) -> String {
        format!("{} {}", self.name, other.0)
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Process, (), 1).init("Ada".to_owned()).unwrap();
    println!("{}", greeter.greet(Name("Bob".to_owned())).result().unwrap());
}
