//! The examples as a user meets them: each with its own input, with bad input, and with nobody to read its output.
//!
//! What is checked are facts (counts, answers, exit codes), never times.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test is its own documentation, and may panic anywhere"
)]

mod crawler;
mod graceful_shutdown;
mod many_accounts;
mod pipeline;
mod retries;
mod streaming;
mod support;
