//! A pool that is used from within: by its own methods, and by callbacks that run on its own threads.

use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use concurry::prelude::*;

use super::workers::{Acquirer, AcquirerHandle, amounts};
use super::{block_on, eventually, every_mode_in_background, gate, tests_in};

/// Uses its own pool. A handle cannot travel: this worker cannot run in processes.
#[worker]
#[derive(Default)]
pub struct Insider;

#[worker]
impl Insider {
    /// Stops its pool, or drains it.
    pub fn end(&self, own: InsiderHandle, drain: bool) -> bool {
        if drain {
            own.drain(Duration::MAX)
        } else {
            own.stop();
            true
        }
    }

    pub async fn end_async(&mut self, own: InsiderHandle, drain: bool) -> bool {
        tokio::task::yield_now().await;
        self.end(own, drain)
    }

    /// Submits more than there is room for.
    pub fn fill(&mut self, own: InsiderHandle) -> Vec<Call<()>> {
        (0..3).map(|_| own.nothing()).collect()
    }

    pub async fn fill_async(&mut self, own: InsiderHandle) -> Vec<Call<()>> {
        tokio::task::yield_now().await;
        self.fill(own)
    }

    /// `&mut self`, so that it does not run meanwhile.
    pub fn nothing(&mut self) {}

    /// Waits for calls of its own pool in one of many ways; says how that ended.
    pub fn wait_for_own(&mut self, own: InsiderHandle, how: Way) -> (Outcome,) {
        (how(&own),)
    }

    pub async fn await_own(&mut self, own: InsiderHandle) -> (Outcome,) {
        (own.nothing().await,)
    }

    /// Blocks its thread for a call of its own pool, in its first step or in a later one.
    pub async fn block_for_own(&mut self, own: InsiderHandle, later: bool) -> (Outcome,) {
        if later {
            tokio::task::yield_now().await;
        }
        (own.nothing().result(),)
    }

    /// The same, beside others.
    pub async fn block_for_own_beside(&self, own: InsiderHandle, later: bool) -> (Outcome,) {
        if later {
            tokio::task::yield_now().await;
        }
        (own.nothing().result(),)
    }

    /// Waits for a call of its own pool once `all` of its kind have come so far.
    pub fn wait_together(&mut self, own: InsiderHandle, all: Arc<Barrier>) -> (Outcome,) {
        all.wait();
        (own.nothing().result(),)
    }

    pub fn wait_on(&mut self, all: Arc<Barrier>) {
        all.wait();
    }

    /// Waits for what another pool does.
    pub fn wait_for_other(&mut self, other: InsiderHandle, all: Arc<Barrier>) -> (Outcome,) {
        (other.wait_on(all).result(),)
    }

    /// Blocks its thread for a call of another pool, which sleeps a little.
    pub async fn block_for_another(&self, other: NestedHandle) -> bool {
        other.sleep().result().is_ok()
    }

    /// Blocks its thread for a call of its own pool when nobody else has a handle of that.
    pub async fn block_without_handles(
        &mut self,
        own: InsiderHandle,
        gate: LimitSet,
        told: mpsc::Sender<Outcome>,
    ) {
        drop(gate.acquire_async(()).await);
        let call = own.nothing();
        drop(own);
        told.send(call.result()).unwrap();
    }

    /// Waits for a while only; its call is told.
    pub async fn await_own_for_a_while(&mut self, own: InsiderHandle, done: mpsc::Sender<bool>) -> bool {
        let call = own.nothing();
        call.on_done(move |outcome| done.send(outcome.is_ok()).unwrap());
        let outcomes = gather([call]).timeout(Duration::from_millis(1)).outcomes_async().await;
        matches!(outcomes[..], [Err(CallError::Timeout)])
    }

