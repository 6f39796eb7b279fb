//! What is logged, and what is not.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use concurry_limits::{
    Feedback, KeyedLimits, LimitSet, PreparedAcquisition, RateLimit, ResourceLimit, Window,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// The texts of warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

/// The fields of an event as text.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0 = format!("{}{}={value:?} ", self.0, field.name());
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if *event.metadata().level() == Level::WARN {
            let mut text = Text(String::new());
            event.record(&mut text);
            self.0.lock().expect("no panic").push(text.0);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn texts_of(act: impl FnOnce()) -> Vec<String> {
    let warnings = Warnings::default();
    tracing::subscriber::with_default(warnings.clone(), act);
    std::mem::take(&mut *warnings.0.lock().expect("no panic"))
}

fn warnings_of(act: impl FnOnce()) -> usize {
    texts_of(act).len()
}

fn tokens() -> LimitSet {
    LimitSet::builder().limit(RateLimit::new("tokens", 1_000, Window::MINUTE)).build().expect("a valid limit")
}

#[test]
fn a_drop_without_a_needed_update_warns_once() {
    assert_eq!(warnings_of(|| drop(tokens().acquire([("tokens", 5)]).unwrap())), 1);
}

#[test]
fn the_warning_of_a_drop_names_what_was_not_told_and_nothing_else() {
    let rate = |key| RateLimit::new(key, 1_000, Window::MINUTE);
    let builder = LimitSet::builder().limit(rate("tokens")).limit(rate("images")).limit(rate("pages"));
    let set = builder.limit(ResourceLimit::new("doors", 9)).build().unwrap();
    let request = [("tokens", 5), ("images", 5), ("pages", 5)];
    let prepared = set.prepare(request).unwrap();
    let texts = texts_of(|| {
        set.acquire(request).unwrap().update([("images", 5)]).unwrap();
        prepared.acquire().unwrap().update([("images", 5)]).unwrap();
    });
    assert_eq!(texts.len(), 2);
    for text in texts {
        assert!(text.contains(r#"keys=["tokens", "pages"]"#), "{text}");
        assert!(text.contains("without an update of their usage"), "{text}");
    }
}

#[test]
fn the_warning_of_a_lenient_set_names_the_key() {
    let set = LimitSet::builder().limit(ResourceLimit::new("doors", 9)).lenient().build().unwrap();
    let texts = texts_of(|| drop(set.acquire([("walls", 1)]).unwrap()));
    assert!(matches!(&texts[..], [text] if text.contains("walls")), "{texts:?}");
}

#[test]
fn a_drop_with_everything_told_is_silent() {
    let told = || {
        let mut acquired = tokens().acquire([("tokens", 5)]).unwrap();
        acquired.update([("tokens", 5)]).unwrap();
        drop(acquired);
        drop(LimitSet::builder().limit(ResourceLimit::new("doors", 1)).build().unwrap().acquire(()).unwrap());
        let _missing = tokens().acquire([("tokens", 5)]).unwrap().release().unwrap_err();
        tokens().acquire([("tokens", 5)]).unwrap().give_back();
    };
    assert_eq!(warnings_of(told), 0);
}

#[test]
fn a_drop_in_a_panic_is_silent() {
    let panics = || {
        let outcome = std::panic::catch_unwind(|| {
            let _acquired = tokens().acquire([("tokens", 5)]).unwrap();
            panic!("the caller's own");
        });
        assert!(outcome.is_err());
    };
    assert_eq!(warnings_of(panics), 0);
}

#[test]
fn a_lenient_set_warns_once_a_key() {
    let set = LimitSet::builder().limit(ResourceLimit::new("doors", 9)).lenient().build().unwrap();
    let requests = || {
        for key in ["windows", "walls", "windows"] {
            drop(set.acquire([(key, 1)]).unwrap());
        }
    };
    assert_eq!(warnings_of(requests), 2);
}

#[test]
fn a_set_that_has_warned_of_very_many_keys_says_that_it_warns_of_no_more() {
    let set = LimitSet::builder().limit(ResourceLimit::new("doors", 9)).lenient().build().unwrap();
    let ask = |keys: std::ops::Range<u32>| {
        warnings_of(|| keys.for_each(|key| drop(set.acquire([(key.to_string(), 1)]).unwrap())))
    };
    assert_eq!(ask(0..1_024), 1_024);
    assert_eq!(ask(0..1_024), 0);
    assert_eq!(ask(1_024..3_000), 1, "the last warning");
    assert_eq!(ask(0..5_000), 0);
    // What a server says is another matter.
    let said = || set.feedback(Feedback::remaining("windows", 3, Duration::from_secs(1)));
    assert_eq!((warnings_of(said), warnings_of(said)), (1, 0));
}

#[test]
fn a_key_that_a_request_was_warned_of_is_news_from_a_server() {
    let set = LimitSet::builder().limit(ResourceLimit::new("doors", 9)).lenient().build().unwrap();
    let said = || set.feedback(Feedback::remaining("windows", 3, Duration::from_secs(1)));
    assert_eq!(warnings_of(|| drop(set.acquire([("windows", 1)]).unwrap())), 1);
    assert_eq!((warnings_of(said), warnings_of(said)), (1, 0));
}

#[test]
fn tenants_with_templates_of_their_own_warn_once_a_key_together() {
    let template = |_: &u64| LimitSet::builder().limit(ResourceLimit::new("doors", 9)).lenient();
    let tenants = KeyedLimits::builder_with(template).max_keys(1).build().unwrap();
    let requests = || {
        // Some are forgotten meanwhile, and come up anew.
        for tenant in (0..100).cycle().take(1_000) {
            drop(tenants.acquire(&tenant, [("windows", 1)]).unwrap());
            tenants.get(&tenant).unwrap().feedback(Feedback::remaining("walls", 3, Duration::from_secs(1)));
        }
    };
    assert_eq!(warnings_of(requests), 2);
}

/// How often a prepared acquisition of all limits warns that is dropped after `use_it`.
fn prepared_warnings_of(set: &LimitSet, use_it: impl FnOnce(&mut PreparedAcquisition<'_>)) -> usize {
    let names: Vec<_> = set.keys().map(|key| (key.to_owned(), 5)).collect();
    let prepared = set.prepare(names).expect("it fits");
    warnings_of(|| use_it(&mut prepared.acquire().expect("there is plenty")))
}

#[test]
fn a_prepared_acquisition_warns_like_any_other() {
    let alone = tokens();
    let rate = |key| RateLimit::new(key, 1_000, Window::MINUTE);
    let two = LimitSet::builder().limit(rate("tokens")).limit(rate("images")).build().unwrap();
    for set in [&alone, &two] {
        assert_eq!(prepared_warnings_of(set, |_| ()), 1);
        assert_eq!(prepared_warnings_of(set, |held| drop(held.release().unwrap_err())), 0, "it was told");
        let all: Vec<_> = set.keys().map(|key| (key.to_owned(), 3)).collect();
        assert_eq!(prepared_warnings_of(set, |held| held.update(&all).unwrap()), 0);
        let one_by_one = |held: &mut PreparedAcquisition<'_>| {
            for one in &all {
                held.update(std::slice::from_ref(one)).unwrap();
            }
        };
        assert_eq!(prepared_warnings_of(set, one_by_one), 0);
    }
    let one_of_two = |held: &mut PreparedAcquisition<'_>| held.update([("images", 5)]).unwrap();
    assert_eq!(prepared_warnings_of(&two, one_of_two), 1);
}

#[test]
fn a_prepared_acquisition_that_is_dropped_in_a_panic_is_silent() {
    let panics = || {
        let outcome = std::panic::catch_unwind(|| {
            let prepared = tokens().prepare([("tokens", 5)]).unwrap();
            let _acquired = prepared.acquire().unwrap();
            panic!("the caller's own");
        });
        assert!(outcome.is_err());
    };
    assert_eq!(warnings_of(panics), 0);
}
