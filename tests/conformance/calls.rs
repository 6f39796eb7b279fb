//! A call: its result, its errors, waiting, awaiting, cancelling (SPEC §2 and §3).

use std::sync::mpsc;
use std::time::Duration;

use concurry::prelude::*;

use super::workers::{Acquirer, Counter, TestError, amounts};
use super::{block_on, eventually, every_mode, every_mode_in_background, gate};

every_mode! {
    fn a_method_returns_its_value(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(3).unwrap();
        assert_eq!(counter.add().result().unwrap(), 3);
        assert_eq!(counter.add().result().unwrap(), 6);
        assert_eq!(counter.count().result().unwrap(), 6);
    }

    fn async_methods_work_too(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(2).unwrap();
        assert_eq!(counter.add_async(5).result().unwrap(), 10);
        assert_eq!(counter.count_async().result().unwrap(), 10);
    }

    fn all_arguments_arrive(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(1).unwrap();
        let all = counter.all_of((1, -2), Some(vec!["x".into(), String::new()]), 0.5, 'ü', [1, 2, 3]);
        assert_eq!(all.result().unwrap(), r#"(1, -2) Some(["x", ""]) 0.5 'ü' [1, 2, 3]"#);
    }

    fn the_methods_own_error_arrives_typed(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(1).unwrap();
        for call in [counter.fail("no".into()), counter.fail_async("no".into())] {
            assert_eq!(call.result().unwrap_err().into_failed(), Some(TestError::Own("no".into())));
        }
    }

    fn a_call_can_be_awaited(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(1).unwrap();
        let sum = crate::block_on(async {
            counter.add().await.unwrap() + counter.add().await.unwrap()
        });
        assert_eq!(sum, 3);
    }

    fn calls_of_one_caller_to_one_worker_run_in_order(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(1).unwrap();
        let notes: Vec<_> = (0..200).map(|n| counter.note(n)).collect();
        let noted = counter.noted().result().unwrap();
        assert_eq!(noted, (0..200).collect::<Vec<_>>());
        assert!(notes.iter().all(Call::is_done));
    }

    fn a_result_is_taken_once(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(1).unwrap();
        let call = counter.add();
        assert_eq!(call.result_timeout(Duration::MAX).unwrap(), 1);
        assert!(call.is_done());
        assert!(matches!(call.result_timeout(Duration::ZERO), Err(CallError::Taken)));
        assert!(matches!(call.result(), Err(CallError::Taken)));
    }

    fn who_looks_at_a_result_does_not_take_it(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(4).unwrap();
        let call = counter.add();
        eventually(|| call.is_done());
        let look = |call: &Call<u64>| call.peek(|outcome| *outcome.as_ref().unwrap());
        assert_eq!([look(&call), look(&call)], [Some(4), Some(4)]);
        let panics = std::panic::AssertUnwindSafe(|| call.peek(|_| panic!("who looks")));
        assert!(std::panic::catch_unwind(panics).is_err());
        assert_eq!(call.result_timeout(Duration::MAX).unwrap(), 4);
        assert_eq!(look(&call), None);
        assert!(matches!(call.result(), Err(CallError::Taken)));
    }

    fn a_callback_sees_the_outcome(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(4).unwrap();
        let (tell, told) = mpsc::channel();
        let call = counter.add();
        call.on_done(move |outcome| tell.send(*outcome.as_ref().unwrap()).unwrap());
        assert_eq!(told.recv().unwrap(), 4);
        assert_eq!(call.result().unwrap(), 4);
    }

    fn a_callback_on_a_call_that_is_done_runs_at_once_and_leaves_the_result(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(4).unwrap();
        let call = counter.add();
        eventually(|| call.is_done());
        let (tell, told) = mpsc::channel();
        call.on_done(move |outcome| tell.send(*outcome.as_ref().unwrap()).unwrap());
        assert_eq!(told.recv().unwrap(), 4);
        assert_eq!(call.result().unwrap(), 4);
    }

    fn dropping_a_call_does_not_cancel_it(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(1).unwrap();
        drop(counter.add());
        assert_eq!(counter.count().result().unwrap(), 1);
    }

    fn a_handle_works_from_many_threads_at_once(mode: ExecutionMode) {
        let counter = Counter::options(mode, (), 1).init(1).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let counter = counter.clone();
                scope.spawn(move || (0..25).map(|_| counter.add().result().unwrap()).max());
            }
        });
        assert_eq!(counter.count().result().unwrap(), 100);
    }
}

