use concurry::prelude::*;

#[worker]
pub struct Keeper<T> {
    kept: T,
}

#[worker]
impl<T: Clone + Send + 'static> Keeper<T> {
    pub fn new(kept: T) -> Self {
        Self { kept }
    }

    pub fn kept(&self) -> T {
        self.kept.clone()
    }
}

fn main() {
    let keeper: KeeperHandle = Keeper::<u8>::options(ExecutionMode::Thread, (), 1).init(1).unwrap();
    println!("{}", keeper.kept().result().unwrap());
}
