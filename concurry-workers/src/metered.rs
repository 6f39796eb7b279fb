//! The numbers of a pool for the facade of the crate `metrics`, behind the feature `metrics`.
//!
//! | Name | Kind | Counts |
//! |---|---|---|
//! | `concurry_attempts_total` | counter, with the label `ended`: `returned`, `failed`, `crashed` | attempts at calls that ended |
//! | `concurry_queue_wait_seconds` | histogram | how long an attempt waited in the queue |
//! | `concurry_run_seconds` | histogram | how long it ran |
//!
//! Each has the labels `pool` and `mode`. The recorder is asked when a pool is started: install it before. What is measured of
//! the times is what [`Times`](crate::pool::Times) says; each stands for as many as were not measured.

use std::time::Duration;

use metrics::{Counter, Histogram, Label, counter, histogram};

use crate::attempt::Ran;
use crate::pool::Names;

/// The numbers of one pool.
pub(crate) struct Metered {
    returned: Counter,
    failed: Counter,
    crashed: Counter,
    waits: Histogram,
    runs: Histogram,
}

impl Metered {
    pub(crate) fn of(names: &Names) -> Self {
        let labels = || vec![Label::new("pool", names.pool.clone()), Label::new("mode", names.mode.name())];
        let ended = |how: Ran| {
            let mut labels = labels();
            labels.push(Label::new("ended", how.name()));
            counter!("concurry_attempts_total", labels)
        };
        Self {
            returned: ended(Ran::Returned),
            failed: ended(Ran::Failed),
            crashed: ended(Ran::Panicked),
            waits: histogram!("concurry_queue_wait_seconds", labels()),
            runs: histogram!("concurry_run_seconds", labels()),
        }
    }

    /// An attempt has ended.
    pub(crate) fn ended(&self, how: Ran) {
        match how {
            Ran::Returned => self.returned.increment(1),
            Ran::Failed => self.failed.increment(1),
            Ran::Panicked => self.crashed.increment(1),
        }
    }

    /// A call was measured, which stands for `weight` calls.
    pub(crate) fn ran(&self, queued: Duration, ran: Duration, weight: u64) {
        let count = usize::try_from(weight).unwrap_or(1);
        self.waits.record_many(queued.as_secs_f64(), count);
        self.runs.record_many(ran.as_secs_f64(), count);
    }
}
