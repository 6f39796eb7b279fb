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

    pub fn into_name(self: Box<Self>) -> String {
        self.name
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init("Ada".to_owned()).unwrap();
    println!("{}", greeter.into_name().result().unwrap());
}
