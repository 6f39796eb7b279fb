use std::time::Duration;

use concurry::prelude::*;

#[worker]
#[derive(Default)]
pub struct Fetcher;

#[worker]
impl Fetcher {
    pub fn fetch(&self, url: String) -> Result<u64, String> {
        Err(url)
    }

    #[retry]
    fn helper(&self) -> Duration {
        Duration::ZERO
    }

    pub fn helped(&self) -> Duration {
        self.helper()
    }
}

fn main() {
    let fetcher = Fetcher::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{:?}", fetcher.fetch("Ada".to_owned()).result());
}
