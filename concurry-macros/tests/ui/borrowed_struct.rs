use concurry::prelude::*;

pub struct Part<'a> {
    pub text: &'a str,
}

#[worker]
pub struct Greeter {
    name: String,
}

#[worker]
impl Greeter {
    pub fn new(name: String) -> Self {
        Self { name }
    }

    pub fn length(&self, part: Part<'_>) -> usize {
        part.text.len() + self.name.len()
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init("Ada".to_owned()).unwrap();
    println!("{}", greeter.length(Part { text: "x" }).result().unwrap());
}
