//! A server with the chat-completions API of `OpenAI`, for trying things without one.
//!
//! It has two regions, each with quotas of its own, which it enforces strictly: a call that comes too early, by whatever
//! little, is answered with 429 and Retry-After. When told so, it fails some calls on purpose.
//!
//! * [`answer`]: what it says, how many tokens that takes, and how long.
//! * [`bucket`]: a rate, counted exactly.
//! * [`faults`]: the calls that it fails on purpose.
//! * [`region`]: admits a call, or refuses it.
//! * [`api`]: HTTP in and out.
//! * [`embedded`]: the thread that it runs on.

mod answer;
mod api;
mod bucket;
mod embedded;
mod faults;
mod region;

pub(crate) use answer::tokens;
pub(crate) use embedded::{Served, Server};
