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

    pub fn sum(&self, numbers: &[u8]) -> usize {
        numbers.len() + self.name.len()
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init("Ada".to_owned()).unwrap();
    let _sum: usize = greeter.sum(&[1, 2]).result().unwrap();
}
