use std::time::Duration;

use concurry::prelude::*;

pub struct Url(String);

#[worker]
#[derive(Default)]
pub struct Fetcher;

#[worker]
impl Fetcher {
    #[retry(attempts = 3)]
    pub fn fetch(&self, url: Url) -> Result<u64, String> {
        Err(url.0)
    }

    pub fn fetched(&self) -> Duration {
        Duration::ZERO
    }
}

fn main() {
    let fetcher = Fetcher::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{:?}", fetcher.fetch(Url("Ada".to_owned())).result());
}
