//! What the quotas make necessary, and what it took.

use std::time::Duration;

use concurry::CallError;

use crate::Done;
use crate::cli::Job;
use crate::client::{self, LlmError, Reply};
use crate::quotas::{CONNECTIONS, Quotas, Region};

const MINUTE: u128 = Duration::from_secs(60).as_nanos();

/// The figures of a whole job.
pub(crate) struct Numbers {
    pub(crate) regions: Vec<Part>,
    /// All regions together.
    pub(crate) all: Part,
    /// From the first submission to the last answer.
    pub(crate) taken: Duration,
    /// How many calls can be on their way at the same time, by connections and by workers.
    pub(crate) lanes: usize,
    /// What those lanes make necessary: the time of all calls, one after the other in each lane.
    pub(crate) by_lanes: Duration,
    pub(crate) submitted: usize,
    /// How often a call was tried again.
    pub(crate) retried: u64,
    /// The first failure of a call, and how many there were.
    pub(crate) failure: Option<String>,
    pub(crate) failed: usize,
}

/// The figures of a region, or of all.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) requests: u64,
    pub(crate) tokens: u64,
    /// Attempts that were answered with 429.
    pub(crate) refused: usize,
    /// How much of the quota was used that there was in the time taken, 1 for all of it.
    pub(crate) requests_used: f64,
    pub(crate) tokens_used: f64,
    /// What each quota alone makes necessary.
    pub(crate) by_requests: Duration,
    pub(crate) by_tokens: Duration,
    /// Sorted times of the HTTP calls, and of waiting for the limits.
    pub(crate) latencies: Vec<Duration>,
    pub(crate) waits: Vec<Duration>,
    /// When, after the start, how many tokens were admitted; sorted by time.
    pub(crate) admissions: Vec<(Duration, u64)>,
}

impl Numbers {
    pub(crate) fn of(job: &Job, quotas: &Quotas, regions: &[Region], done: &Done) -> Self {
        let parts =
            regions.iter().map(|region| Part::of(region.name, 1, quotas, done, |name| name == region.name));
        let regions: Vec<Part> = parts.collect();
        let mut all = Part::of("both", regions.len() as u64, quotas, done, |_| true);
        all.refused = regions.iter().map(|region| region.refused).sum();

        let lanes = job.calls_at_once().min(regions.len() * CONNECTIONS);
        let served = replies(done).map(|reply| reply.served_in.unwrap_or(reply.latency)).sum::<Duration>();
        let failures: Vec<_> = done.outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        Self {
            regions,
            all,
            taken: done.taken,
            lanes,
            by_lanes: served / u32::try_from(lanes).unwrap_or(u32::MAX).max(1),
            submitted: done.outcomes.len(),
            retried: done.retried,
            failure: failures.first().map(ToString::to_string),
            failed: failures.len(),
        }
    }

    /// What the quotas alone make necessary.
    pub(crate) fn necessary(&self) -> Duration {
        self.all.necessary()
    }

    /// What the quotas and the lanes make necessary, whatever the client does.
    pub(crate) fn floor(&self) -> Duration {
        self.necessary().max(self.by_lanes)
    }
}

impl Part {
    fn of(
        name: &'static str,
        regions: u64,
        quotas: &Quotas,
        done: &Done,
        mine: impl Fn(&str) -> bool,
    ) -> Self {
        let replies: Vec<&Reply> = replies(done).filter(|reply| mine(&reply.region)).collect();
        // Those that may be tried again are counted as they are judged, and a call with one attempt is not judged.
        let refused = done.outcomes.iter().filter_map(|outcome| refused_by(outcome.as_ref().err()?));
        let refused = refused.filter(|region| mine(region)).count() + client::refused(name);
        let (requests, tokens) = (replies.len() as u64, replies.iter().map(|reply| reply.tokens).sum());
        let (request_quota, token_quota) = (quotas.requests_per_minute, quotas.tokens_per_minute);
        let after_start = |reply: &&Reply| {
            (Duration::from_nanos(reply.admitted_at.saturating_sub(done.started_at)), reply.tokens)
        };
        Self {
            name,
            requests,
            tokens,
            refused,
            requests_used: utilisation(requests, regions * request_quota, done.taken),
            tokens_used: utilisation(tokens, regions * token_quota, done.taken),
            // Calls are whole: of several regions, one has to take at least this many.
            by_requests: necessary(requests.div_ceil(regions), request_quota),
            by_tokens: necessary(tokens, regions * token_quota),
            latencies: sorted(replies.iter().map(|reply| reply.latency)),
            waits: sorted(replies.iter().map(|reply| reply.waited)),
            admissions: sorted(replies.iter().map(after_start)),
        }
    }

    pub(crate) fn necessary(&self) -> Duration {
        self.by_requests.max(self.by_tokens)
    }
}

/// The value below which `percent` of the sorted `values` lie; zero of none.
pub(crate) fn percentile(values: &[Duration], percent: usize) -> Duration {
    let rank = (values.len() * percent).div_ceil(100);
    values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// How long it takes until `total` are admitted, when one minute's quota may be used at once.
fn necessary(total: u64, quota: u64) -> Duration {
    let nanos = u128::from(total.saturating_sub(quota)) * MINUTE / u128::from(quota.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn utilisation(total: u64, quota: u64, taken: Duration) -> f64 {
    float(total) / (float(quota) * (1.0 + taken.as_secs_f64() / 60.0))
}

#[expect(clippy::cast_precision_loss, reason = "for a percentage or a pixel")]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

fn sorted<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values
}

fn replies(done: &Done) -> impl Iterator<Item = &Reply> {
    done.outcomes.iter().filter_map(|outcome| outcome.as_ref().ok())
}

/// The region that refused a call with 429 in its only attempt, if that is what happened.
fn refused_by(error: &CallError<LlmError>) -> Option<&str> {
    match error {
        CallError::Failed(LlmError::RateLimited { region, .. }) => Some(region),
        _ => None,
    }
}
