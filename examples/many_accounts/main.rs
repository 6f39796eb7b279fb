//! How much faster are three accounts than one? A text is translated over several accounts, each with its own quotas.
//!
//! ```sh
//! cargo run --example many_accounts                                           # a licence, over three accounts
//! cargo run --example many_accounts -- --accounts mine.toml --mode process --show notes.txt
//! ```
//!
//! Each line of the text is one call to a translation service (to Morse code, made up here). What to look at:
//!
//! * `accounts.toml`: the accounts; a `LimitPool` is read from it, with `balancing = "earliest_available"`;
//! * [`accounts`]: the reading, with errors that tell the place;
//! * [`Translator`]: a worker that asks for "so many characters", and does not care whose;
//! * [`report`]: the table at the end, from the statistics of the pool.

mod accounts;
mod morse;
mod report;

#[path = "../support/program.rs"]
mod program;

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use concurry::prelude::*;
use serde::{Deserialize, Serialize};

use accounts::Accounts;

/// Translates a text to Morse code, line by line, over several accounts of a translation service.
#[derive(Parser)]
struct Arguments {
    /// The text; without it, the licence of this repository
    text: Option<PathBuf>,
    /// The accounts and their limits, in a .toml or .json file; without it, three accounts that are made up
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// How an account is picked: `round_robin`, `random` or `earliest_available`; without it, as the file says
    #[arg(long, value_name = "HOW")]
    balancing: Option<LimitPoolBalancing>,
    /// Where the workers run: sync, thread, async or process
    #[arg(long, default_value = "thread")]
    mode: ExecutionMode,
    /// How many workers; without it, 8 in modes thread and process, else 1
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Print each line with its account
    #[arg(long)]
    show: bool,
}

/// Calls the translation service.
#[worker]
#[derive(Default)]
struct Translator {}

#[worker]
impl Translator {
    /// Waits for the first account that has so many characters left.
    pub(crate) async fn translate(&self, line: String) -> Result<Translation, LimitError> {
        let characters = line.chars().count() as u64;
        let mut acquired = self.limits.acquire_async([("characters", characters)]).await?;
        let account = acquired.config()["account"].as_str().unwrap_or_default().to_owned();
        let code = morse::code(&line);
        acquired.update([("characters", characters)])?;
        acquired.release()?;
        Ok(Translation { account, code })
    }
}

#[derive(Serialize, Deserialize)]
struct Translation {
    account: String,
    code: String,
}

fn main() -> ExitCode {
    program::run("many_accounts", translate)
}

fn translate(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let Accounts { mut limits, names } = Accounts::load(arguments.accounts.as_deref())?;
    if let Some(balancing) = arguments.balancing {
        limits = limits.load_balancing(balancing);
    }
    let lines = lines(&arguments)?;
    let workers = arguments.workers.map_or(default_workers(arguments.mode), Workers::Exactly);
    let translator = Translator::options(arguments.mode, limits.clone(), workers).init()?;

    let mut out = io::stdout().lock();
    let (mut calls, mut failures) = (vec![0; names.len()], Vec::new());
    let outcomes = submit_all(&lines, 64, |line| translator.translate(line.clone()));
    for (number, outcome) in outcomes.enumerate() {
        match outcome {
            Ok(Translation { account, code }) => {
                if let Some(index) = names.iter().position(|name| *name == account) {
                    calls[index] += 1;
                }
                if arguments.show {
                    writeln!(out, "{account}: {code}")?;
                }
            }
            Err(error) => failures.push(format!("line {} of the text: {error}", number + 1)),
        }
    }
    write!(out, "{}", report::table(&names, &calls, &limits.stats()))?;
    match failures.first() {
        None => Ok(()),
        Some(first) => Err(format!("{} of {} calls failed; {first}", failures.len(), lines.len()).into()),
    }
}

/// What there is to translate: the lines that are not blank.
fn lines(arguments: &Arguments) -> Result<Vec<String>, String> {
    let text = match &arguments.text {
        Some(file) => {
            fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?
        }
        None => include_str!("../../LICENSE-APACHE").to_owned(),
    };
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

fn default_workers(mode: ExecutionMode) -> Workers {
    match mode {
        ExecutionMode::Thread | ExecutionMode::Process => Workers::Exactly(8),
        // One async worker makes any number of calls side by side.
        _ => Workers::Exactly(1),
    }
}
