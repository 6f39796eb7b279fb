//! The command line: what is asked for, checked as far as that is possible before the job starts.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use concurry::ExecutionMode;

use crate::arguments;
use crate::quotas::REGIONS;

/// Takes every text file under PATH as a prompt for a chat-completions API of two regions, as fast as their quotas allow.
#[derive(Debug, Parser)]
#[command(name = "llm_batch")]
struct Arguments {
    /// A folder or a file; without it, this repository
    path: Option<PathBuf>,
    /// Where the workers run: sync, thread, async or process
    #[arg(long, default_value = "thread")]
    mode: ExecutionMode,
    /// How many workers; without it, 16 threads or processes, or 1 in modes sync and async
    #[arg(long, value_name = "N", value_parser = count)]
    workers: Option<u64>,
    /// Quota of each region; without it, chosen from the batch (10 % looser than the tokens)
    #[arg(long, value_name = "N", value_parser = count)]
    requests_per_minute: Option<u64>,
    /// Quota of each region; without it, chosen from the batch so that the job takes about 15 s
    #[arg(long, value_name = "N", value_parser = count)]
    tokens_per_minute: Option<u64>,
    /// A server with a chat-completions API as `OpenAI` has it, instead of the one inside; twice for one a region.
    /// The quotas must be given then
    #[arg(long, value_name = "URL")]
    base_url: Vec<String>,
    /// The environment variable that holds the server's API key
    #[arg(long, value_name = "NAME")]
    api_key_env: Option<String>,
    /// How often a prompt is tried at most
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..=1000))]
    attempts: u32,
    /// The share of requests that the server inside fails on purpose, with 500 or 429, 0 to 1
    #[arg(long, value_name = "RATE", default_value = "0", value_parser = rate, conflicts_with = "base_url")]
    failures: f64,
    /// Which requests it fails: the same for the same seed
    #[arg(long, default_value = "1", requires = "failures")]
    seed: u64,
    /// The model
    #[arg(long, default_value = "gpt-4o-mini")]
    model: String,
    /// The most tokens of an answer
    #[arg(long, value_name = "N", default_value = "64", value_parser = count)]
    max_tokens: u64,
    /// Take the first N files only
    #[arg(long, value_name = "N", value_parser = count)]
    limit: Option<u64>,
    /// Draw the admitted tokens over time against the quotas
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Write the answers, one JSON object a line
    #[arg(long, value_name = "FILE.jsonl")]
    answers: Option<PathBuf>,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) path: PathBuf,
    pub(crate) mode: ExecutionMode,
    pub(crate) workers: usize,
    pub(crate) requests_per_minute: Option<u64>,
    pub(crate) tokens_per_minute: Option<u64>,
    /// None for the server inside, else one a region.
    pub(crate) base_urls: Vec<String>,
    pub(crate) api_key: Option<String>,
    pub(crate) attempts: u32,
    /// The share of requests that the server inside fails.
    pub(crate) failures: f64,
    pub(crate) seed: u64,
    pub(crate) model: String,
    pub(crate) max_tokens: u64,
    pub(crate) limit: usize,
    pub(crate) plot: Option<PathBuf>,
    pub(crate) answers: Option<PathBuf>,
}

/// The job, or the exit code of a program that has said on one line what is wrong with its arguments.
pub(crate) fn parse() -> Result<Job, ExitCode> {
    Job::new(arguments::read("llm_batch")?).map_err(|reason| arguments::refuse("llm_batch", &reason))
}

/// A number of things; the bound keeps sums of them far from any overflow.
fn count(text: &str) -> Result<u64, String> {
    const MOST: u64 = 1_000_000_000_000;
    text.parse()
        .ok()
        .filter(|n| (1..=MOST).contains(n))
        .ok_or_else(|| format!("expected a whole number from 1 to {MOST}"))
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
    rate.ok_or_else(|| "expected a share from 0 to 1".to_owned())
}

impl Job {
    fn new(arguments: Arguments) -> Result<Self, String> {
        let mode = arguments.mode;
        if !arguments.base_url.is_empty()
            && (arguments.requests_per_minute.is_none() || arguments.tokens_per_minute.is_none())
        {
            return Err(
                "--base-url needs --requests-per-minute and --tokens-per-minute: the server's own".to_owned()
            );
        }
        if arguments.api_key_env.is_some() && arguments.base_url.is_empty() {
            return Err("--api-key-env needs --base-url: the server inside takes no key".to_owned());
        }
        let workers = arguments.workers.map_or(default_workers(mode), as_size);
        [&arguments.plot, &arguments.answers].into_iter().flatten().try_for_each(|file| writable(file))?;
        Ok(Self {
            path: arguments.path.unwrap_or_else(default_path),
            mode,
            workers,
            requests_per_minute: arguments.requests_per_minute,
            tokens_per_minute: arguments.tokens_per_minute,
            base_urls: base_urls(&arguments.base_url)?,
            api_key: arguments.api_key_env.as_deref().map(api_key).transpose()?,
            attempts: arguments.attempts,
            failures: arguments.failures,
            seed: arguments.seed,
            model: arguments.model,
            max_tokens: arguments.max_tokens,
            limit: arguments.limit.map_or(usize::MAX, as_size),
            plot: arguments.plot,
            answers: arguments.answers,
        })
    }

    /// How many calls can be on their way at the same time, by the workers alone.
    pub(crate) fn calls_at_once(&self) -> usize {
        if self.mode == ExecutionMode::Async { usize::MAX } else { self.workers }
    }
}

fn as_size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn default_workers(mode: ExecutionMode) -> usize {
    match mode {
        // One async worker makes any number of calls side by side.
        ExecutionMode::Sync | ExecutionMode::Async => 1,
        // As many as the two regions take connections.
        _ => 16,
    }
}

/// The repository that this was built from, if it is still there.
fn default_path() -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    if repository.is_dir() { repository } else { Path::new(".") }.to_owned()
}

/// Better to know before the job than after it. Leaves nothing behind.
fn writable(file: &Path) -> Result<(), String> {
    let is_new = !file.exists();
    let opened = File::options().create(true).append(true).open(file).map(drop);
    let outcome = if opened.is_ok() && is_new { std::fs::remove_file(file) } else { opened };
    outcome.map_err(|error| format!("cannot write {}: {error}", file.display()))
}

fn api_key(name: &str) -> Result<String, String> {
    let key = std::env::var(name).ok().filter(|key| !key.is_empty());
    key.ok_or_else(|| format!("the environment variable {name} of --api-key-env is not set, or no text"))
}

/// One URL a region, without what every request appends.
fn base_urls(given: &[String]) -> Result<Vec<String>, String> {
    let urls: Result<Vec<String>, String> = given.iter().map(|url| base_url(url)).collect();
    match urls?.as_slice() {
        [] => Ok(Vec::new()),
        [both] => Ok(vec![both.clone(); REGIONS.len()]),
        urls if urls.len() == REGIONS.len() => Ok(urls.to_vec()),
        urls => {
            Err(format!("--base-url was given {} times, but there are {} regions", urls.len(), REGIONS.len()))
        }
    }
}

fn base_url(text: &str) -> Result<String, String> {
    let wrong = |reason: String| format!("--base-url {text} is no URL of a server: {reason}");
    let url = reqwest::Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("expected http:// or https://".to_owned()));
    }
    let url = url.as_str().trim_end_matches('/');
    Ok(url.strip_suffix("/v1").unwrap_or(url).to_owned())
}
