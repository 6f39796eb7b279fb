//! What may stand in `#[retry]`.

#![deny(warnings)]

use std::time::Duration;

use concurry::prelude::*;

#[derive(Debug, Clone, PartialEq)]
pub struct Reply(u64);

impl Reply {
    fn is_complete(&self) -> bool {
        self.0 > 1
    }
}

type FetchResult<T> = Result<T, String>;

const ATTEMPTS: u32 = 3;

#[worker]
#[derive(Default)]
pub struct Fetcher {
    runs: u64,
}

#[worker]
impl Fetcher {
    fn is_transient(error: &String) -> bool {
        error != "gone"
    }

    #[retry]
    pub fn bare(&mut self) -> Result<(), String> {
        Ok(())
    }

    #[retry(
        on = Self::is_transient,
        until = Reply::is_complete,
        after = |_| Some(Duration::ZERO),
        attempts = ATTEMPTS,
        wait = Duration::from_millis(1),
        max_wait = Duration::from_secs(1),
        algorithm = fibonacci,
        jitter = 0.5,
        budget = Duration::from_secs(600),
        panics,
        worker_death = false,
    )]
    pub fn all(&mut self, text: String) -> Result<Reply, String> {
        self.runs += 1;
        if self.runs == 1 { Err(text) } else { Ok(Reply(self.runs)) }
    }

    #[retry(on = |error: &String, attempt: &Attempt| attempt.number() < 2 && error.is_empty())]
    pub async fn alias(&self, r#type: &'static str, (a, b): (u8, u8)) -> FetchResult<(u8, &'static str)> {
        Ok((a + b, r#type))
    }

    #[retry(until = |reply| reply.is_complete())]
    pub fn r#match(&self) -> Reply {
        Reply(2)
    }
}

/// A method that cannot fail is tried again for what can happen to it; for nothing, it is not.
#[worker]
#[derive(Default)]
pub struct Infallible {
    runs: u64,
}

#[worker]
impl Infallible {
    #[retry(attempts = 3, wait = Duration::ZERO)]
    pub fn count(&mut self) -> u64 {
        self.runs += 1;
        assert!(self.runs > 1, "the first one");
        self.runs
    }
}

fn what_cannot_be_tried_again_is_an_error_of_init() {
    let error = Infallible::options(ExecutionMode::Thread, (), 1).init().unwrap_err().to_string();
    assert!(error.contains("`count`") && error.contains("`until = …`"), "{error}");
    let retry = Retry::fixed(2).panics(true);
    Infallible::options(ExecutionMode::Thread, (), 1).retry(retry).init().unwrap();
}

pub(crate) fn main() {
    what_cannot_be_tried_again_is_an_error_of_init();
    let fetcher = Fetcher::options(ExecutionMode::Thread, (), 1).init().unwrap();
    fetcher.bare().result().unwrap();
    assert_eq!(fetcher.all("busy".to_owned()).result().unwrap(), Reply(2));
    assert_eq!(fetcher.alias("x", (1, 2)).result().unwrap(), (3, "x"));
    assert_eq!(fetcher.r#match().result().unwrap(), Reply(2));
}