    /// Waits twice, each time for one of two.
    pub async fn await_one_of_each(&mut self, own: InsiderHandle) -> bool {
        let first = || wait_async([own.nothing(), own.nothing()], ReturnWhen::FirstCompleted, None);
        let ((one, _), (other, _)) = tokio::join!(first(), first());
        let is_told = |done: Vec<Call<()>>| {
            done.into_iter().all(|call| matches!(call.result(), Err(CallError::WouldDeadlock)))
        };
        is_told(one) && is_told(other)
    }

    /// Runs beside others until the gate is open.
    pub async fn wait_at(&self, gate: LimitSet) {
        drop(gate.acquire_async(()).await);
    }

    /// Submits a call to its own pool, tells that, and waits for it once the gate is open.
    pub async fn submit_and_await_own(
        &mut self,
        own: InsiderHandle,
        told: mpsc::Sender<()>,
        gate: LimitSet,
    ) -> (Outcome,) {
        let call = own.nothing();
        told.send(()).unwrap();
        drop(gate.acquire_async(()).await);
        (call.await,)
    }

    /// Looks for what is done, once, and then waits for another pool.
    pub fn look_and_wait_for_other(
        &mut self,
        own: InsiderHandle,
        other: InsiderHandle,
        all: Arc<Barrier>,
    ) -> Call<()> {
        let (tell, told) = mpsc::channel();
        let call = own.nothing();
        call.on_done(move |_| tell.send(()).unwrap_or_default());
        let mut completed = as_completed([call]);
        let look = std::future::poll_fn(|context| {
            let next = std::pin::pin!(completed.next_async());
            std::task::Poll::Ready(next.poll(context).is_ready())
        });
        assert!(!block_on(look));
        other.wait_on(all).result().unwrap();
        assert!(told.try_recv().is_err(), "it was not answered meanwhile");
        let (_, rest) = wait([own.nothing()], ReturnWhen::AllCompleted, Some(Duration::ZERO));
        rest.into_iter().next().unwrap()
    }

    /// As [`await_own`](Self::await_own), beside others.
    pub async fn await_own_beside(&self, own: InsiderHandle) -> (Outcome,) {
        (own.nothing().await,)
    }

    /// As [`wait_for_own`](Self::wait_for_own), beside others.
    pub fn wait_for_own_beside(&self, own: InsiderHandle, how: Way) -> (Outcome,) {
        (how(&own),)
    }

    /// Waits for what runs beside others, though one that does not may stand before it.
    pub async fn await_what_runs_beside(&self, own: InsiderHandle) -> (Outcome,) {
        (own.beside().await,)
    }

    pub async fn beside(&self) {}

    pub fn fails(&mut self) -> Result<(), String> {
        Err("no".to_owned())
    }
}

/// Sleeps where it was called.
#[worker]
#[derive(Default)]
pub struct Nested;