every_mode_in_background! {
    fn a_wait_that_times_out_leaves_the_call_running(mode: ExecutionMode) {
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let acquirer = Acquirer::options(mode, &gate, 1).init().unwrap();
        let call = acquirer.acquire(amounts([("gate", 1)]), vec![]);
        assert!(matches!(call.result_timeout(Duration::ZERO), Err(CallError::Timeout)));
        assert!(matches!(call.result_timeout(Duration::from_millis(1)), Err(CallError::Timeout)));
        assert!(!call.is_done());
        drop(closed);
        assert_eq!(call.result().unwrap(), "");
    }

    fn a_cancelled_call_that_waits_in_the_queue_is_not_run(mode: ExecutionMode) {
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let acquirer = Acquirer::options(mode, &gate, 1).init().unwrap();
        // `acquire` takes `&mut self`: the second waits for the first in every mode.
        let first = acquirer.acquire(amounts([("gate", 1)]), vec![]);
        let second = acquirer.acquire(amounts([("gate", 1)]), vec![]);
        eventually(|| gate.stats().limits[0].waiting == 1);
        assert!(second.cancel());
        assert!(!second.cancel(), "it was done by then");
        drop(closed);
        first.result().unwrap();
        assert!(matches!(second.result(), Err(CallError::Cancelled)));
        acquirer.stop();
        assert_eq!(gate.stats().limits[0].admitted, 2, "this test's own and the first call's");
    }

    fn a_callback_that_panics_harms_nobody(mode: ExecutionMode) {
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let acquirer = Acquirer::options(mode, &gate, 1).init().unwrap();
        let call = acquirer.acquire(amounts([("gate", 1)]), vec![]);
        call.on_done(|_| panic!("in a callback"));
        drop(closed);
        call.result().unwrap();
        acquirer.acquire(amounts([("gate", 1)]), vec![]).result().unwrap();
    }
}

#[test]
fn a_worker_in_sync_mode_that_calls_itself_is_told_so() {
    let caller = super::pools::Caller::options(ExecutionMode::Sync, (), 1).init().unwrap();
    let inner = caller.call(caller.clone()).result().unwrap();
    assert!(inner.contains("would wait for its own caller"), "{inner}");
    assert_eq!(caller.plain(7).result().unwrap(), 7, "and it goes on");
}

#[tokio::test]
async fn calls_are_awaited_on_tokio_and_run_side_by_side_on_one_worker() {
    let gates = LimitSet::builder()
        .limit(ResourceLimit::new("a", 1))
        .limit(ResourceLimit::new("b", 1))
        .build()
        .unwrap();
    let a = gates.acquire([("a", 1), ("b", 0)]).unwrap();
    drop(a);
    let acquirer = Acquirer::options(ExecutionMode::Async, &gates, 1).init().unwrap();
    // Each of 50 calls waits until all 50 are running: only possible side by side.
    let barrier = super::pools::Meeting::options(ExecutionMode::Async, (), 1).init(50).unwrap();
    let calls: Vec<_> = (0..50).map(|_| barrier.meet()).collect();
    assert_eq!(gather(calls).await.unwrap().len(), 50);
    acquirer.process_id().await.unwrap();
}

/// Goes on for as long as anybody waits for it.
#[worker]
#[derive(Default)]
pub struct Endless;

