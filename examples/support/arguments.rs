//! The command line: arguments that are right, or one line that says what is wrong with them.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, error::ErrorKind};

/// The arguments, or the exit code of a program that has said on one line what is wrong with them, or has told its options.
pub(crate) fn read<A: Parser>(name: &str) -> Result<A, ExitCode> {
    A::try_parse().map_err(|error| {
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            // That nobody reads any more, as after `| head`, is no reason to fail.
            drop(std::io::stdout().write_all(error.to_string().as_bytes()));
            return ExitCode::SUCCESS;
        }
        refuse(name, &one_line(&error.to_string()))
    })
}

/// Says why the arguments of `name` will not do; the exit code is 2, as other programs have it.
pub(crate) fn refuse(name: &str, reason: &str) -> ExitCode {
    complain(&format!("{name}: {reason} (--help tells the options)"));
    ExitCode::from(2)
}

/// A line on standard error, which may be closed.
pub(crate) fn complain(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// What clap says, without its hints: the first paragraph, on one line.
fn one_line(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or(text);
    let words: Vec<&str> = paragraph.trim_start_matches("error: ").split_whitespace().collect();
    words.join(" ")
}
