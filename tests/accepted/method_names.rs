//! Methods may be named like those of every handle, and like what the emitted code is made of.
#![deny(warnings)]

use concurry::prelude::*;

#[worker]
#[derive(Default)]
pub struct Named {
    pool: u8,
}

#[worker]
impl Named {
    pub fn stop(&self) -> u8 {
        self.pool
    }

    pub fn stats(&self) -> u8 {
        1
    }

    pub fn submit(&mut self, message: u8) -> u8 {
        self.pool = message;
        2
    }

    pub fn clone(&self) -> u8 {
        3
    }

    pub fn deref(&self) -> u8 {
        4
    }

    pub fn from(&self) -> u8 {
        5
    }

    pub fn fmt(&self) -> u8 {
        6
    }

    pub async fn run(&self) -> u8 {
        7
    }

    pub fn access(&self) -> u8 {
        8
    }

    pub fn construct(&self) -> u8 {
        9
    }

    pub fn encode(&self) -> u8 {
        10
    }

    pub async fn start_exclusive(&mut self) -> u8 {
        11
    }

    pub fn limits(&self) -> bool {
        self.limits.acquire(()).is_ok()
    }

    pub fn call(&self) -> u8 {
        12
    }

    pub fn pool(&self) -> u8 {
        13
    }

    pub fn drop(&self) -> u8 {
        14
    }

    pub fn channel(&self) -> u8 {
        15
    }

    pub fn to_string(&self) -> u8 {
        16
    }
}

pub(crate) fn main() {
    let named = Named::options(ExecutionMode::Thread, (), 1).init().unwrap();
    assert_eq!(named.submit(0).result().unwrap(), 2);
    assert_eq!(named.stop().result().unwrap(), 0);
    let calls = [named.stats(), named.clone(), named.deref(), named.from(), named.fmt(), named.run()];
    assert_eq!(gather(Vec::from(calls)).result().unwrap(), [1, 3, 4, 5, 6, 7]);
    let calls = [named.access(), named.construct(), named.encode(), named.start_exclusive(), named.call()];
    assert_eq!(gather(Vec::from(calls)).result().unwrap(), [8, 9, 10, 11, 12]);
    let calls = [named.pool(), named.drop(), named.channel(), named.to_string()];
    assert_eq!(gather(Vec::from(calls)).result().unwrap(), [13, 14, 15, 16]);
    assert!(named.limits().result().unwrap());
    concurry::PoolHandle::stop(&named);
}
