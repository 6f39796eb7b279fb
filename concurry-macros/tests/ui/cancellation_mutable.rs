use concurry::prelude::*;

#[worker]
#[derive(Default)]
pub struct Fetcher;

#[worker]
impl Fetcher {
    pub fn fetch(&self, cancellation: &mut Cancellation) -> bool {
        cancellation.is_requested()
    }
}

fn main() {
    let fetcher = Fetcher::options(ExecutionMode::Async, (), 1).init().unwrap();
    let fetched: bool = fetcher.fetch().result().unwrap();
    assert!(!fetched);
}
