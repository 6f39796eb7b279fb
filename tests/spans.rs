//! The span of a call (SPEC §2): what it says, whose child it is, in every mode.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test is its own documentation, and may fail; workers are private to it"
)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use concurry::ProcessOptions;
use concurry::clock::ManualClock;
use concurry::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{NoSubscriber, with_default};
use tracing::{Subscriber, info_span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

const MODES: [ExecutionMode; 4] =
    [ExecutionMode::Sync, ExecutionMode::Thread, ExecutionMode::Async, ExecutionMode::Process];
const SECOND: Duration = Duration::from_secs(1);

/// A span that has ended: its name, that of its parent, and its fields.
#[derive(Debug, Clone, Default)]
struct Seen {
    name: &'static str,
    parent: Option<&'static str>,
    fields: BTreeMap<&'static str, String>,
}

impl Seen {
    fn of(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

/// Keeps the spans that have ended.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Seen>>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let parent = span.parent().map(|parent| parent.name());
        let mut seen = Seen { name: span.name(), parent, ..Seen::default() };
        attributes.record(&mut seen);
        span.extensions_mut().insert(seen);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        values.record(span.extensions_mut().get_mut::<Seen>().unwrap());
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).unwrap();
        let seen = span.extensions().get::<Seen>().unwrap().clone();
        self.0.lock().unwrap().push(seen);
    }
}

/// The spans of this process. A test finds its own by the name of its pool.
fn spans() -> &'static Spans {
    static SPANS: OnceLock<Spans> = OnceLock::new();
    SPANS.get_or_init(|| {
        let spans = Spans::default();
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(spans.clone())).unwrap();
        spans
    })
}

impl Spans {
    fn all(&self) -> Vec<Seen> {
        self.0.lock().unwrap().clone()
    }

    /// The spans of the calls of this pool, once there are so many.
    fn calls(&self, pool: &str, count: usize) -> Vec<Seen> {
        loop {
            let is_mine = |seen: &Seen| seen.name == "call" && seen.of("worker") == pool;
            let calls: Vec<Seen> = self.all().into_iter().filter(is_mine).collect();
            if calls.len() >= count {
                return calls;
            }
            thread::yield_now();
        }
    }
}

#[worker]
#[derive(Default)]
struct Traced {
    tries: u64,
}

#[worker]
impl Traced {
    pub fn plain(&mut self, n: u64) -> u64 {
        n
    }

    pub async fn asynchronous(&self) -> u64 {
        tokio::task::yield_now().await;
        info_span!("inside").in_scope(|| 1)
    }

    #[retry(attempts = 3, wait = Duration::ZERO)]
    pub fn third_time(&mut self) -> Result<u64, String> {
        self.tries += 1;
        if self.tries.is_multiple_of(3) { Ok(self.tries) } else { Err("once more".into()) }
    }

    pub fn acquires(&self) -> bool {
        self.limits.acquire(()).is_ok()
    }

    pub fn acquires_and_crashes(&self) {
        drop(self.limits.acquire(()));
        // In a process of its own.
        if std::env::var_os("SPANS_OF_A_CHILD").is_some() {
            std::process::abort();
        }
        panic!("on purpose");
    }

    pub async fn acquires_async(&self) -> bool {
        self.limits.acquire_async(()).await.is_ok()
    }

    #[limited(gate = 1)]
    pub fn declares(&self) -> bool {
        true
    }

    pub fn panics(&self) {
        panic!("on purpose");
    }
}

#[worker]
struct Opened;

#[worker]
impl Opened {
    pub fn new() -> Result<Self, LimitError> {
        drop(limits.acquire(())?);
        Ok(Self)
    }

    pub fn answers(&self) -> u64 {
        1
    }
}

