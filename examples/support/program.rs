//! From `main` to the exit code, the same in every example.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::process::{ExitCode, Termination};

use clap::Parser;

#[path = "arguments.rs"]
mod arguments;

/// Runs `body` with the arguments. When it fails, standard error gets one line that says why, and the exit code is 1.
///
/// `body` returns an [`io::Error`] of its own kind for its output alone, and tells all others in words. So a closed pipe, as
/// after `| head`, is known here: nobody reads what else there is to say, and that is a good end.
pub(crate) fn run<A, T>(name: &str, body: impl FnOnce(A) -> Result<T, Box<dyn Error>>) -> ExitCode
where
    A: Parser,
    T: Termination,
{
    let arguments = match arguments::read(name) {
        Ok(arguments) => arguments,
        Err(exit) => return exit,
    };
    let error = match body(arguments) {
        Ok(done) => return done.report(),
        Err(error) => error,
    };
    match error.downcast_ref::<io::Error>() {
        Some(unwritten) if unwritten.kind() == ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        Some(unwritten) => arguments::complain(&format!("{name}: cannot write the output: {unwritten}")),
        None => arguments::complain(&format!("{name}: {error}")),
    }
    ExitCode::FAILURE
}
