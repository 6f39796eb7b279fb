use concurry::prelude::*;

#[worker]
#[derive(Default)]
pub struct Greeter;

#[worker]
impl Greeter {
    #[cfg_attr(unix, retry(attempts = 2), inline)]
    pub fn name(&self) -> Result<String, String> {
        Ok("Ada".to_owned())
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{:?}", greeter.name().result());
}
