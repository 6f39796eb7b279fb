//! Constructors: their errors, their panics, and the limits that they see (SPEC §2).

use std::error::Error;

use concurry::prelude::*;

use super::every_mode;
use super::workers::TestError;

/// Its constructor does what it is told.
#[worker]
pub struct Built {
    made: String,
}

#[worker]
impl Built {
    pub fn new(how: String) -> Result<Self, TestError> {
        match how.as_str() {
            "fail" => Err(TestError::Own("cannot be built".into())),
            "panic" => panic!("while building"),
            "acquire" => {
                // The worker's own limits are here already.
                let acquired = limits.acquire([("tokens", 3)])?;
                Ok(Self { made: acquired.config()["region"].to_string() })
            }
            _ => Ok(Self { made: how }),
        }
    }

    pub fn made(&self) -> String {
        self.made.clone()
    }
}

/// An error that may have come of another one.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Layer {
    text: &'static str,
    source: Option<Box<Layer>>,
}

/// Its constructor fails, and what it fails by has a reason which has one itself.
#[worker]
pub struct Unfounded;

#[worker]
impl Unfounded {
    pub fn new() -> Result<Self, Layer> {
        let layer = |source: Option<Layer>, text| Layer { text, source: source.map(Box::new) };
        let innermost = layer(None, "the disk is full");
        Err(layer(Some(layer(Some(innermost), "no room for the index")), "cannot be built"))
    }
}

/// Its constructor is async.
#[worker]
pub struct BuiltAsync {
    made: u64,
}

#[worker]
impl BuiltAsync {
    pub async fn new(n: u64) -> Self {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        Self { made: n + 1 }
    }

    pub fn made(&self) -> u64 {
        self.made
    }
}

/// Has no constructor: `Default` makes it.
#[worker]
#[derive(Default)]
pub struct Unit;

#[worker]
impl Unit {
    pub fn one(&self) -> u32 {
        1
    }
}

every_mode! {
    fn a_worker_is_made_of_its_arguments(mode: ExecutionMode) {
        assert_eq!(Built::options(mode, (), 1).init("well".into()).unwrap().made().result().unwrap(), "well");
    }

    fn an_error_of_the_constructor_is_the_error_of_init(mode: ExecutionMode) {
        let workers = if mode == ExecutionMode::Sync { 1 } else { 3 };
        match Built::options(mode, (), workers).init("fail".into()) {
            Err(InitError::Constructor { source, worker }) => {
                assert_eq!(source.to_string(), "cannot be built");
                assert!(worker.ends_with("Built"));
            }
            other => panic!("{other:?}"),
        }
    }

    fn an_error_of_the_constructor_brings_its_sources_along(mode: ExecutionMode) {
        let error = Unfounded::options(mode, (), 1).init().unwrap_err();
        assert!(matches!(error, InitError::Constructor { .. }), "{error:?}");
        let sources = std::iter::successors(error.source(), |&error| error.source());
        let texts: Vec<_> = sources.map(ToString::to_string).collect();
        assert_eq!(texts, ["cannot be built", "no room for the index", "the disk is full"]);
    }

    fn a_panic_of_the_constructor_is_an_error_of_init(mode: ExecutionMode) {
        let error = Built::options(mode, (), 1).init("panic".into()).unwrap_err();
        let InitError::ConstructorPanicked { panic, .. } = &error else { panic!("{error:?}") };
        assert_eq!(panic.message(), "while building");
        assert!(panic.location().is_some_and(|place| place.contains("constructors.rs")), "{panic}");
        assert!(error.source().is_none_or(|source| !source.to_string().is_empty()));
    }

    fn a_constructor_sees_the_limits_of_its_worker(mode: ExecutionMode) {
        let set = LimitSet::builder()
            .limit(RateLimit::new("tokens", 10, Window::MINUTE))
            .config(json!({"region": "eu"}))
            .build()
            .unwrap();
        let built = Built::options(mode, &set, 1).init("acquire".into()).unwrap();
        assert_eq!(built.made().result().unwrap(), "\"eu\"");
        assert_eq!(set.stats().limit("tokens").unwrap().in_use, 3);
    }

    fn a_constructor_may_be_async(mode: ExecutionMode) {
        assert_eq!(BuiltAsync::options(mode, (), 1).init(1).unwrap().made().result().unwrap(), 2);
    }

    fn without_new_default_is_the_constructor(mode: ExecutionMode) {
        assert_eq!(Unit::options(mode, (), 1).init().unwrap().one().result().unwrap(), 1);
    }
}

#[test]
fn a_constructor_can_be_called_as_a_plain_function() {
    let built = Built::new("by hand".into()).unwrap();
    assert_eq!(built.made(), "by hand");
    assert!(built.limits.acquire(()).is_ok(), "the empty pool limits nothing");
}

/// Its constructor needs a runtime around it.
#[worker]
pub struct Homely {
    runtime: tokio::runtime::Id,
}

#[worker]
impl Homely {
    pub fn new() -> Self {
        Self { runtime: tokio::runtime::Handle::current().id() }
    }

    pub async fn is_at_home(&self) -> bool {
        self.runtime == tokio::runtime::Handle::current().id()
    }
}

#[test]
fn in_async_mode_a_constructor_that_is_not_async_finds_the_runtime_of_its_worker() {
    let homely = Homely::options(ExecutionMode::Async, (), 1).init().unwrap();
    assert!(homely.is_at_home().result().unwrap());
    homely.resize(2).unwrap();
    assert!((0..10).all(|_| homely.is_at_home().result().unwrap()));
}
