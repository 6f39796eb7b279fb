//! What becomes of the work when somebody presses Ctrl-C? Each call is answered, and none is lost in silence.
//!
//! ```sh
//! cargo run --example graceful_shutdown                                   # and press Ctrl-C
//! cargo run --example graceful_shutdown -- --deadline 0.2 --mode process src
//! ```
//!
//! It counts the lines of files, so many a second. With the first Ctrl-C nothing more is let in, and what was submitted has
//! `--deadline` seconds to be done; then the calls that wait are stopped, and those that run go on to their end. With the
//! second, those that run are cut off, and it ends at once. What to look at: [`shutdown`], with `drain` and `stop`;
//! [`Tally`], which `on_done` feeds; and `LineCounter::new`, which keeps Ctrl-C from the children in mode process.
//!
//! It exits with 0 when all files were counted, and with 130 when it was interrupted before.

mod shutdown;
mod tally;

#[path = "../support/files.rs"]
mod files;
#[path = "../support/program.rs"]
mod program;

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use concurry::prelude::*;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use shutdown::{Event, Shutdown};
use tally::Tally;

/// Counts the lines of files, so many files a second, and ends well on Ctrl-C.
#[derive(Parser)]
struct Arguments {
    /// Files, and folders of files; without any, the examples of this repository
    paths: Vec<PathBuf>,
    /// How many files are begun a second
    #[arg(long, value_name = "N", default_value = "20")]
    per_second: u64,
    /// How long what was submitted may go on after the first Ctrl-C
    #[arg(long, value_name = "SECONDS", default_value = "1.5", value_parser = seconds)]
    deadline: Duration,
    /// Where the workers run: thread, async or process
    #[arg(long, default_value = "thread")]
    mode: ExecutionMode,
    /// How many workers
    #[arg(long, value_name = "N", default_value = "2")]
    workers: usize,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| "expected seconds, such as 1.5".to_owned())
}

/// Counts lines.
#[worker]
struct LineCounter {
    /// A terminal sends Ctrl-C to all processes of a program. Who has a handler does not end of it: so a child goes on
    /// with its call, and leaves to its parent what is to be done.
    _interrupts: Signal,
}

#[worker]
impl LineCounter {
    pub(crate) async fn new() -> io::Result<Self> {
        Ok(Self { _interrupts: interrupts()? })
    }

    /// Waits for its turn in the pool's queue, where it can be stopped. One call at a time: a worker is not to have many
    /// files in hand.
    #[limited]
    pub(crate) fn count(&mut self, file: PathBuf) -> io::Result<u64> {
        let (mut file, mut lines, mut line) = (BufReader::new(File::open(file)?), 0, Vec::new());
        loop {
            line.clear();
            match file.read_until(b'\n', &mut line)? {
                0 => return Ok(lines),
                _ => lines += 1,
            }
        }
    }
}

/// Has to be called on a tokio runtime, as in a constructor that is async.
fn interrupts() -> io::Result<Signal> {
    signal(SignalKind::interrupt())
}

fn main() -> ExitCode {
    program::run("graceful_shutdown", |arguments: Arguments| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| format!("no runtime can be started: {error}"))?;
        let ended = runtime.block_on(count_all(arguments));
        // Its end would wait for what is cut off in mode async.
        runtime.shutdown_background();
        ended
    })
}

async fn count_all(arguments: Arguments) -> Result<ExitCode, Box<dyn Error>> {
    // Before anything is begun, so that no Ctrl-C ends the program between.
    let mut interrupts = interrupts().map_err(|error| format!("Ctrl-C cannot be handled: {error}"))?;
    let files = all_files(&arguments.paths)?;
    let rate =
        CallLimit::new(arguments.per_second, Window::SECOND).algorithm(RateLimitAlgorithm::TokenBucket);
    let rate = LimitSet::builder().limit(rate).build()?;
    let counter = LineCounter::options(arguments.mode, rate, arguments.workers).init()?;

    let (tell, mut told) = mpsc::unbounded_channel();
    let calls: Vec<Call<u64, io::Error>> = files.iter().map(|file| counter.count(file.clone())).collect();
    for (file, call) in files.into_iter().zip(&calls) {
        let tell = tell.clone();
        // Nobody is told when the program ends before, as when its output is closed.
        call.on_done(move |outcome| drop(tell.send(Event::answered(&file, outcome))));
    }
    let mut out = io::stdout();
    writeln!(out, "{} files submitted", calls.len())?;

    let mut shutdown = Shutdown::new(counter, arguments.deadline, tell);
    let mut tally = Tally::default();
    while tally.answered() < calls.len() {
        tokio::select! {
            event = told.recv() => match event {
                Some(Event::Answered(end)) => tally.count(end),
                Some(Event::Overdue) => writeln!(out, "the deadline is over: what waits is stopped, what runs goes on")?,
                None => break,
            },
            Some(()) = interrupts.recv() => writeln!(out, "{}", shutdown.interrupt(&calls)?)?,
        }
    }
    writeln!(out, "{} submitted: {tally}", calls.len())?;
    tally.exit()
}

/// The files that are named, and those under the folders that are named.
fn all_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let examples = [Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")];
    let paths = if paths.is_empty() { &examples } else { paths };
    let mut all = Vec::new();
    for path in paths {
        let unreadable = |error| format!("cannot read {}: {error}", path.display());
        if path.metadata().map_err(unreadable)?.is_dir() {
            all.extend(files::under(path).map_err(unreadable)?);
        } else {
            all.push(path.clone());
        }
    }
    Ok(all)
}
