use concurry::prelude::*;

#[worker]
pub struct Greeter {
    name: String,
}

impl Greeter {
    pub fn new(name: String) -> Self {
        Self { name, limits: LimitPool::default() }
    }

    pub fn name(&self) -> String {
        self.name.clone()
    }
}

fn main() {
    println!("{}", Greeter::new("Ada".to_owned()).name());
}
