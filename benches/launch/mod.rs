//! Runs the measurements of the workspace in `benches/peers`, which has the crates that we compare ourselves to. Arguments choose
//! groups by a part of their title; `R=n` sets the samples a row.

use std::process::{Command, ExitCode};

/// Runs the binaries of these names there, one after the other.
pub(crate) fn launch(binaries: &[&str]) -> ExitCode {
    // Under `cargo test --benches` there is nothing to prove: this measures.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let ends = binaries.iter().map(|binary| run(binary));
    ends.fold(ExitCode::SUCCESS, |all, end| if end == ExitCode::SUCCESS { all } else { end })
}

fn run(binary: &str) -> ExitCode {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/Cargo.toml");
    let status = Command::new(cargo)
        .args(["run", "--release", "--quiet", "--manifest-path", manifest, "--bin", binary, "--"])
        .args(std::env::args().skip(1))
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            eprintln!("the measurements ended with {status}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("cannot run cargo for the measurements: {error}");
            ExitCode::FAILURE
        }
    }
}
