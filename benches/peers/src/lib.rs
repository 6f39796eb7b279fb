//! Rows of a table, measured side by side.
//!
//! The candidates of a group take turns, sample by sample, so that whatever else the machine does hits all alike. Printed
//! are the median, the smallest and the largest sample, and the ratio of the median to that of the group's first row.

pub mod actors;
#[cfg(target_os = "linux")]
pub mod bare;

use std::hint::black_box;
use std::time::Instant;

/// Samples a row, unless the environment variable `R` says otherwise.
const SAMPLES: usize = 11;

/// One row: a name, and what takes one sample in nanoseconds an operation.
pub struct Row<'a> {
    name: &'a str,
    sample: Box<dyn FnMut() -> f64 + 'a>,
}

/// A row that repeats `operation` on this thread, `count` times a sample.
pub fn repeat<'a, T>(name: &'a str, count: u32, mut operation: impl FnMut() -> T + 'a) -> Row<'a> {
    let sample = move || {
        let start = Instant::now();
        for _ in 0..count {
            black_box(operation());
        }
        start.elapsed().as_nanos() as f64 / f64::from(count)
    };
    Row { name, sample: Box::new(sample) }
}

/// A row whose `batch` does `count` operations and returns when all are done.
pub fn batch<'a, T>(name: &'a str, count: u32, mut batch: impl FnMut(u32) -> T + 'a) -> Row<'a> {
    let sample = move || {
        let start = Instant::now();
        black_box(batch(count));
        start.elapsed().as_nanos() as f64 / f64::from(count)
    };
    Row { name, sample: Box::new(sample) }
}

/// Measures a group and prints it.
pub fn group(title: &str, mut rows: Vec<Row<'_>>) {
    let filters: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if !filters.is_empty() && !filters.iter().any(|filter| title.contains(filter)) {
        return;
    }
    let samples = std::env::var("R").ok().and_then(|text| text.parse().ok()).unwrap_or(SAMPLES).max(1);
    let mut taken: Vec<Vec<f64>> = vec![Vec::new(); rows.len()];
    for round in 0..=samples {
        for (row, taken) in rows.iter_mut().zip(&mut taken) {
            let sample = (row.sample)();
            if round > 0 {
                taken.push(sample); // the first round warms up
            }
        }
    }
    println!("\n{title}");
    let mut base = None;
    for (row, taken) in rows.iter().zip(&mut taken) {
        taken.sort_by(f64::total_cmp);
        let median = taken[taken.len() / 2];
        let base = *base.get_or_insert(median);
        let (least, most) = (taken[0], taken[taken.len() - 1]);
        println!("  {:<58} {median:>10.1} ns  [{least:.1} .. {most:.1}]  x {:.2}", row.name, median / base);
    }
}

/// Samples in nanoseconds of which the median and the 99th percentile count; `note` says what else was seen.
pub struct Latencies {
    /// One a repetition.
    pub samples: Vec<u64>,
    /// What else was seen, such as a rate.
    pub note: String,
}

/// A row of latencies: a name, and what takes one series.
pub type LatencyRow<'a> = (&'a str, Box<dyn FnMut() -> Latencies + 'a>);

/// Measures series of latencies and prints their medians, with the ratio to that of the first row. Each row has so many turns: what
/// the machine does beside it meets all of them.
pub fn latencies(title: &str, turns: usize, rows: Vec<LatencyRow<'_>>) {
    let filters: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if !filters.is_empty() && !filters.iter().any(|filter| title.contains(filter)) {
        return;
    }
    println!("\n{title}");
    let empty = rows.into_iter().map(|row| (row, Vec::new(), String::new()));
    let mut rows: Vec<_> = empty.collect();
    for _ in 0..turns {
        for ((_, series), samples, note) in &mut rows {
            let latencies = series();
            samples.extend(latencies.samples);
            note.push_str(&latencies.note);
            note.push(' ');
        }
    }
    let mut base = None;
    for ((name, _), mut samples, note) in rows {
        samples.sort_unstable();
        let percentile =
            |percent: usize| samples[(samples.len() * percent / 100).min(samples.len() - 1)] as f64 / 1e3;
        let median = percentile(50);
        let base = *base.get_or_insert(median);
        println!(
            "  {name:<58} {median:>8.1} us  p99 {:>8.1} us  x {:.2}  {note}",
            percentile(99),
            median / base
        );
    }
}

/// The memory of this process that is in use, in bytes; 0 where the system does not tell.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() * 1_024
}