#[test]
fn a_call_has_a_span_below_that_of_its_caller() {
    for mode in MODES {
        let (spans, pool) = (spans(), format!("first in {mode}"));
        let traced = Traced::options(mode, (), 1).name(&pool).init().unwrap();
        info_span!("caller").in_scope(|| traced.plain(1)).result().unwrap();
        traced.panics().result().unwrap_err();
        let calls = spans.calls(&pool, 2);
        let [first, second] = &calls[..] else { panic!("{calls:?}") };
        let said = ["method", "mode", "attempt", "ended"].map(|field| first.of(field));
        assert_eq!(said, ["plain", mode.name(), "1", "returned"]);
        assert_eq!((first.parent, second.parent), (Some("caller"), None));
        assert_eq!([second.of("method"), second.of("ended")], ["panics", "crashed"]);
        assert!(first.of("run_us").parse::<u64>().is_ok(), "{first:?}");
    }
}

#[test]
fn each_attempt_has_a_span_of_its_own_below_the_callers() {
    for mode in MODES {
        let (spans, pool) = (spans(), format!("retried in {mode}"));
        let traced = Traced::options(mode, (), 1).name(&pool).init().unwrap();
        info_span!("caller").in_scope(|| traced.third_time()).result().unwrap();
        let mut calls = spans.calls(&pool, 3);
        calls.sort_by_key(|seen| seen.of("attempt").to_owned());
        let said: Vec<_> =
            calls.iter().map(|seen| (seen.of("attempt"), seen.of("ended"), seen.parent)).collect();
        let caller = Some("caller");
        assert_eq!(said, [("1", "failed", caller), ("2", "failed", caller), ("3", "returned", caller)]);
    }
}

#[test]
fn what_a_method_does_is_below_its_call() {
    for (mode, name) in
        [(ExecutionMode::Sync, "1"), (ExecutionMode::Thread, "2"), (ExecutionMode::Async, "3")]
    {
        let spans = spans();
        let tasks = TaskWorker::options(mode, (), 1).init().unwrap();
        tasks.submit(move || info_span!("closure", name).in_scope(|| ())).result().unwrap();
        tasks.submit_async(async move { info_span!("future", name).in_scope(|| ()) }).result().unwrap();
        tasks.stop();
        let seen = spans.all();
        for kind in ["closure", "future"] {
            let inside = seen.iter().find(|seen| seen.name == kind && seen.of("name") == name).unwrap();
            assert_eq!(inside.parent, Some("call"), "{kind} in {mode}");
        }
    }
}

#[test]
fn waiting_running_and_waiting_for_limits_are_told_apart() {
    for mode in MODES {
        let (spans, pool, clock) = (spans(), format!("times in {mode}"), ManualClock::new());
        let limit = ResourceLimit::new("gate", 1);
        let gate = LimitSet::builder().limit(limit).clock(Arc::new(clock.clone())).build().unwrap();
        let options = Traced::options(mode, &gate, 1).name(&pool).clock(Arc::new(clock.clone()));
        let traced = options.process(ProcessOptions::new().env("SPANS_OF_A_CHILD", "1")).init().unwrap();
        let times = |count: usize| {
            let call = spans.calls(&pool, count).pop().unwrap();
            ["queued_us", "limits_us", "run_us"]
                .map(|field| call.of(field).parse::<u64>().unwrap() / 1_000_000)
        };
        let held = |waits: fn(&TracedHandle) -> bool| {
            let shut = gate.acquire(()).unwrap();
            // In mode sync, who calls waits.
            let caller = thread::spawn({
                let traced = traced.clone();
                move || waits(&traced)
            });
            while gate.stats().limit("gate").unwrap().waiting == 0 {
                thread::yield_now();
            }
            clock.advance(SECOND * 7);
            drop(shut);
            assert!(caller.join().unwrap());
        };
        held(|traced| traced.acquires().result().unwrap());
        assert_eq!(times(1), [0, 7, 7], "it waits while it runs in {mode}");
        held(|traced| traced.acquires_async().result().unwrap());
        assert_eq!(times(2), [0, 7, 7], "in {mode}");
        held(|traced| traced.acquires_and_crashes().result().is_err());
        assert_eq!(times(3), [0, 7, 7], "it has waited before it crashed in {mode}");
        traced.plain(1).result().unwrap();
        assert_eq!(times(4), [0, 0, 0], "the next call has not waited in {mode}");
        if mode == ExecutionMode::Sync {
            held(|traced| traced.declares().result().unwrap());
            assert_eq!(times(5), [7, 7, 0], "it waits for its turn in {mode}");
            continue;
        }
        let shut = gate.acquire(()).unwrap();
        let call = traced.declares();
        while gate.stats().limit("gate").unwrap().waiting == 0 {
            thread::yield_now();
        }
        // The worker that asks the limits puts the call back a moment later.
        while !matches!(call.explain(), Explanation::Queued { held_by: Some(_), .. }) {
            thread::yield_now();
        }
        clock.advance(SECOND * 7);
        drop(shut);
        assert!(call.result().unwrap());
        assert_eq!(times(5), [7, 7, 0], "it waits in the queue of {mode}");
    }
}

