use concurry::prelude::*;

#[worker]
pub struct Greeter {
    name: String,
}

#[worker(process)]
impl Greeter {
    pub fn new(name: String) -> Self {
        Self { name }
    }

    pub fn greet(&self, other: &'static str) -> String {
        format!("{} {other}", self.name)
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Process, (), 1).init("Ada".to_owned()).unwrap();
    println!("{}", greeter.greet("Bob").result().unwrap());
}
