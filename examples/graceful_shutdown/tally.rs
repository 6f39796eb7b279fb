//! How the calls ended: all of them are in it at the end.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// What a program that an interrupt has ended exits with: 128 and the signal's number.
const INTERRUPTED: u8 = 130;

/// How a call ended.
pub(crate) enum End {
    /// With so many lines.
    Done(u64),
    /// It waited, and did not run any more.
    Stopped,
    /// It ran, and nobody waited for its end.
    CutOff,
    Failed(String),
}

/// The calls that were answered, by how.
#[derive(Default)]
pub(crate) struct Tally {
    done: usize,
    lines: u64,
    stopped: usize,
    cut_off: usize,
    failed: usize,
    first_failure: Option<String>,
}

impl Tally {
    pub(crate) fn count(&mut self, end: End) {
        match end {
            End::Done(lines) => {
                self.done += 1;
                self.lines += lines;
            }
            End::Stopped => self.stopped += 1,
            End::CutOff => self.cut_off += 1,
            End::Failed(reason) => {
                self.failed += 1;
                self.first_failure.get_or_insert(reason);
            }
        }
    }

    pub(crate) fn answered(&self) -> usize {
        self.done + self.stopped + self.cut_off + self.failed
    }

    /// What the program exits with; a failure is an error.
    pub(crate) fn exit(self) -> Result<ExitCode, Box<dyn Error>> {
        match self.first_failure {
            Some(first) => Err(format!("{} of the files cannot be counted; {first}", self.failed).into()),
            None if self.stopped + self.cut_off > 0 => Ok(ExitCode::from(INTERRUPTED)),
            None => Ok(ExitCode::SUCCESS),
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, lines, stopped, cut_off, failed, .. } = self;
        write!(f, "{done} done ({lines} lines), {stopped} stopped, {cut_off} cut off, {failed} failed")
    }
}
