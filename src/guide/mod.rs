//! How to begin and how to choose, with examples that run.

/// From the first worker to many accounts, a step at a time.
#[doc = ""]
#[doc = include_str!("getting_started.md")]
pub mod getting_started {}

/// Which of the five algorithms to take for a rate, and what each of them admits.
#[doc = ""]
#[doc = include_str!("admissions.svg")]
#[doc = ""]
#[doc = include_str!("choosing_an_algorithm.md")]
#[allow(clippy::doc_markdown, reason = "the names in the plot are text of an SVG")]
pub mod choosing_an_algorithm {}
