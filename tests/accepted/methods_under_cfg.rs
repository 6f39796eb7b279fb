//! What a `cfg` leaves out is on neither side, even if it would not compile.
#![deny(warnings)]
#![allow(clippy::non_minimal_cfg)]

use concurry::prelude::*;

#[worker]
#[derive(Default)]
pub struct Chosen;

#[worker]
impl Chosen {
    pub fn here(&self) -> u8 {
        1
    }

    #[cfg(any())]
    pub fn gone(&self, _: no::such::Type) -> no::such::Result<u8> {
        no::such::call()
    }

    #[cfg(any())]
    pub async fn gone_as_well(&mut self, _: no::such::Type) {}

    #[cfg(any())]
    pub fn gone_with_a_mistake(&self, _: &str) {}

    #[cfg(any())]
    pub fn twice(&self) -> u8 {
        2
    }

    #[cfg(all())]
    pub fn twice(&self) -> u16 {
        3
    }

    #[cfg_attr(all(), cfg(any()))]
    pub fn gone_at_last(&self, _: no::such::Type) {}

    #[cfg_attr(all(), doc = "Documented.", must_use)]
    pub fn documented(&self) -> u8 {
        4
    }
}

/// All of its methods are left out.
#[worker]
#[derive(Default)]
pub struct Nothing;

#[worker]
impl Nothing {
    #[cfg(any())]
    pub fn gone(&self) {}

    #[cfg(any())]
    pub async fn gone_as_well(&self) {}
}

pub(crate) fn main() {
    let chosen = Chosen::options(ExecutionMode::Thread, (), 1).init().unwrap();
    assert_eq!(chosen.here().result().unwrap(), 1);
    assert_eq!(chosen.twice().result().unwrap(), 3u16);
    assert_eq!(chosen.documented().result().unwrap(), 4);
    Nothing::options(ExecutionMode::Thread, (), 1).init().unwrap().stop();
}
