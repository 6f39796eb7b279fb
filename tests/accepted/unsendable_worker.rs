//! A worker may hold what is not `Send`, and its async methods may hold it while they wait.
#![deny(warnings)]

use std::cell::RefCell;
use std::rc::Rc;

use concurry::prelude::*;

#[worker]
pub struct Homebody {
    at_home: Rc<RefCell<Vec<u64>>>,
}

#[worker]
impl Homebody {
    pub fn new() -> Self {
        Self { at_home: Rc::default() }
    }

    pub fn put(&self, value: u64) {
        self.at_home.borrow_mut().push(value);
    }

    pub async fn take(&mut self) -> Option<u64> {
        let at_home = Rc::clone(&self.at_home);
        std::future::ready(()).await;
        at_home.borrow_mut().pop()
    }
}

pub(crate) fn main() {
    let homebody = Homebody::options(ExecutionMode::Thread, (), 1).init().unwrap();
    homebody.put(1).result().unwrap();
    assert_eq!(homebody.take().result().unwrap(), Some(1));
}
