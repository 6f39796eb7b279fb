//! What is logged, and where: in the process that owns the limits, whoever forgot the update (SPEC §1).

use std::fmt::Debug;
use std::sync::{Mutex, Once};

use concurry::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::workers::{Acquirer, amounts, none};
use super::{eventually, every_mode};

static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps the fields of each warning of this process.
struct Log;

impl Visit for Log {
    fn record_debug(&mut self, _: &Field, value: &dyn Debug) {
        WARNINGS.lock().unwrap().push(format!("{value:?}"));
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Log);
    }
}

fn warnings_of(key: &str) -> usize {
    WARNINGS.lock().unwrap().iter().filter(|warning| warning.contains(key)).count()
}

every_mode! {
    fn a_usage_that_was_never_told_is_logged_by_the_owner(mode: ExecutionMode) {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| tracing::subscriber::set_global_default(Log).unwrap());
        let key = format!("forgotten in {mode}");
        let set = LimitSet::builder().limit(RateLimit::new(&key, 10, Window::MINUTE)).build().unwrap();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();

        acquirer.acquire(amounts([(&key, 1)]), amounts([(&key, 1)])).result().unwrap();
        acquirer.acquire(amounts([(&key, 1)]), none()).result().unwrap_err(); // told as an error instead
        acquirer.try_acquire(amounts([(&key, 1)])).result().unwrap(); // dropped without an update
        acquirer.try_acquire(amounts([(&key, 1)])).result().unwrap();
        eventually(|| warnings_of(&key) >= 2);
        acquirer.stop();
        assert_eq!(warnings_of(&key), 2);
    }
}