#[test]
fn who_lets_others_in_has_not_waited_for_them() {
    for mode in MODES {
        let (spans, pool, clock) = (spans(), format!("let in, in {mode}"), ManualClock::new());
        let limit = ResourceLimit::new("gate", 1);
        let gate = LimitSet::builder().limit(limit).clock(Arc::new(clock.clone())).build().unwrap();
        let opener = format!("opens for {mode}");
        let opens = TaskWorker::options(ExecutionMode::Thread, (), 1).name(&opener).init().unwrap();
        let traced = Traced::options(mode, &gate, 1).name(&pool).init().unwrap();
        let shut = gate.acquire(()).unwrap();
        let waits = thread::spawn(move || traced.acquires().result());
        while gate.stats().limit("gate").unwrap().waiting == 0 {
            thread::yield_now();
        }
        clock.advance(SECOND * 7);
        opens.submit(move || drop(shut)).result().unwrap();
        assert!(waits.join().unwrap().unwrap());
        let waited = |pool: &str| spans.calls(pool, 1)[0].of("limits_us").parse::<u64>().unwrap();
        assert_eq!((waited(&opener), waited(&pool)), (0, 7_000_000), "in {mode}");
    }
}

#[test]
fn what_a_constructor_waits_for_is_no_calls_wait() {
    for mode in MODES {
        let (spans, pool, clock) = (spans(), format!("made in {mode}"), ManualClock::new());
        let limit = ResourceLimit::new("gate", 1);
        let gate = LimitSet::builder().limit(limit).clock(Arc::new(clock.clone())).build().unwrap();
        let shut = gate.acquire(()).unwrap();
        let options = Opened::options(mode, &gate, 1).name(&pool);
        let making = thread::spawn(move || options.init());
        while gate.stats().limit("gate").unwrap().waiting == 0 {
            thread::yield_now();
        }
        clock.advance(SECOND * 7);
        drop(shut);
        assert_eq!(making.join().unwrap().unwrap().answers().result().unwrap(), 1);
        assert_eq!(spans.calls(&pool, 1)[0].of("limits_us"), "0", "in {mode}");
    }
}

#[test]
fn nobody_who_wants_none_has_one() {
    let (spans, pool) = (spans(), "unwanted");
    let traced = with_default(NoSubscriber::default(), || {
        let traced = Traced::options(ExecutionMode::Thread, (), 1).name(pool).init().unwrap();
        traced.plain(1).result().unwrap();
        traced
    });
    traced.stop();
    assert!(spans.calls(pool, 0).is_empty());
}

#[test]
fn a_span_ends_with_a_call_that_is_never_run() {
    let (spans, pool) = (spans(), "never run");
    let gate = LimitSet::builder().limit(ResourceLimit::new("gate", 1)).build().unwrap();
    let traced = Traced::options(ExecutionMode::Thread, &gate, 1).name(pool).init().unwrap();
    let shut = gate.acquire(()).unwrap();
    let running = traced.acquires();
    while gate.stats().limit("gate").unwrap().waiting == 0 {
        thread::yield_now();
    }
    let (waiting, cancelled) = (traced.plain(1), traced.declares());
    assert!(cancelled.cancel());
    assert_eq!(spans.calls(pool, 1)[0].of("method"), "declares");
    let stopping = thread::spawn({
        let traced = traced.clone();
        move || traced.stop()
    });
    assert!(matches!(waiting.result(), Err(CallError::Stopped)));
    assert_eq!(spans.calls(pool, 2)[1].of("method"), "plain");
    drop(shut);
    assert!(running.result().unwrap());
    stopping.join().unwrap();
}
