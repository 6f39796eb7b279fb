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

    pub fn letters(&self) -> impl Iterator<Item = char> {
        self.name.clone().into_bytes().into_iter().map(char::from)
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init("Ada".to_owned()).unwrap();
    for letter in greeter.letters().result().unwrap() {
        println!("{letter}");
    }
}
