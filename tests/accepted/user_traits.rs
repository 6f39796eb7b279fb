//! Traits for all types may be in scope, with methods of any name: the emitted code calls none of them.
#![deny(warnings)]
#![allow(dead_code)]

use concurry::prelude::*;

macro_rules! everywhere {
    ($($method:ident)*) => {
        pub trait Everywhere {
            $(fn $method(&self) -> u8 {
                0
            })*
        }
    };
}

everywhere! {
    travels encode decode reply answer sync_start async_start is_sendable is_clone cloned shown take_job submit reject
    complete acquire admission retry pool channel run_here
}

impl<T: ?Sized> Everywhere for T {}

#[worker]
#[derive(Default)]
pub struct Crowded;

#[worker]
impl Crowded {
    #[retry(attempts = 2)]
    pub fn get(&self, number: u64) -> Result<u64, String> {
        Ok(number)
    }

    pub fn io(&mut self) -> std::io::Result<u64> {
        Ok(1)
    }

    #[limited]
    pub async fn later(&self, number: u64) -> u64 {
        number
    }

    pub async fn alone(&mut self) -> u64 {
        1
    }
}

pub(crate) fn main() {
    let crowded = Crowded::options(ExecutionMode::Process, (), 1).init().unwrap();
    assert_eq!(crowded.get(1).result().unwrap() + crowded.io().result().unwrap(), 2);
    assert_eq!(crowded.later(2).result().unwrap() + crowded.alone().result().unwrap(), 3);
}
