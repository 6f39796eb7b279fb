//! What a server says about its limits, and how it says it.
//!
//! * [`Feedback`]: what was said, in the keys of a set; told by
//!   [`LimitSetAcquisition::feedback`](crate::LimitSetAcquisition::feedback) and [`LimitSet::feedback`](crate::LimitSet::feedback).
//! * [`FeedbackHeaders`]: reads it from the headers of a response. The dialects, a file each: `openai`, `anthropic`,
//!   `github`, `ietf`.
//! * `said`: the headers that were said, by name. `heard`: what was understood of them. `time`: every form of a time in them.
//! * [`FeedbackError`]: a header that says nothing that can be understood.

mod anthropic;
mod error;
mod github;
mod headers;
mod heard;
mod ietf;
mod openai;
mod said;
mod time;
mod word;

pub use error::FeedbackError;
pub use headers::FeedbackHeaders;
pub use word::Feedback;
pub(crate) use word::Word;
