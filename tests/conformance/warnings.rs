//! What is logged, and where: a usage that was forgotten, in the process that owns the limits, whoever forgot it (SPEC §1); what of
//! the user's code panics with no call to answer, in the caller's process.

use std::fmt::Debug;
use std::sync::{Mutex, Once};
use std::time::Duration;

use concurry::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::workers::{Acquirer, Counter, amounts, none};
use super::{eventually, every_mode, gate};

static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps the fields of each warning and each error of this process.
struct Log;

impl Visit for Log {
    fn record_debug(&mut self, _: &Field, value: &dyn Debug) {
        WARNINGS.lock().unwrap().push(format!("{value:?}"));
    }
}

/// A subscriber that does this with each event.
struct Listener(fn(&Event<'_>));

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        (self.0)(event);
    }
}

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::subscriber::set_global_default(Listener(|event| event.record(&mut Log))).unwrap();
    });
}

fn warnings_of(key: &str) -> usize {
    WARNINGS.lock().unwrap().iter().filter(|warning| warning.contains(key)).count()
}

/// Its predicates panic.
#[worker]
#[derive(Default)]
pub struct Misjudged {}

#[worker]
impl Misjudged {
    #[retry(on = |error| panic!("on {error}"), attempts = 9, wait = Duration::ZERO)]
    pub fn on(&mut self, text: String) -> Result<(), String> {
        Err(text)
    }

    #[retry(until = |value| panic!("until {value}"), attempts = 9, wait = Duration::ZERO)]
    pub fn until(&mut self, text: String) -> Result<String, String> {
        if text.is_empty() { Err(text) } else { Ok(text) }
    }

    #[retry(after = |error| panic!("after {error}"), attempts = 9, wait = Duration::ZERO)]
    pub fn after(&mut self, text: String) -> Result<(), String> {
        Err(text)
    }
}

every_mode! {
    fn a_predicate_that_panics_is_logged_and_its_call_is_not_tried_again(mode: ExecutionMode) {
        listen();
        let (pool, text) = (Misjudged::options(mode, (), 1).init().unwrap(), format!("judged in {mode}"));
        for (judged, predicate) in [(pool.on(text.clone()), "on"), (pool.after(text.clone()), "after")] {
            assert!(matches!(judged.result(), Err(CallError::Failed(error)) if error == text));
            assert_eq!(warnings_of(&format!("{predicate} {text}")), 1);
        }
        assert_eq!(pool.until(text.clone()).result().unwrap(), text);
        assert_eq!(warnings_of(&format!("until {text}")), 1);
        let stats = pool.stats();
        assert_eq!((stats.retried, stats.restarts), (0, 0));
    }

    fn a_callback_that_panics_is_logged_and_the_others_are_called(mode: ExecutionMode) {
        listen();
        let (gate, text) = (gate(), format!("called back in {mode}"));
        let shut = gate.acquire(()).unwrap();
        let acquirer = Acquirer::options(mode, &gate, 1).init().unwrap();
        let caller = std::thread::spawn({
            let (acquirer, text) = (acquirer.clone(), text.clone());
            move || {
                let call = acquirer.acquire(amounts([("gate", 1)]), none());
                let (tell, told) = std::sync::mpsc::channel();
                call.on_done(move |_| panic!("{text}"));
                call.on_done(move |_| tell.send(()).unwrap());
                (call.result(), told.recv())
            }
        });
        eventually(|| gate.stats().limits[0].waiting == 1);
        drop(shut);
        let (outcome, told) = caller.join().unwrap();
        assert!(outcome.is_ok() && told.is_ok());
        eventually(|| warnings_of(&text) > 0);
        assert_eq!((warnings_of(&text), acquirer.stats().restarts), (1, 0));
        acquirer.acquire(amounts([("gate", 1)]), none()).result().unwrap();
    }


    fn a_usage_that_was_never_told_is_logged_by_the_owner(mode: ExecutionMode) {
        listen();
        for private in [false, true] {
            let key = format!("forgotten in {mode}, private: {private}");
            let set = LimitSet::builder().limit(RateLimit::new(&key, 10, Window::MINUTE));
            let set = if private { set.private() } else { set }.build().unwrap();
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

    fn a_lenient_set_warns_once_of_a_key_whoever_names_it_and_how(mode: ExecutionMode) {
        listen();
        let named = |what: &str| format!("{what} in {mode}");
        let (asked, told) = (named("pages asked for"), named("pages told of"));
        for private in [false, true] {
            let set = LimitSet::builder().limit(RateLimit::new("tokens", 10, Window::MINUTE)).lenient();
            let set = if private { set.private() } else { set }.build().unwrap();
            let suffix = if private { ", alone" } else { "" };
            let (asked, told) = (format!("{asked}{suffix}"), format!("{told}{suffix}"));
            let pools = [(); 2].map(|()| Acquirer::options(mode, &set, 1).init().unwrap());
            for acquirer in pools.iter().chain(&pools) {
                let used = amounts([("tokens", 1), (&told, 1)]);
                acquirer.acquire(amounts([("tokens", 1), (&asked, 1)]), used).result().unwrap();
            }
            let quoted = |key: &String| format!("\"{key}\"");
            eventually(|| warnings_of(&quoted(&asked)) >= 1 && warnings_of(&quoted(&told)) >= 1);
            for pool in &pools {
                pool.stop();
            }
            assert_eq!((warnings_of(&quoted(&asked)), warnings_of(&quoted(&told))), (1, 1));
        }
    }
}

/// In mode sync, where all is logged by this thread.
#[test]
fn a_log_that_panics_changes_nothing_of_retries_and_of_the_end_of_a_worker() {
    // As one that writes to a pipe which nobody reads any more.
    let broken = Listener(|_| panic!("failed printing to stderr, on purpose"));
    tracing::subscriber::with_default(broken, || {
        let options =
            Counter::options(ExecutionMode::Sync, (), 1).max_restarts(0, Duration::from_secs(1_000));
        let counter = options.retry(Retry::fixed(2).wait(Duration::ZERO)).init(1).unwrap();
        let failed = counter.fail("no".into()).result();
        assert!(matches!(failed, Err(CallError::RetriesExhausted(_))), "{failed:?}");
        let panicked = counter.panic("on purpose".into()).result();
        assert!(matches!(panicked, Err(CallError::Panicked(_))), "{panicked:?}");
        let lost = counter.add().result();
        assert!(matches!(lost, Err(CallError::WorkerLost { .. })), "{lost:?}");
    });
}
