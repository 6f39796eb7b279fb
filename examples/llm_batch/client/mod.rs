//! The client: a worker that makes one call after the other, or many side by side, under its limits.
//!
//! * [`types`]: what travels between the program and its workers, in process mode from process to process.
//! * [`worker`]: the `#[worker]`.
//! * [`attempts`]: which failures are worth another attempt, and when.
//! * [`http`]: the connection, and what a failure means.

mod attempts;
mod http;
mod types;
mod worker;

pub(crate) use attempts::refused;
pub(crate) use http::reach;
pub(crate) use types::{LlmError, Prompt, Reply, Settings};
pub(crate) use worker::{Llm, estimate, unix_nanos};
