//! The numbers of a pool for other systems, behind the feature `metrics`.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test is its own documentation, and may fail; workers are private to it"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use concurry::prelude::*;
use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};

/// Keeps what is recorded, by name and the label `ended`.
#[derive(Clone, Default)]
struct Numbers(Arc<Mutex<BTreeMap<String, u64>>>);

struct Number(Numbers, String);

impl Number {
    fn add(&self, value: u64) {
        *self.0.0.lock().unwrap().entry(self.1.clone()).or_default() += value;
    }
}

impl CounterFn for Number {
    fn increment(&self, value: u64) {
        self.add(value);
    }

    fn absolute(&self, _: u64) {}
}

impl HistogramFn for Number {
    fn record(&self, value: f64) {
        assert!((0.0..3600.0).contains(&value));
        self.add(1);
    }
}

impl Numbers {
    fn number(&self, key: &Key) -> Number {
        let label =
            |name: &str| key.labels().find(|label| label.key() == name).map_or("", |label| label.value());
        assert_eq!([label("pool"), label("mode")], ["metered", "thread"]);
        Number(self.clone(), format!("{} {}", key.name(), label("ended")).trim().to_owned())
    }

    fn of(&self, name: &str) -> u64 {
        self.0.lock().unwrap().get(name).copied().unwrap_or_default()
    }
}

impl Recorder for Numbers {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::new(self.number(key)))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(self.number(key)))
    }
}

#[worker]
#[derive(Default)]
struct Metered {}

#[worker]
impl Metered {
    pub fn odd(&self, n: u64) -> Result<u64, String> {
        assert!(n > 0, "on purpose");
        if n % 2 == 1 { Ok(n) } else { Err(n.to_string()) }
    }
}

#[test]
fn attempts_and_times_are_told_to_the_recorder() {
    let numbers = Numbers::default();
    let pool = with_local_recorder(&numbers, || {
        Metered::options(ExecutionMode::Thread, (), 1).name("metered").init().unwrap()
    });
    for n in [1, 3, 5, 2, 0] {
        drop(pool.odd(n).result());
    }
    pool.stop();
    let counts =
        ["returned", "failed", "crashed"].map(|how| numbers.of(&format!("concurry_attempts_total {how}")));
    assert_eq!(counts, [3, 1, 1]);
    let measured = pool.stats().run_time.unwrap().measured;
    assert!(
        numbers.of("concurry_run_seconds") >= measured
            && numbers.of("concurry_queue_wait_seconds") >= measured
    );
}
