use concurry::prelude::*;

#[worker]
pub struct Greeter {
    name: String,
}

#[worker]
impl Default for Greeter {
    fn default() -> Self {
        Self { name: "Ada".to_owned() }
    }
}

#[worker]
impl Greeter {
    pub fn name(&self) -> String {
        self.name.clone()
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{}", greeter.name().result().unwrap());
}
