//! Types with a lifetime, which can only be `'static`, are arguments and results like others where nothing travels.
#![deny(warnings)]

use std::borrow::Cow;

use concurry::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part<'a> {
    #[serde(borrow)]
    text: &'a str,
}

/// Read without borrowing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Whole<'a> {
    text: Cow<'a, str>,
}

#[worker]
pub struct Borrower {
    part: Part<'static>,
}

#[worker]
impl Borrower {
    pub fn new(part: Part<'static>) -> Self {
        Self { part }
    }

    pub fn put(&mut self, part: Part<'static>) -> Option<Part<'static>> {
        Some(std::mem::replace(&mut self.part, part))
    }

    pub fn text(&self) -> Result<Vec<Part<'static>>, Part<'static>> {
        Ok(vec![self.part.clone()])
    }
}

#[worker]
#[derive(Default)]
pub struct Traveller;

#[worker(process)]
impl Traveller {
    pub fn back(&self, whole: Whole<'static>) -> Whole<'static> {
        whole
    }

    pub fn cow(&self, text: Cow<'static, str>) -> Cow<'static, str> {
        text
    }
}

#[worker]
#[derive(Default)]
pub struct Cows;

#[worker]
impl Cows {
    pub fn cow(&self, text: Cow<'static, str>) -> Cow<'static, str> {
        text
    }
}

pub(crate) fn main() {
    let borrower = Borrower::options(ExecutionMode::Thread, (), 1).init(Part { text: "a" }).unwrap();
    assert_eq!(borrower.put(Part { text: "b" }).result().unwrap(), Some(Part { text: "a" }));
    assert_eq!(borrower.text().result().unwrap(), [Part { text: "b" }]);
    let error = Borrower::options(ExecutionMode::Process, (), 1).init(Part { text: "a" }).unwrap_err();
    assert!(error.to_string().contains("Part") && error.to_string().contains("`put`"), "{error}");
    let traveller = Traveller::options(ExecutionMode::Process, (), 1).init().unwrap();
    let whole = Whole { text: "a".into() };
    assert_eq!(traveller.back(whole.clone()).result().unwrap(), whole);
    assert_eq!(traveller.cow("b".into()).result().unwrap(), "b");
    let cows = Cows::options(ExecutionMode::Process, (), 1).init().unwrap();
    assert_eq!(cows.cow("c".into()).result().unwrap(), "c");
}
