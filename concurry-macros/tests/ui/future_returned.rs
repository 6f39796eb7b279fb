use std::future::Future;
use std::pin::Pin;

use concurry::prelude::*;

#[worker]
#[derive(Default)]
pub struct Fetcher;

#[worker]
impl Fetcher {
    pub fn fetch(&self) -> impl Future<Output = u64> {
        async { 1 }
    }

    pub fn fetch_boxed(&self) -> Pin<Box<dyn Future<Output = u64> + Send>> {
        Box::pin(async { 1 })
    }
}

fn main() {
    let fetcher = Fetcher::options(ExecutionMode::Thread, (), 1).init().unwrap();
    fetcher.fetch();
    fetcher.fetch_boxed();
}
