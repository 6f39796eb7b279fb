use concurry::prelude::*;

#[worker]
pub struct Greeter {
    name: String,
}

#[worker]
impl Greeter {
    pub fn new(name: String) -> Self {
        Self { name }
    }

    pub fn greet(&self, other: String) -> String {
        format!("{} {other}", self.name)
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init(3).unwrap();
    println!("{}", greeter.greet("Bob".to_owned()).result().unwrap());
}
