use std::time::Duration;

use concurry::prelude::*;

#[worker]
#[derive(Default)]
pub struct Fetcher;

#[worker]
impl Fetcher {
    #[retry(wait = 200)]
    pub fn fetch(&self, url: String) -> Result<u64, String> {
        Err(url)
    }

    pub fn fetched(&self) -> Duration {
        Duration::ZERO
    }
}

fn main() {
    let fetcher = Fetcher::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{:?}", fetcher.fetch("Ada".to_owned()).result());
}
