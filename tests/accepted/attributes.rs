//! Attributes of a method stay with it and do no harm; those that tell its callers something go to the handle as well.
#![deny(warnings)]

use concurry::prelude::*;

#[worker]
#[derive(Debug, Default, Clone)]
#[allow(clippy::struct_excessive_bools)]
pub struct Attributed {
    #[allow(dead_code)]
    unused: u8,
}

#[worker]
#[allow(clippy::unused_self)]
impl Attributed {
    /// Documented.
    #[must_use]
    #[inline]
    #[track_caller]
    pub fn must_use(&self) -> u8 {
        1
    }

    #[inline(always)]
    #[cold]
    #[doc(alias = "chilly")]
    pub fn cold(&mut self) {}

    #[deprecated(note = "use `must_use`")]
    pub fn old(&self) -> u8 {
        2
    }

    #[deprecated]
    pub async fn old_async(&mut self, value: u8) -> u8 {
        value
    }

    #[expect(unused_variables, reason = "to see that it holds")]
    pub fn expecting(&self, unused: u8) -> u8 {
        let other = 1;
        3
    }

    #[rustfmt::skip]
    pub fn skipped(&self) -> u8 { 4 }

    pub fn attribute_of_an_argument(&self, #[allow(unused_variables)] unused: u8) -> u8 {
        6
    }
}

#[worker]
#[deprecated]
#[derive(Default)]
pub struct Old;

#[worker]
#[allow(deprecated)]
impl Old {
    pub fn age(&self) -> u8 {
        9
    }
}

#[worker]
#[derive(Default)]
#[allow(non_camel_case_types)]
pub struct Snake_Cased;

#[worker]
impl Snake_Cased {
    pub fn length(&self) -> u8 {
        11
    }
}

/// What is allowed, or expected, of the block or of a method, holds for what the handle has of it.
#[worker]
#[derive(Default)]
pub struct Lints;

#[worker]
#[allow(clippy::unused_self)]
#[expect(non_snake_case, reason = "to see that it holds")]
impl Lints {
    pub fn IsAllowed(&self) -> u8 {
        1
    }

    #[cfg_attr(all(), expect(clippy::fn_params_excessive_bools))]
    pub fn bools(&self, a: bool, b: bool, c: bool, d: bool) -> bool {
        a && b && c && d
    }
}

pub(crate) fn main() {
    let attributed = Attributed::options(ExecutionMode::Thread, (), 1).init().unwrap();
    assert_eq!(attributed.must_use().result().unwrap(), 1);
    attributed.cold().result().unwrap();
    #[allow(deprecated)]
    let old = (attributed.old(), attributed.old_async(2));
    assert_eq!(old.0.result().unwrap() + old.1.result().unwrap(), 4);
    assert_eq!(attributed.expecting(1).result().unwrap(), 3);
    assert_eq!(attributed.skipped().result().unwrap(), 4);
    #[allow(deprecated)]
    let aged = Old::options(ExecutionMode::Thread, (), 1).init().unwrap();
    let snake = Snake_Cased::options(ExecutionMode::Thread, (), 1).init().unwrap();
    let lints = Lints::options(ExecutionMode::Thread, (), 1).init().unwrap();
    assert_eq!((aged.age().result().unwrap(), snake.length().result().unwrap()), (9, 11));
    assert_eq!(lints.IsAllowed().result().unwrap(), 1);
    assert!(lints.bools(true, true, true, true).result().unwrap());
    assert_eq!(attributed.attribute_of_an_argument(1).result().unwrap(), 6);
}
