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

    pub fn greet(&self, other: String) -> Name {
        Name(format!("{} {}", self.name, other))
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Process, (), 1).init("Ada".to_owned()).unwrap();
    println!("{}", greeter.greet("Bob".to_owned()).result().unwrap().0);
}