#[worker]
impl Endless {
    /// Takes the gate, and looks whether it was cancelled.
    pub fn looks(&mut self, cancellation: &Cancellation, gate: String) -> Result<(), LimitError> {
        let _held = self.limits.acquire([(gate, 1)])?;
        while !cancellation.is_requested() {
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Takes the gate, and awaits what never comes.
    pub async fn awaits(&self, gate: String) -> Result<(), LimitError> {
        let _held = self.limits.acquire_async([(gate, 1)]).await?;
        std::future::pending().await
    }

    /// As [`awaits`](Self::awaits), with the worker for itself.
    pub async fn awaits_alone(&mut self, gate: String) -> Result<(), LimitError> {
        self.awaits(gate).await
    }

    /// The gate comes with the call.
    #[limited(gate = 1)]
    pub async fn awaits_with(&self, acquired: &mut LimitSetAcquisition, wanted: u64) -> Result<u64, String> {
        assert_eq!(acquired.requested("gate"), Some(wanted));
        std::future::pending().await
    }

    /// Both are given to it.
    #[limited(gate = 1)]
    pub fn looks_with(
        &self,
        wanted: u64,
        acquired: &mut LimitSetAcquisition,
        cancellation: &Cancellation,
    ) -> u64 {
        assert_eq!(acquired.requested("gate"), Some(wanted));
        while !cancellation.is_requested() {
            std::thread::yield_now();
        }
        wanted
    }

    pub fn nothing(&mut self) {}
}

/// Whether a call that holds the gate ends when it is cancelled, gives the gate back and leaves its worker to the next.
fn ends_when_cancelled<T, E>(mode: ExecutionMode, submit: impl Fn(&EndlessHandle) -> Call<T, E>)
where
    T: std::fmt::Debug,
    E: std::fmt::Debug,
{
    let gate = gate();
    let endless = Endless::options(mode, &gate, 1).init().unwrap();
    let call = submit(&endless);
    eventually(|| gate.stats().limits[0].in_use == 1);
    assert!(call.cancel());
    assert!(matches!(call.result(), Err(CallError::Cancelled)));
    endless.nothing().result().unwrap();
    eventually(|| gate.stats().limits[0].in_use == 0 && endless.stats().running == 0);
    assert_eq!(endless.stats().crashed, 0);
}

every_mode_in_background! {
    fn a_running_call_that_looks_ends_when_it_is_cancelled(mode: ExecutionMode) {
        ends_when_cancelled(mode, |endless| endless.looks("gate".into()));
        ends_when_cancelled(mode, |endless| endless.looks_with(1));
    }

    fn a_running_async_call_is_dropped_when_it_is_cancelled(mode: ExecutionMode) {
        ends_when_cancelled(mode, |endless| endless.awaits("gate".into()));
        ends_when_cancelled(mode, |endless| endless.awaits_alone("gate".into()));
        ends_when_cancelled(mode, |endless| endless.awaits_with(1));
    }
}

#[test]
fn a_method_that_is_called_directly_is_not_cancelled() {
    let cancellation = Cancellation::default();
    assert!(!cancellation.is_requested());
    assert_eq!(format!("{cancellation:?}"), "Cancellation { requested: false }");
}

#[test]
fn a_method_runs_where_its_mode_says() {
    let here = format!("{:?}", std::thread::current().id());
    let counter = Counter::options(ExecutionMode::Sync, (), 1).init(1).unwrap();
    let call = counter.thread();
    assert!(call.is_done());
    assert_eq!(call.result().unwrap(), here);
    let counter = Counter::options(ExecutionMode::Thread, (), 1).init(1).unwrap();
    let threads = gather((0..20).map(|_| counter.thread()).collect::<Vec<_>>()).result().unwrap();
    assert!(threads.iter().all(|thread| *thread == threads[0] && *thread != here), "{threads:?}");
}

#[test]
fn in_async_mode_a_method_that_is_not_async_leaves_its_runtime_free() {
    block_on(async {
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let acquirer = Acquirer::options(ExecutionMode::Async, &gate, 1).init().unwrap();
        let call = acquirer.acquire(amounts([("gate", 1)]), vec![]);
        // The only thread of this runtime.
        while gate.stats().limits[0].waiting == 0 {
            tokio::task::yield_now().await;
        }
        drop(closed);
        call.await.unwrap();
    });
}
