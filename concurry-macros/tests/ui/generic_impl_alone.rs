use concurry::prelude::*;

pub struct Keeper<T> {
    pub kept: T,
}

#[worker]
impl<T: Clone + Send + 'static> Keeper<T> {
    pub fn kept(&self) -> T {
        self.kept.clone()
    }
}

fn main() {}