#[worker]
impl Nested {
    pub async fn sleep(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// How a wait within a method ended. In a tuple it is a value: returned as such it would be the method's own failure.
type Outcome = Result<(), CallError>;
type Way = fn(&InsiderHandle) -> Outcome;

/// The ways in which a worker can wait for a call of its own pool.
const WAYS: [(&str, Way); 8] = [
    ("result", |own| own.nothing().result()),
    ("map", |own| own.nothing().map(|()| 1).map(|_| ()).result()),
    ("and_then", |own| {
        let next = own.clone();
        own.nothing().and_then(move |()| next.nothing()).result()
    }),
    ("a retry", |own| match own.fails().result() {
        Err(CallError::WouldDeadlock) => Err(CallError::WouldDeadlock),
        other => panic!("{other:?}"),
    }),
    ("gather", |own| gather([own.nothing(), own.nothing()]).result().map(drop)),
    ("outcomes", |own| {
        let outcomes = gather([own.nothing(), own.nothing()]).outcomes();
        outcomes.into_iter().find(Result::is_ok).unwrap_or(Err(CallError::WouldDeadlock))
    }),
    ("as_completed", |own| {
        let outcomes = as_completed([own.nothing(), own.nothing()]).map(|(_, outcome)| outcome);
        outcomes.collect::<Vec<_>>().into_iter().find(Result::is_ok).unwrap_or(Err(CallError::WouldDeadlock))
    }),
    ("wait", |own| {
        let (done, _) = wait([own.nothing(), own.nothing()], ReturnWhen::FirstCompleted, None);
        done.into_iter().next().unwrap().result()
    }),
];

tests_in! { [thread: Thread, in_async: Async]
    fn a_worker_that_waits_for_what_only_it_could_run_is_told_so(mode: ExecutionMode) {
        let own = Insider::options(mode, (), 1).retry(Retry::fixed(3)).init().unwrap();
        for (name, how) in WAYS {
            let outcome = own.wait_for_own(own.clone(), how).result().unwrap().0;
            assert!(matches!(outcome, Err(CallError::WouldDeadlock)), "{name}: {outcome:?}");
            own.nothing().result().unwrap();
        }
        assert!(matches!(own.await_own(own.clone()).result().unwrap().0, Err(CallError::WouldDeadlock)));
        eventually(|| own.stats().queued == 0 && own.stats().running == 0);
    }

    fn an_async_method_that_blocks_its_thread_for_what_only_its_worker_could_run_is_told_so(mode: ExecutionMode) {
        let own = Insider::options(mode, (), 1).init().unwrap();
        for later in [false, true] {
            let outcomes = [own.block_for_own(own.clone(), later), own.block_for_own_beside(own.clone(), later)];
            for (outcome, name) in outcomes.into_iter().zip(["alone", "beside"]) {
                let outcome = outcome.result().unwrap().0;
                assert!(matches!(outcome, Err(CallError::WouldDeadlock)), "{name}, {later}: {outcome:?}");
            }
            own.nothing().result().unwrap();
        }
        let two = Insider::options(mode, (), 2).init().unwrap();
        for later in [false, true] {
            two.block_for_own(two.clone(), later).result().unwrap().0.expect("the other one runs it");
        }
        eventually(|| own.stats().queued == 0 && own.stats().running == 0);
    }

    fn of_workers_that_wait_for_each_other_the_last_is_told_and_runs_what_the_others_wait_for(mode: ExecutionMode) {
        let own = Insider::options(mode, (), 3).init().unwrap();
        let all = Arc::new(Barrier::new(3));
        let calls: Vec<_> = (0..3).map(|_| own.wait_together(own.clone(), Arc::clone(&all))).collect();
        let outcomes = gather(calls).result().unwrap();
        let told = outcomes.iter().filter(|(outcome,)| matches!(outcome, Err(CallError::WouldDeadlock))).count();
        assert_eq!((told, outcomes.iter().filter(|(outcome,)| outcome.is_ok()).count()), (1, 2), "{outcomes:?}");
    }

    fn who_waits_for_one_that_waits_in_vain_has_that_one_told(mode: ExecutionMode) {
        let own = Insider::options(mode, (), 2).init().unwrap();
        let how: Way = |own| {
            let other = own.wait_for_own(own.clone(), |own| own.nothing().result());
            eventually(|| own.stats().queued == 1);
            // It falls asleep meanwhile; if not, it is the last one to do so.
            (0..20_000).for_each(|_| std::thread::yield_now());
            other.result()?.0
        };
        let outcome = own.wait_for_own(own.clone(), how).result().unwrap().0;
        assert!(matches!(outcome, Err(CallError::WouldDeadlock)), "{outcome:?}");
    }

    fn a_call_that_is_waited_for_no_more_is_not_taken_for_one_that_is(mode: ExecutionMode) {
        let own = Insider::options(mode, (), 1).init().unwrap();
        let how: Way = |own| {
            let (one, two) = (own.nothing(), own.nothing());
            assert!(matches!(one.result_timeout(Duration::from_micros(1)), Err(CallError::Timeout)));
            let (_, rest) = wait([two], ReturnWhen::AllCompleted, Some(Duration::from_micros(1)));
            let others = TaskWorker::options(ExecutionMode::Thread, (), 1).init().unwrap();
            others.submit(|| (0..20_000).for_each(|_| std::thread::yield_now())).result()?;
            // This worker runs them next.
            assert!(!one.is_done() && rest.iter().all(|call| !call.is_done()));
            Ok(())
        };
        own.wait_for_own(own.clone(), how).result().unwrap().0.unwrap();
    }

    fn a_worker_that_waits_for_another_pool_is_left_to_wait(mode: ExecutionMode) {
        let own = Insider::options(mode, (), 1).init().unwrap();
        let other = Insider::options(mode, (), 1).init().unwrap();
        let all = Arc::new(Barrier::new(2));
        let waits = own.wait_for_other(other, Arc::clone(&all));
        let unrelated = own.nothing();
        eventually(|| own.stats().running == 1);
        all.wait();
        gather([waits.map(|(outcome,)| outcome.unwrap()), unrelated]).result().unwrap();
    }

    fn a_call_that_is_for_the_worker_that_waits_for_it_is_in_vain_though_others_are_idle(mode: ExecutionMode) {
        let own = Insider::options(mode, (), 4).init().unwrap();
        let routed = own.affinity("me");
        let outcome = routed.wait_for_own(routed.clone(), |own| own.nothing().result()).result().unwrap().0;
        assert!(matches!(outcome, Err(CallError::WouldDeadlock)), "{outcome:?}");
        let outcome = routed.wait_for_own(own.clone(), |own| own.nothing().result()).result().unwrap().0;
        assert!(outcome.is_ok(), "another one has run it: {outcome:?}");
    }

    fn when_the_worker_that_could_have_run_it_ends_whoever_waits_is_told(mode: ExecutionMode) {
        let own = Insider::options(mode, (), 2).init().unwrap();
        let all = Arc::new(Barrier::new(2));
        let busy = own.wait_on(Arc::clone(&all));
        let waits = own.wait_for_own(own.clone(), |own| own.nothing().result());
        eventually(|| own.stats().running == 2 && own.stats().queued == 1);
        own.resize(1).unwrap();
        all.wait();
        busy.result().unwrap();
        assert!(matches!(waits.result().unwrap().0, Err(CallError::WouldDeadlock)));
        own.nothing().result().unwrap();
    }
}

#[test]
fn a_method_that_runs_beside_others_and_waits_for_one_that_does_not_is_told_so() {
    let own = Insider::options(ExecutionMode::Async, (), 1).retry(Retry::fixed(3)).init().unwrap();
    for _ in 0..3 {
        let outcome = own.await_own_beside(own.clone()).result().unwrap().0;
        assert!(matches!(outcome, Err(CallError::WouldDeadlock)), "{outcome:?}");
        own.await_what_runs_beside(own.clone()).result().unwrap().0.unwrap();
    }
    for (name, how) in WAYS {
        let outcome = own.wait_for_own_beside(own.clone(), how).result().unwrap().0;
        assert!(matches!(outcome, Err(CallError::WouldDeadlock)), "{name}: {outcome:?}");
        own.nothing().result().unwrap();
    }
    eventually(|| own.stats().queued == 0 && own.stats().running == 0);
}

#[test]
fn who_waits_twice_for_one_of_several_is_told_of_both() {
    let own = Insider::options(ExecutionMode::Async, (), 1).init().unwrap();
    assert!(own.await_one_of_each(own.clone()).result().unwrap());
}

#[test]
fn what_ends_late_beside_others_takes_nothing_from_what_runs_alone() {
    let own = Insider::options(ExecutionMode::Async, (), 1).init().unwrap();
    let (first, second) = (gate(), gate());
    let (first_closed, second_closed) = (first.acquire(()).unwrap(), second.acquire(()).unwrap());
    let (tell, told) = mpsc::channel();
    let beside = own.wait_at(first.clone());
    // It counts as running until this has ended.
    let told = std::sync::Mutex::new(told);
    beside.on_done(move |_| tokio::task::block_in_place(|| told.lock().unwrap().recv().unwrap()));
    eventually(|| first.stats().limits[0].waiting == 1);
    let alone = own.submit_and_await_own(own.clone(), tell, second.clone());
    drop(first_closed);
    beside.result().unwrap();
    eventually(|| second.stats().limits[0].waiting == 1 && own.stats().running == 1);
    drop(second_closed);
    let outcome = alone.result().unwrap().0;
    assert!(matches!(outcome, Err(CallError::WouldDeadlock)), "{outcome:?}");
}

#[test]
fn who_waits_for_a_while_is_not_told_that_it_is_in_vain() {
    let own = Insider::options(ExecutionMode::Async, (), 1).init().unwrap();
    let (tell, told) = mpsc::channel();
    assert!(own.await_own_for_a_while(own.clone(), tell).result().unwrap());
    assert!(told.recv().unwrap(), "it was run afterwards");
}

#[test]
fn who_has_stopped_waiting_for_a_call_is_not_taken_for_one_who_waits() {
    let own = Insider::options(ExecutionMode::Thread, (), 1).init().unwrap();
    let other = Insider::options(ExecutionMode::Thread, (), 1).init().unwrap();
    let all = Arc::new(Barrier::new(2));
    let call = own.look_and_wait_for_other(own.clone(), other, Arc::clone(&all));
    (0..20_000).for_each(|_| std::thread::yield_now());
    all.wait();
    call.result().unwrap().result().unwrap();
}

#[test]
fn a_worker_that_waits_for_what_another_one_will_run_is_left_to_wait() {
    for mode in [ExecutionMode::Thread, ExecutionMode::Async] {
        let own = Insider::options(mode, (), 2).init().unwrap();
        let other = Insider::options(mode, (), 1).init().unwrap();
        let all = Arc::new(Barrier::new(2));
        // It sleeps, and will be free again.
        let busy = own.wait_for_other(other.clone(), Arc::clone(&all));
        eventually(|| other.stats().running == 1 && own.stats().running == 1);
        let waits = own.wait_for_own(own.clone(), |own| own.nothing().result());
        eventually(|| own.stats().queued == 1);
        (0..20_000).for_each(|_| std::thread::yield_now());
        all.wait();
        busy.result().unwrap().0.unwrap();
        let outcome = waits.result().unwrap().0;
        assert!(outcome.is_ok(), "{mode}: {outcome:?}");
    }
}

#[test]
fn a_map_within_a_map_ends() {
    for mode in [ExecutionMode::Thread, ExecutionMode::Async] {
        for workers in [1, 2] {
            let tasks = TaskWorker::options(mode, (), workers).init().unwrap();
            let own = tasks.clone();
            let outer = tasks.map(0..8, move |item| own.map(0..100, move |inner| item * inner).result());
            for inner in outer.result().unwrap() {
                assert!(matches!(inner, Ok(_) | Err(CallError::WouldDeadlock)), "{inner:?}");
            }
            assert_eq!(tasks.map(0..3, |item| item).result().unwrap(), [0, 1, 2]);
        }
    }
}

#[test]
fn a_map_that_goes_on_when_its_first_helper_has_left_does_not_wait_in_vain() {
    let tasks = TaskWorker::options(ExecutionMode::Thread, (), 2).init().unwrap();
    let (own, other) = (tasks.clone(), tasks.clone());
    let (goes_on, until) = mpsc::channel::<()>();
    let (has_mapped, mapped) = mpsc::channel();
    let map = tasks.submit(move || {
        // The second item comes when everything else is there.
        let items = (0..2).inspect(move |item| {
            if *item == 1 {
                until.recv().unwrap();
            }
        });
        let has_mapped = std::sync::Mutex::new(has_mapped);
        own.map(items, move |item| has_mapped.lock().unwrap().send(item).unwrap()).result()
    });
    assert_eq!(mapped.recv().unwrap(), 0);
    // The helper has left when its worker takes this, which then waits for a call that nobody is there to run.
    let (has_begun, begun) = mpsc::channel();
    let waits = tasks.submit(move || {
        let call = other.submit(|| 1);
        has_begun.send(()).unwrap();
        call.result()
    });
    begun.recv().unwrap();
    goes_on.send(()).unwrap();
    let outcomes = (map.result().unwrap().map(drop), waits.result().unwrap().map(drop));
    let is_told = |outcome: &Result<(), CallError>| matches!(outcome, Err(CallError::WouldDeadlock));
    assert!(is_told(&outcomes.0) || is_told(&outcomes.1), "{outcomes:?}");
}

#[test]
fn a_task_that_waits_for_a_task_or_a_map_of_its_own_is_told_so() {
    let tasks = TaskWorker::options(ExecutionMode::Thread, (), 1).init().unwrap();
    let own = tasks.clone();
    let call = tasks.submit(move || (own.submit(|| 1).result(), own.map(0..100, |item| item).result()));
    let outcomes = call.result().unwrap();
    assert!(
        matches!(outcomes, (Err(CallError::WouldDeadlock), Err(CallError::WouldDeadlock))),
        "{outcomes:?}"
    );
    assert_eq!(tasks.map(0..3, |item| item).result().unwrap(), [0, 1, 2]);
}

#[test]
fn a_method_that_ends_its_own_pool_does_not_wait_for_itself() {
    for mode in [ExecutionMode::Sync, ExecutionMode::Thread, ExecutionMode::Async] {
        for (drain, is_async) in [(false, false), (false, true), (true, false), (true, true)] {
            let own = Insider::options(mode, (), 1).init().unwrap();
            let call = if is_async { own.end_async(own.clone(), drain) } else { own.end(own.clone(), drain) };
            assert_eq!(call.result().unwrap(), !drain, "{mode}");
            eventually(|| own.workers() == 0);
            assert!(matches!(own.nothing().result(), Err(CallError::Stopped)));
        }
    }
}

#[test]
fn a_method_that_fills_its_own_pool_is_told_so() {
    for mode in [ExecutionMode::Thread, ExecutionMode::Async] {
        for is_async in [false, true] {
            let own = Insider::options(mode, (), 1).max_queued_calls(1).init().unwrap();
            let call = if is_async { own.fill_async(own.clone()) } else { own.fill(own.clone()) };
            is_filled(call.result().unwrap());
            own.nothing().result().unwrap();
        }
    }
}

/// One had room.
fn is_filled<T: std::fmt::Debug, E: std::fmt::Debug>(calls: Vec<Call<T, E>>) {
    let outcomes: Vec<_> = calls.into_iter().map(Call::result).collect();
    assert!(
        matches!(&outcomes[..], [Ok(_), Err(CallError::WouldDeadlock), Err(CallError::WouldDeadlock)]),
        "{outcomes:?}"
    );
}

/// Runs `callback` on the thread of the pool that ends a call, and returns what it makes.
fn in_callback<R: Send + 'static>(
    mode: ExecutionMode,
    callback: impl FnOnce(&AcquirerHandle) -> R + Send + 'static,
) -> (AcquirerHandle, R) {
    let gate = gate();
    let closed = gate.acquire(()).unwrap();
    let acquirer = Acquirer::options(mode, &gate, 1).max_queued_calls(1).init().unwrap();
    let (tell, told) = mpsc::channel();
    let call = acquirer.acquire(amounts([("gate", 1)]), vec![]);
    let own = acquirer.clone();
    call.on_done(move |_| tell.send(callback(&own)).unwrap());
    drop(closed);
    let made = told.recv().unwrap();
    call.result().unwrap();
    (acquirer, made)
}

every_mode_in_background! {
    fn a_callback_that_stops_the_pool_does_not_wait_for_itself(mode: ExecutionMode) {
        let (acquirer, ()) = in_callback(mode, |own| own.stop());
        eventually(|| acquirer.workers() == 0);
    }

    fn a_callback_that_drains_the_pool_leaves_what_was_submitted(mode: ExecutionMode) {
        let (acquirer, (drained, call)) = in_callback(mode, |own| {
            let call = own.process_id();
            (own.drain(Duration::MAX), call)
        });
        assert!(!drained);
        call.result().unwrap();
        eventually(|| acquirer.workers() == 0);
    }

    fn a_callback_that_fills_the_pool_is_told_so(mode: ExecutionMode) {
        let (acquirer, calls) = in_callback(mode, |own| (0..3).map(|_| own.try_acquire(vec![])).collect::<Vec<_>>());
        is_filled(calls);
        acquirer.process_id().result().unwrap();
    }
}

#[tokio::test]
async fn on_a_runtime_of_one_thread_who_blocks_it_is_told_whoever_else_is_there() {
    let own = Insider::options(ExecutionMode::Async, (), 2).init().unwrap();
    let nested = Nested::options(ExecutionMode::Sync, (), 1).init().unwrap();
    for later in [false, true] {
        let outcome = own.block_for_own(own.clone(), later).await.unwrap().0;
        assert!(matches!(outcome, Err(CallError::WouldDeadlock)), "{later}: {outcome:?}");
        let outcome = own.block_for_own_beside(own.clone(), later).await.unwrap().0;
        assert!(matches!(outcome, Err(CallError::WouldDeadlock)), "beside, {later}: {outcome:?}");
    }
    own.nothing().await.unwrap();
    // In there another runtime is entered, which has other threads; they are not this one's.
    assert!(own.block_for_another(nested).await.unwrap());
}

#[test]
fn an_async_method_that_outlives_the_handles_of_its_pool_is_told_as_well() {
    let own = Insider::options(ExecutionMode::Async, (), 1).init().unwrap();
    let (tell, told) = mpsc::channel();
    let gate = gate();
    let held = gate.acquire(()).unwrap();
    let call = own.block_without_handles(own.clone(), gate, tell);
    drop(own);
    drop(held);
    assert!(matches!(told.recv().unwrap(), Err(CallError::WouldDeadlock)));
    call.result().unwrap();
}

#[test]
fn a_drain_of_sync_mode_does_not_wait_longer_than_it_is_told() {
    let gate = gate();
    let closed = gate.acquire(()).unwrap();
    let acquirer = Acquirer::options(ExecutionMode::Sync, &gate, 1).init().unwrap();
    let other = std::thread::spawn({
        let acquirer = acquirer.clone();
        move || acquirer.acquire(amounts([("gate", 1)]), vec![]).result()
    });
    eventually(|| gate.stats().limits[0].waiting == 1);
    assert!(!acquirer.drain(Duration::ZERO));
    assert_eq!((acquirer.stats().running, acquirer.workers()), (1, 1));
    drop(closed);
    other.join().unwrap().unwrap();
    assert_eq!(acquirer.workers(), 0, "the last to leave has ended the worker");
}

#[test]
fn in_sync_mode_a_method_within_a_chain_of_calls_has_chains_of_its_own_run_here_and_now() {
    let own = Insider::options(ExecutionMode::Sync, (), 1).init().unwrap();
    let again = own.clone();
    let chained = own.nothing().and_then(move |()| {
        again.wait_for_own(again.clone(), |_| {
            let (tell, told) = mpsc::channel();
            let mapped: Call<()> = Call::ended(Ok(()));
            let mapped = mapped.map(move |()| tell.send(()).unwrap());
            // By something that knows nothing of calls.
            told.recv().unwrap();
            mapped.result()
        })
    });
    chained.result().unwrap().0.unwrap();
}
