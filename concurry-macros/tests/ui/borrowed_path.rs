use concurry::prelude::*;

use std::path::Path;

#[worker]
pub struct Greeter {
    name: String,
}

#[worker]
impl Greeter {
    pub fn new(name: String) -> Self {
        Self { name }
    }

    pub fn exists(&self, path: &Path) -> bool {
        path.join(&self.name).exists()
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init("Ada".to_owned()).unwrap();
    assert!(greeter.exists(Path::new(".")).result().unwrap());
}
