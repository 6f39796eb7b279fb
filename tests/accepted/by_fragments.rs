//! Types and expressions may come from fragments of the user's own macros.
#![deny(warnings)]

use std::time::Duration;

use concurry::prelude::*;

macro_rules! worker {
    ($name:ident, $worker:ty, $ret:ty, $made:ty, $acquired:ty, $cancellation:ty, $on:expr, $until:expr, $attempts:expr, $algorithm:expr) => {
        #[worker]
        pub struct $name {
            runs: u64,
        }

        #[worker(process)]
        impl $worker {
            pub fn new(runs: u64) -> $made {
                Ok(Self { runs })
            }

            #[retry(on = $on, until = $until, attempts = $attempts, wait = Duration::ZERO, algorithm = $algorithm)]
            pub fn next(&mut self) -> $ret {
                self.runs += 1;
                if self.runs == 1 { Err("first".to_owned()) } else { Ok(self.runs) }
            }

            #[limited(tokens = 3)]
            pub fn acquired(&self, acquired: $acquired, cancellation: $cancellation) -> u64 {
                acquired.requested("tokens").unwrap_or_default() + u64::from(cancellation.is_requested())
            }
        }
    };
}

worker!(
    ByFragments,
    ByFragments,
    Result<u64, String>,
    Result<ByFragments, String>,
    &mut LimitSetAcquisition,
    &Cancellation,
    |error: &String| !error.is_empty(),
    |runs, attempt: &Attempt| *runs > 2 || attempt.number() > 5,
    4,
    fixed
);

macro_rules! task {
    ($name:ident, $limits:ty, $ret:ty) => {
        #[task(process)]
        pub fn $name(limits: $limits, number: u64) -> $ret {
            assert!(limits.acquire(()).is_ok());
            Ok(number)
        }
    };
}

task!(double, &LimitPool, std::io::Result<u64>);

pub(crate) fn main() {
    let tokens = RateLimit::new("tokens", 1000, Duration::from_secs(60));
    let by_fragments = ByFragments::options(ExecutionMode::Thread, [tokens], 1).init(0).unwrap();
    assert_eq!(by_fragments.next().result().unwrap(), 3);
    assert_eq!(by_fragments.acquired().result().unwrap(), 3);
    let double = double::options(ExecutionMode::Thread, (), 1).init().unwrap();
    assert_eq!(double.call(2).result().unwrap(), 2);
}
