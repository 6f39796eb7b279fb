use concurry::prelude::*;

#[worker]
#[derive(Default)]
pub struct Greeter {
    name: String,
}

#[worker]
impl std::fmt::Display for Greeter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
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
