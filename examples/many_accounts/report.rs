//! The table at the end.

use std::time::Duration;

use concurry::{LimitPoolStats, LimitStats};

/// A line a limit of each account: the calls that it took, and how much of the limit is used.
///
/// `calls` are counted from the answers: the picks in `stats` are those of one pool, and each worker has a pool of its own.
/// The sets in it are shared, so what is used of them is what all workers used.
pub(crate) fn table(names: &[String], calls: &[u64], stats: &LimitPoolStats) -> String {
    let width = names.iter().map(String::len).max().unwrap_or(0).max("account".len());
    let mut lines = Vec::new();
    let mut line = |cells: [&str; 6]| {
        let [account, calls, limit, used, percent, waited] = cells;
        let line = format!("{account:width$} {calls:>7}  {limit:12} {used:>14} {percent:>12} {waited:>10}");
        lines.push(line.trim_end().to_owned());
    };
    line(["account", "calls", "limit", "used now", "utilisation", "mean wait"]);
    for ((name, calls), set) in names.iter().zip(calls).zip(&stats.sets) {
        let (mut name, mut calls) = (name.as_str(), calls.to_string());
        for limit in &set.set.limits {
            let used = format!("{} of {}", limit.in_use, limit.capacity);
            let percent = format!("{:.0} %", limit.utilisation * 100.0);
            let waited = format!("{} ms", mean_wait(limit).as_millis());
            line([name, &calls, &limit.key, &used, &percent, &waited]);
            // Said once an account.
            name = "";
            calls.clear();
        }
    }
    line(["all", &calls.iter().sum::<u64>().to_string(), "", "", "", ""]);
    format!("{}\n\npicked by {}\n", lines.join("\n"), stats.balancing)
}

fn mean_wait(limit: &LimitStats) -> Duration {
    limit.total_wait / u32::try_from(limit.admitted).unwrap_or(u32::MAX).max(1)
}
