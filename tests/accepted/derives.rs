//! serde's traits may be derived for a worker, which is stored without its limits.
#![deny(warnings)]

use concurry::prelude::*;
use serde::{Deserialize, Serialize};

#[worker]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Counter {
    count: u64,
}

#[worker]
impl Counter {
    pub fn new(text: String) -> Result<Self, serde_json::Error> {
        let read: Self = serde_json::from_str(&text)?;
        Ok(Self { count: read.count })
    }

    pub fn text(&self) -> Result<String, String> {
        serde_json::to_string(self).map_err(|error| error.to_string())
    }
}

pub(crate) fn main() {
    let counter = Counter::options(ExecutionMode::Thread, (), 1).init(r#"{"count":3}"#.to_owned()).unwrap();
    assert_eq!(counter.text().result().unwrap(), r#"{"count":3}"#);
}
