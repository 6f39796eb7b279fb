//! What is printed: before the job, after it, and what was broken.

use std::time::Duration;

use crate::cli::Job;
use crate::numbers::{Numbers, Part, percentile};
use crate::prompts::Batch;
use crate::quotas::{CONNECTIONS, Quotas, Region};
use crate::server::Served;
use crate::text::{counted, grouped, time};

/// How much longer than necessary the job may take: 5 % for the margin and the tail, and the last answer's own time.
const SLACK: f64 = 0.05;
const LAST_ANSWER: Duration = Duration::from_millis(300);

/// What is going to be done.
pub(crate) fn header(job: &Job, batch: &Batch, quotas: &Quotas, regions: &[Region]) -> String {
    let mut skipped = Vec::new();
    for (count, what) in [(batch.binary, "binary"), (batch.empty, "empty"), (batch.unreadable, "unreadable")]
    {
        if count > 0 {
            skipped.push(format!("{count} {what}"));
        }
    }
    let skipped =
        if skipped.is_empty() { String::new() } else { format!("; left out: {}", skipped.join(", ")) };
    let chosen = if quotas.chosen { " (chosen from the batch, to take about 15 s)" } else { "" };
    let urls: Vec<&str> = regions.iter().map(|region| region.base_url.as_str()).collect();
    let served = if job.base_urls.is_empty() { "the server inside" } else { job.model.as_str() };
    format!(
        "prompts  {} of {}, {} cut to the context window{skipped}\n\
         workers  {} in mode {}, {} a prompt at most\n\
         API      {served} at {}\n\
         quotas   a region: {} requests and {} tokens a minute, {CONNECTIONS} connections{chosen}\n\
         limits   the same, but refilled 1 % slower: a strict server refuses what the network brings early\n\n",
        counted(batch.prompts.len(), "text file"),
        job.path.display(),
        batch.cut,
        job.workers,
        job.mode,
        counted(job.attempts as usize, "attempt"),
        urls.join(" and "),
        grouped(quotas.requests_per_minute),
        grouped(quotas.tokens_per_minute),
    )
}

/// What was done: a line a region, one for both, and what was necessary.
pub(crate) fn table(numbers: &Numbers) -> String {
    let mut lines = vec![
        line(["", "", "", "", "quota used", "", "time", "time", "HTTP call", "", "wait for", "limits"]),
        line([
            "region",
            "requests",
            "tokens",
            "429s",
            "requests",
            "tokens",
            "necessary",
            "taken",
            "p50",
            "p99",
            "p50",
            "p99",
        ]),
    ];
    let parts = numbers.regions.iter().chain([&numbers.all]);
    lines.extend(parts.map(|part| row(part, numbers.taken)));

    let (necessary, taken) = (numbers.necessary(), numbers.taken);
    let over = taken.as_secs_f64() - necessary.as_secs_f64();
    let percent = over / necessary.as_secs_f64() * 100.0;
    let percent = if necessary.is_zero() { String::new() } else { format!(", {percent:.1} %") };
    lines.push(format!(
        "\nThe quotas alone make {} necessary (tokens {}, requests {}); the server works for {}, with {} at a time.",
        time(necessary),
        time(numbers.all.by_tokens),
        time(numbers.all.by_requests),
        time(numbers.by_lanes),
        counted(numbers.lanes, "call"),
    ));
    lines.push(format!(
        "It took {}: {over:.2} s{percent} over what the quotas make necessary.\n",
        time(taken)
    ));
    lines.join("\n")
}

fn line(cells: [&str; 12]) -> String {
    let [name, rest @ ..] = cells;
    let widths = [8, 11, 5, 12, 8, 11, 9, 11, 8, 10, 8];
    let rest = rest.iter().zip(widths).map(|(cell, width)| format!(" {cell:>width$}"));
    format!("{name:9}{}", rest.collect::<String>())
}

fn row(part: &Part, taken: Duration) -> String {
    let at = |values: &[Duration], percent| time(percentile(values, percent));
    line([
        part.name,
        &grouped(part.requests),
        &grouped(part.tokens),
        &part.refused.to_string(),
        &format!("{:.1} %", part.requests_used * 100.0),
        &format!("{:.1} %", part.tokens_used * 100.0),
        &time(part.necessary()),
        &time(taken),
        &at(&part.latencies, 50),
        &at(&part.latencies, 99),
        &at(&part.waits, 50),
        &at(&part.waits, 99),
    ])
}

/// What went wrong on the way, if anything did.
pub(crate) fn failures(numbers: &Numbers, served: Option<&Served>) -> String {
    let mut lines = Vec::new();
    if let Some(Served { errors, busy, .. }) = served.filter(|served| is_failed(served)) {
        lines
            .push(format!("On purpose, the server failed {errors} requests with 500 and {busy} with 429.\n"));
    }
    if numbers.retried > 0 {
        let retried = usize::try_from(numbers.retried).unwrap_or(usize::MAX);
        lines.push(format!("What had failed was tried again, with {}.\n", counted(retried, "more attempt")));
    }
    lines.concat()
}

fn is_failed(served: &Served) -> bool {
    served.errors + served.busy > 0
}

/// One line that says what was broken, if anything was. Quotas and time are judged only where the quotas are known to be
/// the server's own and nobody else uses them, and the time where nothing was failed on purpose.
pub(crate) fn verdict(numbers: &Numbers, served: Option<&Served>) -> Option<String> {
    let submitted = counted(numbers.submitted, "call");
    if let Some(refused) = served.map(|served| served.refused).filter(|refused| *refused > 0) {
        return Some(format!("a quota was broken: {refused} requests for {submitted} were refused with 429"));
    }
    if let Some(first) = &numbers.failure {
        return Some(format!("{} of {submitted} failed; the first: {first}", numbers.failed));
    }
    let allowed = numbers.floor().mul_f64(1.0 + SLACK) + LAST_ANSWER;
    // A job that fits into the bursts is held back by nothing that could be measured against.
    let judged = served.is_some_and(|served| !is_failed(served)) && !numbers.necessary().is_zero();
    if judged && numbers.taken > allowed {
        let (taken, floor) = (time(numbers.taken), time(numbers.floor()));
        return Some(format!(
            "too slow: it took {taken}, where {floor} were necessary and {} allowed",
            time(allowed)
        ));
    }
    None
}
