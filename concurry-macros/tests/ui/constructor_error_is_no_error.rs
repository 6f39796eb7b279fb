use concurry::prelude::*;

pub struct Unlucky;

#[worker]
pub struct Greeter {
    key: u64,
}

#[worker]
impl Greeter {
    pub fn new(key: u64) -> Result<Self, Unlucky> {
        if key == 13 { Err(Unlucky) } else { Ok(Self { key }) }
    }

    pub fn key(&self) -> u64 {
        self.key
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init(1).unwrap();
    println!("{}", greeter.key().result().unwrap());
}
