//! The worker's own traits may have methods of any name: nothing of ours that the prelude brings is as good as they are.
#![deny(warnings)]

use concurry::prelude::*;

/// Methods that are named as what the runtimes do with a worker.
pub trait Engine: Sized {
    fn run(&mut self, by: u64) -> u64;
    fn run_shared(&self) -> u64 {
        1
    }
    fn serve(&mut self) -> u64 {
        1
    }
    fn limits_mut(&mut self) -> u64 {
        1
    }
    fn encode(by: u64) -> u64;
    fn decode(by: u64) -> u64 {
        by
    }
    fn encode_args() -> u64 {
        1
    }
    fn decode_args() -> u64 {
        1
    }
    fn complete(&self) -> u64 {
        1
    }
    fn access(&self) -> u64 {
        1
    }
    fn construct() -> u64 {
        1
    }
    fn refuse(&self) -> u64 {
        1
    }
    fn reject(&self) -> u64 {
        1
    }
    fn retries() -> u64 {
        1
    }
    fn check_options() -> u64 {
        1
    }
    fn sync_start() -> u64 {
        1
    }
    fn unable_to_travel() -> u64 {
        1
    }
}

#[worker]
#[derive(Default)]
pub struct Car {
    way: u64,
}

impl Engine for Car {
    fn run(&mut self, by: u64) -> u64 {
        self.way += by;
        self.way
    }

    fn encode(by: u64) -> u64 {
        by
    }
}

#[worker]
impl Car {
    pub fn drive(&mut self) -> u64 {
        let own = self.run(2)
            + self.run_shared()
            + self.serve()
            + self.limits_mut()
            + self.complete()
            + self.access();
        let more = self.refuse() + self.reject() + Self::encode(1) + Self::decode(1) + Self::encode_args();
        own + more
            + Self::decode_args()
            + Self::construct()
            + Self::retries()
            + Self::check_options()
            + Self::sync_start()
            + Self::unable_to_travel()
    }
}

pub(crate) fn main() {
    let car = Car::options(ExecutionMode::Thread, (), 1).init().unwrap();
    assert_eq!(car.drive().result().unwrap(), 18);
}
