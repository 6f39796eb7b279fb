//! How to choose, with examples that run.

/// Which of the five algorithms to take for a rate, and what each of them admits.
#[doc = ""]
#[doc = include_str!("admissions.svg")]
#[doc = ""]
#[doc = include_str!("choosing_an_algorithm.md")]
#[allow(clippy::doc_markdown, reason = "the names in the plot are text of an SVG")]
pub mod choosing_an_algorithm {}
