use concurry::prelude::*;

#[worker]
pub struct Keeper<'a> {
    kept: &'a str,
}

#[worker]
impl<'a> Keeper<'a> {
    pub fn new(kept: &'a str) -> Self {
        Self { kept }
    }

    pub fn kept(&self) -> String {
        self.kept.to_owned()
    }
}

fn main() {
    let keeper = Keeper::options(ExecutionMode::Thread, (), 1).init("it").unwrap();
    println!("{}", keeper.kept().result().unwrap());
}
