use concurry::prelude::*;

#[worker]
#[derive(Default)]
pub struct Greeter;

#[worker]
impl Greeter {
    #[limited(tokens = self.least())]
    pub fn name(&self) -> String {
        "Ada".to_owned()
    }

    fn least(&self) -> u64 {
        1
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{:?}", greeter.name().result());
}
