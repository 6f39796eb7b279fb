use concurry::prelude::*;

#[worker]
#[derive(Default)]
pub struct Greeter;

#[worker]
impl Greeter {
    pub fn name(&self) -> ! {
        panic!("Ada")
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{:?}", greeter.name().result());
}
