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
//! * [`client`]: the `#[worker]`, which acquires limits, makes the call and tells the real usage;
//! * [`quotas`]: the `LimitPool` of two regions;
//! * [`server`]: the API that is used without `--base-url`, which enforces the quotas strictly;
//! * [`numbers`] and [`report`]: what the quotas make necessary, and what it took; [`plot`] draws it.
//!
//! It exits with 0 only when every call succeeded, no quota was broken and, against the server inside, the job took at
//! most 5 % (and 0.3 s) longer than the quotas make necessary.

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

fn main() -> ExitCode {
    let job = match cli::parse() {
        Ok(job) => job,
        Err(exit) => return exit,
    };
    match run(&job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("llm_batch: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The whole job. What is broken at its end is an error too.
fn run(job: &Job) -> Result<(), Box<dyn Error>> {
    let mut batch = prompts::collect(&job.path, job.limit)?;
    let quotas = Quotas::of(job, &batch)?;
    quotas.arrange(&mut batch.prompts, job.max_tokens);

    let server = if job.base_urls.is_empty() { Some(Server::start(&quotas)?) } else { None };
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
    text::print(&report::table(&numbers));
    if let Some(file) = &job.plot {
        plot::draw(file, &numbers, &quotas)?;
    }
    if let Some(file) = &job.answers {
        answers::write(file, &paths, &done.outcomes)?;
    }
    report::verdict(&numbers, server.is_some()).map_or(Ok(()), |broken| Err(broken.into()))
}

/// What came of the batch.
struct Done {
    outcomes: Vec<Outcome<Reply, LlmError>>,
    /// From the first submission to the last answer.
    taken: Duration,
    /// The first submission, in nanoseconds of Unix time, so that worker processes can be compared with it.
    started_at: u64,
}

/// Starts the pool, submits every prompt, and waits for all answers.
fn complete_all(job: &Job, batch: Batch, limits: LimitPool, settings: Settings) -> Result<Done, InitError> {
    let llm = Llm::options(job.mode, limits, job.workers).name("llm").init(settings)?;
    let clock = clock::system();
    let (start, started_at) = (clock.now(), client::unix_nanos());
    let calls: Vec<_> = batch.prompts.into_iter().map(|prompt: Prompt| llm.complete(prompt)).collect();
    let outcomes = gather(calls).progress("prompts").outcomes();
    let taken = clock.now() - start;
    llm.stop();
    Ok(Done { outcomes, taken, started_at })
}
