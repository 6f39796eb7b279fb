use concurry::prelude::*;

#[worker]
#[derive(Default)]
pub struct Cruncher;

#[worker]
impl Cruncher {
    pub fn crunch(&self, first: &Cancellation, second: &Cancellation) -> bool {
        first.is_requested() && second.is_requested()
    }
}

fn main() {
    let cruncher = Cruncher::options(ExecutionMode::Sync, (), 1).init().unwrap();
    let crunched: bool = cruncher.crunch().result().unwrap();
    assert!(!crunched);
}
