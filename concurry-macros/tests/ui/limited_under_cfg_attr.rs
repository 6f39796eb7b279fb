use concurry::prelude::*;

#[worker]
#[derive(Default)]
pub struct Greeter;

#[worker]
impl Greeter {
    #[cfg_attr(unix, limited(tokens = 2))]
    pub fn name(&self) -> String {
        "Ada".to_owned()
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{:?}", greeter.name().result());
}
