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

    pub unsafe fn byte(&self, index: usize) -> u8 {
        unsafe { *self.name.as_bytes().get_unchecked(index) }
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init("Ada".to_owned()).unwrap();
    println!("{}", greeter.byte(0).result().unwrap());
}
