use concurry::prelude::*;

#[worker]
pub struct Greeter(String);

#[worker]
impl Greeter {
    pub fn new(name: String) -> Self {
        Self(name)
    }

    pub fn name(&self) -> String {
        self.0.clone()
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init("Ada".to_owned()).unwrap();
    println!("{}", greeter.name().result().unwrap());
}
