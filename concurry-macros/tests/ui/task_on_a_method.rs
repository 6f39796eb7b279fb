use concurry::prelude::*;

pub struct Greeter;

impl Greeter {
    #[task]
    pub fn greet(&self, name: String) -> String {
        format!("Hello, {name}")
    }
}

fn main() {
    println!("{}", Greeter.greet("Ada".to_owned()));
}
