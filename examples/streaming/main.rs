//! Can the input be endless? Numbers are factored as they come in, a bounded number at a time.
//!
//! ```sh
//! cargo run --example streaming                            # the numbers from 1 on, a hundred of them
//! cargo run --example streaming -- --endless | head -3     # all of them, as far as anybody wants to read
//! seq 999999999900 999999999999 | cargo run --release --example streaming -- --unordered --mode process -
//! ```
//!
//! What to look at: `submit_all`, which takes a line from the input whenever a call may be submitted, so that no more lines
//! and results are held in memory than may be in flight; `.unordered()`, by which no result waits for a slower one before
//! it; and `factor_all`, which ends in silence when nobody reads any more.
//!
//! The input is asked for the next line before a result is waited for, until `--in-flight` of them are on their way: where
//! lines come slowly, as from a keyboard, `--in-flight 1` answers each at once.

mod numbers;

#[path = "../support/program.rs"]
mod program;

use std::cell::RefCell;
use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use concurry::prelude::*;

use numbers::{Factors, NoNumber, factors};

/// Factors numbers, one a line, as they come in.
#[derive(Parser)]
struct Arguments {
    /// A file, or `-` for standard input; without it, the numbers from 1 on
    input: Option<PathBuf>,
    /// Print each result when it is there, with the number of its line, instead of in the order of the lines
    #[arg(long)]
    unordered: bool,
    /// How many lines are in flight at most
    #[arg(long, value_name = "N", default_value = "16", value_parser = clap::value_parser!(u32).range(1..))]
    in_flight: u32,
    /// Take so many lines only
    #[arg(
        long,
        value_name = "N",
        default_value = "100",
        default_value_if("input", clap::builder::ArgPredicate::IsPresent, None)
    )]
    take: Option<u64>,
    /// Without an input: all numbers, and not a hundred
    #[arg(long, conflicts_with_all = ["take", "input"])]
    endless: bool,
    /// Where the workers run: sync, thread, async or process
    #[arg(long, default_value = "thread")]
    mode: ExecutionMode,
}

/// In any mode: arguments and result can travel.
#[task]
fn factor(line: String) -> Result<Factors, NoNumber> {
    factors(&line)
}

fn main() -> ExitCode {
    program::run("streaming", factor_all)
}

fn factor_all(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let take = if arguments.endless { None } else { arguments.take };
    let input = lines(arguments.input.as_deref())?;
    let workers = factor::options(arguments.mode, (), Workers::Default).init()?;

    // What breaks the input ends it; the lines before it are answered first.
    let broken = RefCell::new(None);
    let lines = input.map_while(|line| line.map_err(|error| broken.replace(Some(error))).ok());
    let lines = lines.take(take.map_or(usize::MAX, |take| usize::try_from(take).unwrap_or(usize::MAX)));
    let in_flight = usize::try_from(arguments.in_flight).unwrap_or(usize::MAX);
    let outcomes = submit_all(lines, in_flight, |line| workers.call(line));

    let mut out = Printer { out: io::stdout().lock(), done: 0, failed: 0, first: None };
    if arguments.unordered {
        outcomes.unordered().try_for_each(|(index, outcome)| out.print(index, &outcome, true))?;
    } else {
        outcomes.enumerate().try_for_each(|(index, outcome)| out.print(index, &outcome, false))?;
    }
    match (broken.take(), out.first) {
        (Some(error), _) => Err(format!("the input broke off after {} lines: {error}", out.done).into()),
        (None, Some(first)) => Err(format!("{} of {} lines failed; {first}", out.failed, out.done).into()),
        (None, None) => Ok(()),
    }
}

/// The lines of the input; of an endless one, one after the other.
fn lines(input: Option<&Path>) -> Result<Box<dyn Iterator<Item = io::Result<String>>>, String> {
    Ok(match input {
        None => Box::new((1_u64..).map(|number| Ok(number.to_string()))),
        Some(path) if path.as_os_str() == "-" => Box::new(io::stdin().lines()),
        Some(path) => {
            let file = File::open(path);
            let file = file.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            Box::new(BufReader::new(file).lines())
        }
    })
}

/// Prints results as they come.
struct Printer<W> {
    out: W,
    done: usize,
    failed: usize,
    /// The first failure.
    first: Option<String>,
}

impl<W: Write> Printer<W> {
    /// Prints a result, and keeps the first failure for the end.
    fn print(
        &mut self,
        index: usize,
        outcome: &Outcome<Factors, NoNumber>,
        numbered: bool,
    ) -> io::Result<()> {
        self.done += 1;
        match outcome {
            Ok(factors) if numbered => writeln!(self.out, "line {}: {factors}", index + 1)?,
            Ok(factors) => writeln!(self.out, "{factors}")?,
            Err(error) => {
                self.failed += 1;
                self.first.get_or_insert_with(|| format!("line {}: {error}", index + 1));
            }
        }
        self.out.flush()
    }
}
