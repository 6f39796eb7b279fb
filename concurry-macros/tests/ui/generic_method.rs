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

    pub fn show<T: std::fmt::Display>(&self, value: T) -> String {
        format!("{} {value}", self.name)
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init("Ada".to_owned()).unwrap();
    println!("{}", greeter.show(1).result().unwrap());
}
