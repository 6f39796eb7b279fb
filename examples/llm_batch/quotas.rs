//! The quotas, and the limits that keep to them.

use std::cmp::Reverse;
use std::time::Duration;

use concurry::LimitSetError;
use concurry::prelude::*;

use crate::cli::Job;
use crate::client::{self, Prompt};
use crate::prompts::Batch;
use crate::server;
use crate::text::grouped;

/// The regions.
pub(crate) const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

/// How many connections each region takes at the same time.
pub(crate) const CONNECTIONS: usize = 8;

/// The limits refill 1 % slower than the quotas do. A call is admitted here and arrives there a little later, one a
/// little more than the other; with the very same rate, a server that counts strictly would at times see the later of two
/// calls come too early. The bursts are whole: only a call that comes after the burst can be early.
const WINDOW: Duration = Duration::from_millis(60_600);

/// A region of the API.
#[derive(Debug, Clone)]
pub(crate) struct Region {
    pub(crate) name: &'static str,
    /// What comes before `/v1/chat/completions`.
    pub(crate) base_url: String,
}

impl Region {
    /// The regions, served at these URLs.
    pub(crate) fn both(base_urls: &[String]) -> Vec<Self> {
        let regions = REGIONS.iter().zip(base_urls);
        regions.map(|(name, base_url)| Self { name, base_url: base_url.clone() }).collect()
    }
}

/// What each region admits. Both start full: a minute's quota may be used at once.
#[derive(Debug, Clone)]
pub(crate) struct Quotas {
    pub(crate) requests_per_minute: u64,
    pub(crate) tokens_per_minute: u64,
    /// Whether any of them was chosen here.
    pub(crate) chosen: bool,
}

impl Quotas {
    /// The quotas of the job: those that were given; others are chosen so that the batch takes about 15 s.
    pub(crate) fn of(job: &Job, batch: &Batch) -> Result<Self, String> {
        let tokens: u64 =
            batch.prompts.iter().map(|prompt| server::tokens(&prompt.text, job.max_tokens)).sum();
        let estimate = |prompt: &Prompt| client::estimate(&prompt.text, job.max_tokens);
        let largest = batch.prompts.iter().map(estimate).max().unwrap_or(1);

        // In time t, both regions admit 2 q (1 + t / 60 s). That is the whole batch after 15 s when q is 2/5 of it.
        let enough = |total: u64| (total * 2).div_ceil(5);
        let requests = (batch.prompts.len() as u64 * 11).div_ceil(10);
        let quotas = Self {
            requests_per_minute: job.requests_per_minute.unwrap_or_else(|| enough(requests)),
            tokens_per_minute: job.tokens_per_minute.unwrap_or_else(|| enough(tokens).max(largest)),
            chosen: job.requests_per_minute.is_none() || job.tokens_per_minute.is_none(),
        };
        if quotas.tokens_per_minute < largest {
            return Err(format!(
                "--tokens-per-minute {} can never admit the largest prompt, which may take {} tokens",
                quotas.tokens_per_minute,
                grouped(largest)
            ));
        }
        Ok(quotas)
    }

    /// Puts the prompts into rounds of about one minute's quota, each with the same mix of sizes, and the longest first.
    ///
    /// Whatever comes last has to wait until all of its tokens are there, so it had better be short. In rounds, since all
    /// long ones first and all short ones last would meet the quota of tokens and then that of requests, one after the
    /// other.
    pub(crate) fn arrange(&self, prompts: &mut Vec<Prompt>, max_tokens: u64) {
        prompts.sort_by_key(|prompt| Reverse(prompt.text.len()));
        let total: u64 = prompts.iter().map(|prompt| client::estimate(&prompt.text, max_tokens)).sum();
        let rounds = total / (2 * REGIONS.len() as u64 * self.tokens_per_minute);
        let rounds = usize::try_from(rounds).unwrap_or(usize::MAX).max(1);
        let mut numbered: Vec<_> = std::mem::take(prompts).into_iter().enumerate().collect();
        numbered.sort_by_key(|(index, _)| index % rounds); // stable: the longest of each round stay first
        prompts.extend(numbered.into_iter().map(|(_, prompt)| prompt));
    }

    /// A set of limits a region, in a pool that asks for whichever admits first.
    pub(crate) fn limits(&self, regions: &[Region]) -> Result<LimitPool, LimitSetError> {
        let bucket = RateLimitAlgorithm::TokenBucket;
        let sets: Result<Vec<LimitSet>, LimitSetError> = regions
            .iter()
            .map(|region| {
                LimitSet::builder()
                    .limit(CallLimit::new(self.requests_per_minute, WINDOW).algorithm(bucket))
                    // An estimate that was too low is no reason to lose the answer: the rest is a debt.
                    .limit(
                        RateLimit::new("tokens", self.tokens_per_minute, WINDOW)
                            .algorithm(bucket)
                            .overrun(Overrun::Debt),
                    )
                    .limit(ResourceLimit::new("connections", CONNECTIONS as u64))
                    .config(json!({ "region": region.name, "base_url": region.base_url }))
                    .build()
            })
            .collect();
        Ok(LimitPool::new(sets?).load_balancing(LimitPoolBalancing::EarliestAvailable))
    }
}
