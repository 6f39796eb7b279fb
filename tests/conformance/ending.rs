//! How workers end (SPEC §2): what they do as they are dropped, and that none is made when nothing is left to be run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use concurry::prelude::*;

use super::every_mode_of_closures;

const HOUR: Duration = Duration::from_secs(3600);

/// Ends its own pool when it is dropped.
#[worker]
#[derive(Default)]
pub struct Ender {
    own: Option<(EnderHandle, mpsc::Sender<bool>)>,
}

#[worker]
impl Ender {
    pub fn keep(&mut self, own: EnderHandle, tell: mpsc::Sender<bool>) {
        self.own = Some((own, tell));
    }
}

impl Drop for Ender {
    fn drop(&mut self) {
        if let Some((own, tell)) = self.own.take() {
            own.stop();
            tell.send(own.drain(Duration::MAX)).unwrap();
        }
    }
}

/// Has a runtime of its own, which may not be dropped where async code runs.
#[worker]
#[derive(Default)]
pub struct Owner {
    own: Option<(tokio::runtime::Runtime, mpsc::Sender<bool>)>,
}

#[worker]
impl Owner {
    pub fn keep(&mut self, tell: mpsc::Sender<bool>) {
        self.own = Some((tokio::runtime::Runtime::new().unwrap(), tell));
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some((own, tell)) = self.own.take() {
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(own)));
            tell.send(dropped.is_ok()).unwrap();
        }
    }
}

/// Counts how often it is made.
#[worker]
pub struct Counted {}

#[worker]
impl Counted {
    pub fn new(made: Arc<AtomicUsize>) -> Self {
        made.fetch_add(1, Ordering::SeqCst);
        Self {}
    }

    pub fn panic(&mut self) {
        panic!("on purpose");
    }

    pub fn end_and_panic(&mut self, own: CountedHandle, drain: bool) {
        if drain {
            own.drain(Duration::MAX);
        } else {
            own.stop();
        }
        panic!("on purpose");
    }

    pub fn here(&self) {}
}

every_mode_of_closures! {
    fn a_worker_may_end_its_own_pool_as_it_is_dropped(mode: ExecutionMode) {
        let pool = Ender::options(mode, (), 1).init().unwrap();
        let (tell, told) = mpsc::channel();
        pool.keep(pool.clone(), tell).result().unwrap();
        pool.stop();
        assert!(!told.recv().unwrap(), "it waits for nobody");
    }

    fn a_worker_is_dropped_where_it_may_block(mode: ExecutionMode) {
        let pool = Owner::options(mode, (), 1).init().unwrap();
        let (tell, told) = mpsc::channel();
        pool.keep(tell).result().unwrap();
        pool.stop();
        assert!(told.recv().unwrap());
    }

    fn no_worker_is_made_anew_when_nothing_is_left_to_be_run(mode: ExecutionMode) {
        for drain in [false, true] {
            let made = Arc::new(AtomicUsize::new(0));
            let pool = Counted::options(mode, (), 1).max_restarts(1, HOUR).init(Arc::clone(&made)).unwrap();
            assert!(matches!(pool.panic().result(), Err(CallError::Panicked(_))));
            pool.here().result().unwrap();
            let last = pool.end_and_panic(pool.clone(), drain).result();
            assert!(matches!(last, Err(CallError::Panicked(_))), "{last:?}");
            pool.stop();
            assert_eq!((made.load(Ordering::SeqCst), pool.stats().restarts), (2, 1));
            let late = pool.here().result();
            assert!(matches!(late, Err(CallError::Stopped)), "{late:?}");
        }
    }
}
