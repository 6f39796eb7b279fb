//! What does each attempt give? Parcels are tracked until they are delivered, at a carrier whose service fails often.
//!
//! ```sh
//! cargo run --example retries
//! cargo run --example retries -- --failures 0.6 --attempts 4 --seed 3 --mode process 1000 1001 77
//! ```
//!
//! What to look at: `track`, whose `#[retry]` says which errors are worth another attempt (`on`), which answers will do
//! (`until`) and how long an error asks to wait (`after`); how many attempts there are is the pool's option. [`carrier`] is
//! the service, made up. [`journal`] keeps what each attempt gave.
//!
//! It exits with 0 when all parcels were delivered.

mod carrier;
mod journal;

#[path = "../support/program.rs"]
mod program;

use std::collections::HashSet;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use concurry::prelude::*;

use carrier::{Carrier, CarrierError, Place, Status};

/// Tracks parcels until they are delivered, at a carrier whose service fails often.
#[derive(Parser)]
struct Arguments {
    /// The parcels' numbers; the carrier's have four digits
    #[arg(default_values_t = [1000, 2001, 3004, 4711])]
    parcels: Vec<u32>,
    /// The share of requests that fail, 0 to 1
    #[arg(long, value_name = "RATE", default_value = "0.3", value_parser = rate)]
    failures: f64,
    /// Which of them fail: the same for the same seed
    #[arg(long, default_value = "7")]
    seed: u64,
    /// How often a parcel is asked for at most
    #[arg(long, value_name = "N", default_value = "8")]
    attempts: u32,
    /// Where the workers run: sync, thread, async or process
    #[arg(long, default_value = "thread")]
    mode: ExecutionMode,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
    rate.ok_or_else(|| "expected a share from 0 to 1".to_owned())
}

/// Asks a carrier, and knows it for as long as it lives.
#[worker]
struct Tracker {
    carrier: Carrier,
}

#[worker]
impl Tracker {
    pub(crate) fn new(seed: u64, failures: f64) -> Self {
        Self { carrier: Carrier::new(seed, failures) }
    }

    /// Asked again until the parcel is delivered.
    #[retry(on = may_pass, until = is_final, after = CarrierError::asks_for)]
    pub(crate) fn track(&mut self, parcel: u32) -> Result<Status, CarrierError> {
        self.carrier.ask(parcel)
    }
}

/// Whether an error is worth another attempt.
fn may_pass(error: &CarrierError, attempt: &Attempt) -> bool {
    journal::note(error.parcel(), attempt, error);
    error.is_transient()
}

/// Whether an answer will do.
fn is_final(status: &Status, attempt: &Attempt) -> bool {
    journal::note(status.parcel, attempt, status.place);
    status.place == Place::Delivered
}

fn main() -> ExitCode {
    program::run("retries", track_all)
}

fn track_all(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { parcels, failures, seed, attempts, mode } = arguments;
    let mut seen = HashSet::new();
    if let Some(parcel) = parcels.iter().find(|parcel| !seen.insert(**parcel)) {
        return Err(format!("parcel {parcel} is given twice").into());
    }
    let retry = Retry::exponential(attempts).wait(Duration::from_millis(20));
    let workers = if matches!(mode, ExecutionMode::Thread | ExecutionMode::Process) { 2 } else { 1 };
    let tracker = Tracker::options(mode, (), workers).retry(retry).init(seed, failures)?;

    let mut out = io::stdout().lock();
    let mut undelivered = 0;
    // All attempts at one parcel go to one worker, which knows what was answered before.
    let outcomes = submit_all(&parcels, 64, |parcel| tracker.affinity(parcel).track(*parcel));
    for (parcel, outcome) in parcels.iter().zip(outcomes) {
        writeln!(out, "parcel {parcel}")?;
        for entry in journal::take(*parcel) {
            writeln!(out, "  {entry}")?;
        }
        undelivered += usize::from(outcome.is_err());
        match outcome {
            Ok(_) => writeln!(out, "  is delivered")?,
            Err(CallError::RetriesExhausted(tried)) => {
                writeln!(out, "  is given up after {} attempts:", tried.attempts().len())?;
                for attempt in tried.attempts() {
                    writeln!(out, "    {}: {}", attempt.end(), told(attempt.verdict()))?;
                }
            }
            Err(error) => writeln!(out, "  is given up: {error}")?,
        }
    }
    let retried = tracker.stats().retried;
    writeln!(out, "{} parcels, {retried} more attempts than parcels", parcels.len())?;
    match undelivered {
        0 => Ok(()),
        _ => Err(format!("{undelivered} of {} parcels were not delivered", parcels.len()).into()),
    }
}

fn told(verdict: AttemptVerdict) -> String {
    match verdict {
        AttemptVerdict::Retried(wait) => format!("asked again after {} ms", wait.as_millis()),
        AttemptVerdict::OutOfAttempts => "that was the last attempt".to_owned(),
        other => format!("{other:?}"),
    }
}
