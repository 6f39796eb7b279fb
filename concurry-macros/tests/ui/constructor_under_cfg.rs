use concurry::prelude::*;

#[worker]
pub struct Greeter {
    key: u64,
}

#[worker]
impl Greeter {
    #[cfg(unix)]
    pub fn new(key: u64) -> Self {
        Self { key }
    }

    pub fn key(&self) -> u64 {
        self.key
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init(1).unwrap();
    println!("{}", greeter.key().result().unwrap());
}
