//! The amounts in `#[limited]` are expressions of the arguments, in which `Self` is the worker.
#![deny(warnings)]

use std::time::Duration;

use concurry::prelude::*;

#[worker]
#[derive(Default)]
pub struct Metered {
    runs: u64,
}

#[worker]
impl Metered {
    const LEAST: u64 = 1;

    fn estimate(prompt: &str) -> u64 {
        prompt.len() as u64
    }

    #[limited(tokens = Self::estimate(&prompt).max(Self::LEAST))]
    pub fn complete(&mut self, mut prompt: String, acquired: &mut LimitSetAcquisition) -> u64 {
        prompt.push('!');
        self.runs += acquired.requested("tokens").unwrap_or_default();
        self.runs
    }

    #[limited(tokens = Self::LEAST)]
    pub async fn nothing(&self, (_a, _b): (u8, u8)) -> Result<u64, String> {
        Ok(self.runs)
    }

    #[limited(tokens = 10 / parts)]
    pub fn divided(&self, parts: u64) -> Result<u64, String> {
        Ok(parts)
    }

    #[limited(tokens = 10 / parts)]
    #[retry(attempts = 2, wait = Duration::ZERO)]
    pub fn divided_again(&self, parts: u64) -> Result<u64, String> {
        Ok(parts)
    }
}

pub(crate) fn main() {
    let tokens = || RateLimit::new("tokens", 1000, Duration::from_secs(60));
    for mode in [ExecutionMode::Sync, ExecutionMode::Thread] {
        let metered = Metered::options(mode, [tokens()], 1).init().unwrap();
        assert_eq!(metered.complete("four".to_owned()).result().unwrap(), 4);
        assert_eq!(metered.complete(String::new()).result().unwrap(), 5);
        assert_eq!(metered.nothing((1, 2)).result().unwrap(), 5);
        // An amount that panics is one outcome, whether the call may be tried again or not.
        for call in [metered.divided(0), metered.divided_again(0)] {
            assert!(
                matches!(call.result(), Err(CallError::Panicked(panic)) if panic.message().contains("zero"))
            );
        }
        assert_eq!(metered.divided(5).result().unwrap(), 5);
    }
}
