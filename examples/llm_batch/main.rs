//! A batch of prompts for a chat-completions API, as fast as the quotas of two regions allow.
//!
//! ```sh
//! cargo run --release --example llm_batch                      # this repository, against a server inside the example
//! cargo run --release --example llm_batch -- --mode process --plot admissions.svg ~/notes
//! cargo run --release --example llm_batch -- --base-url https://api.example.com --api-key-env API_KEY \
//!     --requests-per-minute 500 --tokens-per-minute 200000 --model some-model --answers answers.jsonl ~/notes
//! ```
//!
//! Each text file becomes one prompt, "Summarise this file in one sentence". What to look at:
//!
//! * [`client`]: the `#[worker]`, which acquires limits, makes the call and tells the real usage, and whose `#[retry]` says
//!   which failures are worth another attempt, and when;
//! * [`quotas`]: the `LimitPool` of two regions, which asks whichever admits first;
//! * [`server`]: the API that is used without `--base-url`, which enforces the quotas strictly, and fails on purpose as
//!   often as `--failures` says;
//! * [`numbers`] and [`report`]: what the quotas make necessary, and what it took; [`plot`] draws it.
//!
//! It exits with 0 only when every call succeeded in the end. Against the server inside, no quota may have been broken
//! either, and the job took at most 5 % (and 0.3 s) longer than the quotas make necessary; with `--failures`, the time is
//! told, but not judged.

mod answers;
mod cli;
mod client;
mod numbers;
mod plot;
mod prompts;
mod quotas;
mod report;
mod server;
mod text;

#[path = "../support/arguments.rs"]
mod arguments;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use concurry::clock;
use concurry::prelude::*;

use cli::Job;
use client::{Llm, LlmError, Prompt, Reply, Settings};
use numbers::Numbers;
use prompts::Batch;
use quotas::{Quotas, Region};
use server::Server;

/// How long a call waits before it is tried again, unless the server says.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let job = match cli::parse() {
        Ok(job) => job,
        Err(exit) => return exit,
    };
    match run(&job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            arguments::complain(&format!("llm_batch: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The whole job. What is broken at its end is an error too.
fn run(job: &Job) -> Result<(), Box<dyn Error>> {
    let mut batch = prompts::collect(&job.path, job.limit)?;
    let quotas = Quotas::of(job, &batch)?;
    quotas.arrange(&mut batch.prompts, job.max_tokens);

    let server = if job.base_urls.is_empty() { Some(Server::start(&quotas, job)?) } else { None };
    let regions = match &server {
        Some(server) => server.regions(),
        None => Region::both(&job.base_urls),
    };
    let settings = Settings::of(job);
    if server.is_none() {
        client::reach(&settings, &regions)?;
    }
    text::print(&report::header(job, &batch, &quotas, &regions));

    let paths: Vec<String> = batch.prompts.iter().map(|prompt| prompt.path.clone()).collect();
    let done = complete_all(job, batch, quotas.limits(&regions)?, settings)?;
    let numbers = Numbers::of(job, &quotas, &regions, &done);
    let refusals = server.as_ref().map(Server::served);
    text::print(&report::table(&numbers));
    text::print(&report::failures(&numbers, refusals.as_ref()));
    if let Some(file) = &job.plot {
        plot::draw(file, &numbers, &quotas)?;
    }
    if let Some(file) = &job.answers {
        answers::write(file, &paths, &done.outcomes)?;
    }
    report::verdict(&numbers, refusals.as_ref()).map_or(Ok(()), |broken| Err(broken.into()))
}

/// What came of the batch.
struct Done {
    outcomes: Vec<Outcome<Reply, LlmError>>,
    /// How often a call was tried again.
    retried: u64,
    /// From the first submission to the last answer.
    taken: Duration,
    /// The first submission, in nanoseconds of Unix time, so that worker processes can be compared with it.
    started_at: u64,
}

/// Starts the pool, submits every prompt, and waits for all answers.
fn complete_all(job: &Job, batch: Batch, limits: LimitPool, settings: Settings) -> Result<Done, InitError> {
    let retry = Retry::exponential(job.attempts).wait(FIRST_WAIT).max_wait(LONGEST_WAIT);
    let llm = Llm::options(job.mode, limits, job.workers).retry(retry).name("llm").init(settings)?;
    let clock = clock::system();
    let (start, started_at) = (clock.now(), client::unix_nanos());
    let calls: Vec<_> = batch.prompts.into_iter().map(|prompt: Prompt| llm.complete(prompt)).collect();
    let outcomes = gather(calls).progress("prompts").outcomes();
    let taken = clock.now() - start;
    let retried = llm.stats().retried;
    llm.stop();
    Ok(Done { outcomes, retried, taken, started_at })
}
