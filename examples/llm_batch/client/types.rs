//! What travels between the program and its workers: plain data with serde, so that process mode is possible.

use std::time::Duration;

use concurry::LimitError;
use serde::{Deserialize, Serialize};

use crate::cli::Job;

/// How a worker is to call the API.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) model: String,
    pub(crate) max_tokens: u64,
    pub(crate) api_key: Option<String>,
    /// No proxy from the environment: the server is on this machine.
    pub(crate) direct: bool,
}

impl Settings {
    pub(crate) fn of(job: &Job) -> Self {
        Self {
            model: job.model.clone(),
            max_tokens: job.max_tokens,
            api_key: job.api_key.clone(),
            direct: job.base_urls.is_empty(),
        }
    }
}

/// One file, and what is asked about it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Prompt {
    /// The file's path under the folder.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// An answer, and what it took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Reply {
    pub(crate) text: String,
    pub(crate) region: String,
    /// What the server counted, prompt and answer.
    pub(crate) tokens: u64,
    /// When the limits admitted the call, in nanoseconds of Unix time: the only clock that processes share everywhere.
    pub(crate) admitted_at: u64,
    /// How long the limits held the call back.
    pub(crate) waited: Duration,
    /// How long the HTTP call took.
    pub(crate) latency: Duration,
    /// How much of it the server says that it worked, where it says so.
    pub(crate) served_in: Option<Duration>,
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error, Serialize, Deserialize)]
pub(crate) enum LlmError {
    #[error(transparent)]
    Limit(#[from] LimitError),
    #[error("{region} refused with 429 (too many requests){}", again(*.retry_after))]
    RateLimited { region: String, retry_after: Option<Duration> },
    #[error("{url} answered with {status}: {message}")]
    Status { url: String, status: u16, message: String },
    #[error("{url} cannot be reached: {reason}")]
    Unreachable { url: String, reason: String },
    #[error("{url} sent no chat completion: {reason}")]
    Unreadable { url: String, reason: String },
    #[error("no HTTP client can be made: {0}")]
    Client(String),
}

fn again(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| format!(", to be tried again after {wait:?}"))
}
