use concurry::prelude::*;

#[worker]
pub struct Greeter {
    name: String,
    limits: u32,
}

#[worker]
impl Greeter {
    pub fn new(name: String) -> Self {
        Self { name, limits: 3 }
    }

    pub fn limits(&self) -> String {
        format!("{} {}", self.name, self.limits + 1)
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init("Ada".to_owned()).unwrap();
    println!("{}", greeter.limits().result().unwrap());
}
