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

#[test]
fn nobody_needs_to_read_the_others_either() {
    support::ends_well_when_nobody_reads("checksums", &[]);
    support::ends_well_when_nobody_reads("money_budget", &[]);
    let picture = support::Folder::new("unread");
    support::ends_well_when_nobody_reads("admission_plot", &[&picture.path("picture.svg")]);
}

#[test]
fn each_tells_its_options() {
    let examples = [
        "admission_plot",
        "checksums",
        "crawler",
        "graceful_shutdown",
        "llm_batch",
        "many_accounts",
        "money_budget",
        "pipeline",
        "retries",
        "streaming",
    ];
    for name in examples {
        let help = support::run(name, &["--help"]).good();
        assert!(help.contains(&format!("Usage: {name}")) && help.contains("--help"), "{help}");
        assert!(include_str!("../../README.md").contains(&format!("--example {name}")), "{name}");
    }
}
