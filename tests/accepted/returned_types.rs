//! What a method returns is a result or a value by its type, whatever its name.
#![deny(warnings)]

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};

use concurry::prelude::*;
use serde::{Deserialize, Serialize};

/// Named as a result, and none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueryResult {
    rows: u64,
}

/// No serde: it stays in its process.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolResult;

/// A result, and not named as one.
pub type Fetched = Result<u64, String>;
pub type Read = std::io::Result<u64>;

pub trait Gives {
    type Out;
}
impl Gives for u8 {
    type Out = Result<QueryResult, String>;
}

#[worker]
#[derive(Default)]
pub struct Names {
    runs: AtomicU32,
}

#[worker]
impl Names {
    pub fn query(&self, rows: u64) -> QueryResult {
        QueryResult { rows }
    }

    pub async fn query_later(&self, rows: u64) -> QueryResult {
        QueryResult { rows }
    }

    #[retry(until = |result: &QueryResult| result.rows > 2, attempts = 5)]
    pub fn until(&self) -> QueryResult {
        QueryResult { rows: u64::from(self.runs.fetch_add(1, Ordering::Relaxed)) }
    }

    pub fn fetch(&self, below: u32) -> Fetched {
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        if run < below { Err(format!("run {run}")) } else { Ok(u64::from(run)) }
    }

    pub async fn fetch_later(&self) -> Fetched {
        Err("gone".to_owned())
    }

    #[retry(on = |error: &String| error != "gone", attempts = 3)]
    pub fn fetch_on(&self) -> Fetched {
        Err("gone".to_owned())
    }

    pub fn read(&self) -> Read {
        Err(std::io::ErrorKind::NotFound.into())
    }

    pub fn given(&self) -> <u8 as Gives>::Out {
        Err("not given".to_owned())
    }

    #[limited(call_count = 1)]
    pub fn limited(&mut self) -> Fetched {
        Ok(3)
    }
}

#[worker]
#[derive(Default)]
pub struct Tools;

#[worker]
impl Tools {
    pub fn use_it(&self) -> ToolResult {
        ToolResult
    }
}

#[task]
pub fn fetched(number: u64) -> Fetched {
    Err(number.to_string())
}

/// Processes start before `main`, so in a test too.
fn in_mode(mode: ExecutionMode) {
    let limits = [CallLimit::new(100, std::time::Duration::from_secs(1))];
    let names = Names::options(mode, limits, 1).retry(Retry::fixed(4)).init().unwrap();
    let query: Call<QueryResult, Infallible> = names.query(7);
    assert_eq!(query.result().unwrap().rows + names.query_later(1).result().unwrap().rows, 8);
    let fetched: Call<u64, String> = names.fetch(2);
    assert_eq!(fetched.result().unwrap(), 2, "it is tried again, as all that fails is");
    assert_eq!(names.until().result().unwrap().rows, 3);
    assert!(matches!(names.fetch_later().result(), Err(CallError::RetriesExhausted(_))));
    assert!(matches!(names.fetch_on().result(), Err(CallError::Failed(gone)) if gone == "gone"));
    assert!(matches!(names.given().result(), Err(CallError::RetriesExhausted(_))));
    assert!(matches!(names.read().result(), Err(CallError::RetriesExhausted(_))));
    assert_eq!(names.limited().result().unwrap(), 3);
    let stats = names.stats();
    assert!(stats.failed >= 4, "{stats:?}");
}

pub(crate) fn main() {
    for mode in [ExecutionMode::Sync, ExecutionMode::Thread, ExecutionMode::Async, ExecutionMode::Process] {
        in_mode(mode);
    }
    let tools = Tools::options(ExecutionMode::Thread, (), 1).init().unwrap();
    assert_eq!(tools.use_it().result().unwrap(), ToolResult);
    let error = Tools::options(ExecutionMode::Thread, (), 1).retry(Retry::fixed(2)).init().unwrap_err();
    assert!(error.to_string().contains("no method of it returns a `Result`"), "{error}");
    let error = Tools::options(ExecutionMode::Process, (), 1).init().unwrap_err();
    assert!(error.to_string().contains("ToolResult"), "{error}");
    let task = fetched::options(ExecutionMode::Thread, (), 1).init().unwrap();
    assert!(matches!(task.call(3).result(), Err(CallError::Failed(text)) if text == "3"));
}
