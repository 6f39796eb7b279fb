//! Functions as tasks: closures and futures in a `TaskWorker`, and functions with `#[task]`.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use concurry::prelude::*;
use concurry::{TaskWorkerHandle, clock};

use super::{eventually, every_mode, every_mode_of_closures};

fn tasks(mode: ExecutionMode) -> TaskWorkerHandle {
    let workers = if mode == ExecutionMode::Sync { 1 } else { 3 };
    TaskWorker::options(mode, (), workers).init().unwrap()
}

every_mode_of_closures! {
    fn a_closure_gives_its_value_and_moves_what_it_owns(mode: ExecutionMode) {
        let text = String::from("four");
        assert_eq!(tasks(mode).submit(move || text.len()).result().unwrap(), 4);
    }

    fn what_a_closure_returns_is_its_value_also_a_result(mode: ExecutionMode) {
        let call: Call<Result<u8, _>> = tasks(mode).submit(|| "no number".parse::<u8>());
        assert!(call.result().unwrap().is_err());
    }

    fn a_future_gives_its_value_and_may_use_timers(mode: ExecutionMode) {
        let tasks = tasks(mode);
        let call = tasks.submit_async(async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            7
        });
        assert_eq!(call.result().unwrap(), 7);
    }

    fn a_panic_reaches_its_call_and_the_pool_goes_on(mode: ExecutionMode) {
        let tasks = tasks(mode);
        let (number, text) = (tasks.submit(|| -> u8 { panic!("in a closure") }), String::from("in a future"));
        let future = tasks.submit_async(async move { assert!(text.is_empty(), "{text}") });
        let Err(CallError::Panicked(panic)) = number.result() else { panic!("it panicked") };
        assert_eq!(panic.message(), "in a closure");
        assert!(panic.location().unwrap().contains("tasks.rs"), "{panic}");
        let Err(CallError::Panicked(panic)) = future.result() else { panic!("it panicked") };
        assert_eq!(panic.message(), "in a future");
        assert_eq!(tasks.submit(|| 1).result().unwrap(), 1);
        eventually(|| tasks.stats().done == 3);
        assert_eq!(tasks.stats().crashed, 2);
    }

    fn a_closure_sees_the_limits_of_its_worker(mode: ExecutionMode) {
        let set = LimitSet::builder().limit(ResourceLimit::new("disk", 1)).build().unwrap();
        let tasks = TaskWorker::options(mode, set.clone(), 1).init().unwrap();
        let call = tasks.submit_with_limits(|limits| {
            let acquired = limits.acquire([("disk", 1)]).unwrap();
            (acquired.requested("disk"), limits.try_acquire([("disk", 1)]).is_err())
        });
        assert_eq!(call.result().unwrap(), (Some(1), true));
        assert!(set.try_acquire([("disk", 1)]).is_ok(), "it was given back");
    }

    fn the_options_and_the_end_are_those_of_every_pool(mode: ExecutionMode) {
        let tasks = TaskWorker::options(mode, (), 1).name("helpers").max_queued_calls(5).init().unwrap();
        assert_eq!(tasks.submit(|| 1).result().unwrap(), 1);
        let stats = tasks.stats();
        assert_eq!((stats.name.as_str(), stats.mode, stats.workers), ("helpers", mode, 1));
        assert!(tasks.drain(Duration::from_secs(600)));
        assert!(matches!(tasks.submit(|| 1).result(), Err(CallError::Stopped)));
        assert!(matches!(tasks.submit_async(async { 1 }).result(), Err(CallError::Stopped)));
        assert!(matches!(tasks.map(0..10, |n| n).result(), Err(CallError::Stopped)));
        assert!(matches!(tasks.map(0..0, |n| n).result(), Err(CallError::Stopped)));
    }

    fn a_map_keeps_the_order_of_its_items(mode: ExecutionMode) {
        let tasks = tasks(mode);
        for count in [0usize, 1, 2, 3, 100, 50_000] {
            let texts = tasks.map(0..count, |n| n.to_string()).result().unwrap();
            assert_eq!(texts.len(), count);
            assert!(texts.iter().enumerate().all(|(n, text)| *text == n.to_string()));
        }
    }

    fn a_map_takes_any_iterator_also_one_that_borrows(mode: ExecutionMode) {
        let names = ["Ada".to_owned(), "Grace".to_owned()];
        let lengths = tasks(mode).map(names.iter().filter(|name| name.len() > 3).cloned(), |name| name.len());
        assert_eq!(lengths.result().unwrap(), [5]);
    }

    fn a_panic_in_a_map_names_its_item(mode: ExecutionMode) {
        let tasks = tasks(mode);
        let call = tasks.map(0..10_000, |n| if n == 7_001 { panic!("odd one") } else { n });
        let Err(CallError::Panicked(panic)) = call.result() else { panic!("it panicked") };
        assert_eq!(panic.message(), "item 7001: odd one");
        assert_eq!(tasks.map(0..3, |n| n).result().unwrap(), [0, 1, 2]);
    }

    fn a_map_takes_ranges_of_numbers_of_any_kind(mode: ExecutionMode) {
        let tasks = tasks(mode);
        assert!(tasks.map(-20_000..=20_000i16, |n| n).result().unwrap().into_iter().eq(-20_000..=20_000));
        assert!(tasks.map(0..=u8::MAX, |n| n.to_string()).result().unwrap().iter().eq(&(0..=255).map(|n: u8| n.to_string()).collect::<Vec<_>>()));
        assert!(tasks.map((0..30_000u64).rev(), |n| n + 1).result().unwrap().into_iter().eq((1..=30_000).rev()));
        assert_eq!(tasks.map(7..7u64, |n| n).result().unwrap(), Vec::<u64>::new());
        assert_eq!(tasks.map(0..1_000usize, |_| ()).result().unwrap().len(), 1_000);
    }

    fn a_map_is_whole_where_few_may_wait(mode: ExecutionMode) {
        for when_full in [WhenFull::Wait, WhenFull::Reject, WhenFull::DropOldest] {
            let few = TaskWorker::options(mode, (), 1).max_queued_calls(1).when_full(when_full).init().unwrap();
            let doubled = few.map(0..30_000u32, |n| 2 * n).result().unwrap();
            assert!(doubled.into_iter().eq((0..60_000).step_by(2)));
        }
    }

    fn what_a_map_that_fails_has_made_is_dropped(mode: ExecutionMode) {
        let tasks = tasks(mode);
        let made = Arc::new(());
        for bad in [0, 7_001, 29_999] {
            let one = Arc::clone(&made);
            let call = tasks.map(0..30_000, move |n| { assert!(n != bad, "on purpose"); Arc::clone(&one) });
            assert!(matches!(call.result(), Err(CallError::Panicked(_))));
            eventually(|| Arc::strong_count(&made) == 1);
        }
    }

    fn an_iterator_that_panics_panics_in_the_caller_and_hangs_nothing(mode: ExecutionMode) {
        let tasks = tasks(mode);
        let items = (0..1_000).inspect(|n| assert!(*n < 900, "the iterator"));
        let used = Arc::new(());
        let (result, inside) = (thread::scope(|scope| {
            scope.spawn(|| { let used = Arc::clone(&used); tasks.map(items, move |n| { let _ = &used; n }) }).join()
        }), Arc::downgrade(&used));
        assert!(result.is_err());
        assert!(tasks.drain(Duration::from_secs(600)));
        drop(used);
        eventually(|| inside.strong_count() == 0);
    }
}

/// A worker looks between shares whether anybody still waits, and its first is small: nobody knows yet what an item costs.
#[test]
fn a_map_that_nobody_waits_for_ends_after_a_few_items() {
    let tasks = TaskWorker::options(ExecutionMode::Thread, (), 1).init().unwrap();
    let ((halted, halts), (go, goes)) = (mpsc::channel(), mpsc::channel::<()>());
    let (goes, done) = (Mutex::new(goes), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&done);
    let call = tasks.map(0..1_000_000, move |n| {
        if n == 0 {
            halted.send(()).unwrap();
            goes.lock().unwrap().recv().unwrap();
        }
        counted.fetch_add(1, Ordering::SeqCst);
    });
    halts.recv().unwrap();
    assert!(call.cancel());
    go.send(()).unwrap();
    assert!(tasks.drain(Duration::from_secs(600)));
    assert!((1..=16).contains(&done.load(Ordering::SeqCst)), "{done:?}");
}

/// Two closures of a pool with two workers, in thread and async mode, run at the same time.
#[test]
fn closures_run_side_by_side() {
    for mode in [ExecutionMode::Thread, ExecutionMode::Async] {
        let tasks = TaskWorker::options(mode, (), 2).init().unwrap();
        let both = Arc::new(Barrier::new(2));
        let calls: Vec<_> =
            (0..2).map(|_| Arc::clone(&both)).map(|both| tasks.submit(move || both.wait())).collect();
        assert_eq!(gather(calls).result().unwrap().len(), 2);
    }
}

#[test]
fn futures_of_one_async_worker_run_side_by_side() {
    let tasks = TaskWorker::options(ExecutionMode::Async, (), 1).init().unwrap();
    let both = Arc::new(tokio::sync::Barrier::new(2));
    let calls: Vec<_> = (0..2)
        .map(|_| Arc::clone(&both))
        .map(|both| tasks.submit_async(async move { both.wait().await.is_leader() }))
        .collect();
    assert_eq!(gather(calls).result().unwrap().len(), 2);
}

/// A panic does not hold up what comes after it, however long another task runs.
#[test]
fn a_panic_in_async_mode_disturbs_no_other_task() {
    let tasks = TaskWorker::options(ExecutionMode::Async, (), 1).init().unwrap();
    let (let_go, held) = mpsc::channel::<()>();
    let long = tasks.submit(move || held.recv().is_ok());
    assert!(matches!(tasks.submit(|| panic!("here")).result(), Err(CallError::Panicked(_))));
    assert!(matches!(tasks.submit_async(async { panic!("there") }).result(), Err(CallError::Panicked(_))));
    assert_eq!(tasks.submit(|| 1).result().unwrap(), 1);
    let_go.send(()).unwrap();
    assert!(long.result().unwrap());
}

#[test]
fn a_queued_task_that_is_cancelled_does_not_run() {
    let tasks = TaskWorker::options(ExecutionMode::Thread, (), 1).init().unwrap();
    let (let_go, held) = mpsc::channel::<()>();
    let first = tasks.submit(move || held.recv().is_ok());
    let ran = Arc::new(AtomicBool::new(false));
    let second = tasks.submit({
        let ran = Arc::clone(&ran);
        move || ran.store(true, Ordering::SeqCst)
    });
    assert!(second.cancel());
    let_go.send(()).unwrap();
    assert!(first.result().unwrap());
    tasks.submit(|| ()).result().unwrap();
    assert!(!ran.load(Ordering::SeqCst));
}

#[test]
fn a_map_has_at_most_as_many_threads_as_the_pool_has_workers_and_uses_them_all() {
    let tasks = TaskWorker::options(ExecutionMode::Thread, (), 3).init().unwrap();
    let (now, most, all) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)), Barrier::new(3));
    let seen = Arc::clone(&most);
    let call = tasks.map(0..300, move |_| {
        seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        all.wait(); // returns for three at a time
        now.fetch_sub(1, Ordering::SeqCst);
    });
    call.result().unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

/// A map of which the first item is held; gives the call, what lets it go, and how many items were begun.
fn held_map(tasks: &TaskWorkerHandle) -> (Call<Vec<u32>>, mpsc::Sender<()>, Arc<AtomicUsize>) {
    let (let_go, held) = mpsc::channel::<()>();
    let (held, begun) = (Mutex::new(held), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&begun);
    let call = tasks.map(0..100_000, move |n| {
        if count.fetch_add(1, Ordering::SeqCst) == 0 {
            held.lock().unwrap().recv().unwrap();
        }
        n
    });
    eventually(|| begun.load(Ordering::SeqCst) > 0);
    (call, let_go, begun)
}

#[test]
fn a_map_that_is_cancelled_ends_after_the_chunk_that_runs() {
    let tasks = TaskWorker::options(ExecutionMode::Thread, (), 1).init().unwrap();
    let (call, let_go, begun) = held_map(&tasks);
    assert!(call.cancel());
    let_go.send(()).unwrap();
    assert!(tasks.drain(Duration::from_secs(600)));
    assert!(begun.load(Ordering::SeqCst) < 100_000);
    assert!(matches!(call.result(), Err(CallError::Cancelled)));
}

#[test]
fn who_would_help_with_a_map_that_is_cancelled_waits_no_more() {
    let tasks = TaskWorker::options(ExecutionMode::Thread, (), 1).init().unwrap();
    let (first, let_go, _) = held_map(&tasks);
    let owned = Arc::new(());
    let shared = Arc::clone(&owned);
    let second = tasks.map(0..10, move |n| n + Arc::strong_count(&shared));
    assert_eq!((tasks.stats().queued, Arc::strong_count(&owned)), (1, 2));
    assert!(second.cancel());
    assert_eq!((tasks.stats().queued, Arc::strong_count(&owned)), (0, 1));
    let_go.send(()).unwrap();
    assert_eq!(first.result().unwrap().len(), 100_000);
}

#[test]
fn a_map_of_a_pool_that_is_stopped_ends_after_the_chunk_that_runs() {
    let tasks = TaskWorker::options(ExecutionMode::Thread, (), 1).init().unwrap();
    let (call, let_go, begun) = held_map(&tasks);
    thread::scope(|scope| {
        scope.spawn(|| tasks.stop());
        eventually(|| matches!(tasks.submit(|| ()).result_timeout(Duration::ZERO), Err(CallError::Stopped)));
        let_go.send(()).unwrap();
    });
    assert!(begun.load(Ordering::SeqCst) < 100_000);
    assert!(matches!(call.result(), Err(CallError::Stopped)));
}

#[test]
fn a_drained_pool_finishes_its_maps() {
    let tasks = TaskWorker::options(ExecutionMode::Thread, (), 2).init().unwrap();
    let call = tasks.map(0..1_000u32, |n| n + 1);
    assert!(tasks.drain(Duration::from_secs(600)));
    assert_eq!(call.result().unwrap().len(), 1_000);
}

#[test]
fn a_task_of_a_sync_pool_that_maps_on_it_is_told() {
    let tasks = TaskWorker::options(ExecutionMode::Sync, (), 1).init().unwrap();
    let inner = tasks.clone();
    let call = tasks.submit(move || inner.map(0..3, |n| n).result());
    assert!(matches!(call.result().unwrap(), Err(CallError::WouldDeadlock)));
}

#[test]
fn closures_do_not_travel_and_init_says_what_does() {
    for mode in [ExecutionMode::Process, ExecutionMode::Ray] {
        let error = TaskWorker::options(mode, (), 2).init().unwrap_err().to_string();
        assert!(error.contains(&format!("mode {mode}")) && error.contains("#[task]"), "{error}");
    }
}

every_mode! {
    fn a_task_is_given_its_acquisition_and_its_cancellation(mode: ExecutionMode) {
        let set = LimitSet::builder().limit(ResourceLimit::new("disk", 3)).build().unwrap();
        let tasks = given::options(mode, &set, 1).init().unwrap();
        assert!(tasks.call(2).result().unwrap());
        assert!(matches!(tasks.call(4).result(), Err(CallError::NotAdmitted(_))));
    }
}

#[test]
fn a_future_that_is_cancelled_gives_its_worker_back() {
    for mode in [ExecutionMode::Thread, ExecutionMode::Async] {
        let tasks = TaskWorker::options(mode, (), 1).init().unwrap();
        let begun = Arc::new(AtomicBool::new(false));
        let begins = Arc::clone(&begun);
        let endless = tasks.submit_async(async move {
            begins.store(true, Ordering::SeqCst);
            std::future::pending::<()>().await;
        });
        eventually(|| begun.load(Ordering::SeqCst));
        assert!(endless.cancel());
        assert_eq!(tasks.submit(|| 1).result().unwrap(), 1, "{mode}");
    }
}

#[test]
fn closures_run_once_and_init_says_so() {
    let options = TaskWorker::options(ExecutionMode::Thread, (), 2).retry(Retry::fixed(3));
    let error = options.clock(clock::system()).init().unwrap_err().to_string();
    assert!(error.starts_with("retry is") && error.contains("#[task]"), "{error}");
}

/// Doubles.
#[task]
fn double(number: u64) -> u64 {
    number * 2
}

#[task]
fn length(path: PathBuf, limits: &LimitPool) -> io::Result<u64> {
    let _permit = limits.acquire([("disk", 1)]).map_err(io::Error::other)?;
    Ok(path.metadata()?.len())
}

#[task]
async fn shout(limits: &concurry::LimitPool, text: String, times: (usize,)) -> Result<String, String> {
    let _permit = limits.acquire_async(()).await.map_err(|error| error.to_string())?;
    if text.is_empty() { Err("nothing to shout".to_owned()) } else { Ok(text.to_uppercase().repeat(times.0)) }
}

#[task]
fn fails(mut reason: String) -> u8 {
    reason.push('!');
    panic!("{reason}")
}

/// The name of an argument may be that of the function, and an argument a pattern.
#[task]
fn sum(sum: Vec<u64>, (more, _): (u64, u64)) -> u64 {
    sum.iter().sum::<u64>() + more
}

/// Is given what a method is given.
#[task]
#[limited(disk = amount)]
fn given(amount: u64, acquired: &mut LimitSetAcquisition, cancellation: &Cancellation) -> bool {
    acquired.requested("disk") == Some(amount) && !cancellation.is_requested()
}

/// Fails until it was tried three times, which a file counts for all processes.
#[task]
#[retry(on = |error: &String| error == "again", attempts = 3, wait = Duration::ZERO)]
fn third_time(counter: PathBuf) -> Result<usize, String> {
    let tried = std::fs::read(&counter).map_or(0, |bytes| bytes.len()) + 1;
    std::fs::write(&counter, vec![b'x'; tried]).map_err(|error| error.to_string())?;
    if tried < 3 { Err("again".to_owned()) } else { Ok(tried) }
}

pub mod elsewhere {
    /// In a module of its own, with a type of its own in its signature.
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Word(pub String);

    #[super::task]
    pub fn count_letters(Word(word): Word) -> std::collections::HashMap<char, usize> {
        word.chars().fold(std::collections::HashMap::new(), |mut counts, letter| {
            *counts.entry(letter).or_default() += 1;
            counts
        })
    }
}

every_mode! {
    fn a_function_is_called_where_its_workers_are(mode: ExecutionMode) {
        let workers = if mode == ExecutionMode::Sync { 1 } else { 2 };
        let doubles: DoubleHandle = double::options(mode, (), workers).init().unwrap();
        let calls: Vec<Call<u64>> = (0..10).map(|number| doubles.call(number)).collect();
        assert_eq!(gather(calls).result().unwrap(), (0..10).map(double).collect::<Vec<_>>());
        assert_eq!((doubles.stats().name.as_str(), doubles.workers()), ("double", workers));
        doubles.stop();
        assert!(matches!(doubles.call(1).result(), Err(CallError::Stopped)));
    }

    fn the_limits_of_a_function_are_its_workers_own(mode: ExecutionMode) {
        let disk = LimitSet::builder().limit(ResourceLimit::new("disk", 1)).build().unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let lengths = length::options(mode, disk.clone(), 1).init().unwrap();
        let call: Call<u64, io::Error> = lengths.call(here.clone());
        assert_eq!(call.result().unwrap(), here.metadata().unwrap().len());
        assert_eq!(disk.stats().limits[0].admitted, 1);
        let error = lengths.call(here.join("none")).result().unwrap_err();
        assert_eq!(error.into_failed().unwrap().kind(), io::ErrorKind::NotADirectory);
    }

    fn an_async_function_is_a_task_as_well(mode: ExecutionMode) {
        let set = LimitSet::builder().limit(CallLimit::new(10, Window::DAY)).build().unwrap();
        let shouts = shout::options(mode, set.clone(), 1).init().unwrap();
        let call: Call<String, String> = shouts.call("ah".to_owned(), (2,));
        assert_eq!(call.result().unwrap(), "AHAH");
        let error = shouts.call(String::new(), (2,)).result().unwrap_err();
        assert_eq!(error.into_failed().unwrap(), "nothing to shout");
        assert_eq!(set.stats().limits[0].admitted, 2);
    }

    fn a_panic_of_a_function_reaches_its_call(mode: ExecutionMode) {
        let workers = fails::options(mode, (), 1).init().unwrap();
        let Err(CallError::Panicked(panic)) = workers.call("no luck".to_owned()).result() else {
            panic!("it panicked")
        };
        assert_eq!(panic.message(), "no luck!");
        assert!(panic.location().unwrap().contains("tasks.rs"), "{panic}");
    }

    fn arguments_have_any_name_and_pattern(mode: ExecutionMode) {
        let sums = sum::options(mode, (), 1).init().unwrap();
        assert_eq!(sums.call(vec![1, 2], (3, 4)).result().unwrap(), sum(vec![1, 2], (3, 4)));
    }

    fn a_function_is_tried_again(mode: ExecutionMode) {
        let counter = std::env::temp_dir().join(format!("concurry-third-{mode}-{}", std::process::id()));
        let workers = third_time::options(mode, (), 1).init().unwrap();
        assert_eq!(workers.call(counter.clone()).result().unwrap(), 3);
        std::fs::remove_file(counter).unwrap();
    }

    fn a_function_of_another_module_is_used_by_its_path(mode: ExecutionMode) {
        use elsewhere::{Word, count_letters};
        let counts = count_letters::options(mode, (), 1).init().unwrap();
        let counted: HashMap<char, usize> = counts.call(Word("aba".to_owned())).result().unwrap();
        assert_eq!(counted, count_letters(Word("aba".to_owned())));
        drop(elsewhere::count_letters::options(mode, (), 1).init().unwrap());
    }

    fn a_function_within_a_function_is_a_task(mode: ExecutionMode) {
        #[task]
        fn triple(number: u64) -> u64 {
            number * 3
        }
        assert_eq!(triple::options(mode, (), 1).init().unwrap().call(triple(1)).result().unwrap(), 9);
    }
}

#[task]
fn called(number: fn() -> usize) -> usize {
    number()
}

#[test]
fn a_function_whose_types_do_not_travel_is_told_so_by_init() {
    let here = called::options(ExecutionMode::Thread, (), 1).init().unwrap();
    assert_eq!(here.call(|| 3).result().unwrap(), 3);
    let error = called::options(ExecutionMode::Process, (), 1).init().unwrap_err().to_string();
    assert!(error.contains("called") && error.contains("fn()") && error.contains("`call`"), "{error}");
}

#[test]
fn a_map_has_workers_made_that_come_on_demand() {
    for mode in [ExecutionMode::Thread, ExecutionMode::Async] {
        let options = TaskWorker::options(mode, (), 4).on_demand(Duration::from_secs(3600));
        let tasks = options.init().unwrap();
        let all = Arc::new(Barrier::new(4));
        let met = tasks.map(0..4, move |item| {
            all.wait();
            item
        });
        assert_eq!(met.result().unwrap(), [0, 1, 2, 3]);
    }
}

struct Brittle;

impl Drop for Brittle {
    fn drop(&mut self) {
        assert!(thread::panicking(), "in the drop of what a closure holds");
    }
}

#[test]
fn a_closure_that_panics_when_it_is_dropped_harms_no_map() {
    for mode in [ExecutionMode::Sync, ExecutionMode::Thread] {
        let held = Brittle;
        let mapped = tasks(mode).map(0..3, move |item| {
            let _held = &held;
            item
        });
        assert_eq!(mapped.result().unwrap(), [0, 1, 2], "{mode}");
    }
}

every_mode_of_closures! {
    fn a_closure_may_end_its_own_pool(mode: ExecutionMode) {
        let tasks = tasks(mode);
        let own = tasks.clone();
        let call = tasks.submit(move || {
            let drained = own.drain(Duration::MAX);
            own.stop();
            drained
        });
        assert!(!call.result().unwrap(), "its own call was not done");
        tasks.stop();
    }

    fn the_function_of_a_map_may_end_its_own_pool(mode: ExecutionMode) {
        let tasks = tasks(mode);
        let (own, (tell, told)) = (tasks.clone(), mpsc::channel());
        let call = tasks.map(0..1, move |_| tell.send(own.drain(Duration::MAX)).unwrap());
        assert!(!told.recv().unwrap());
        // Where the items had not all been taken by then, it has ended early.
        call.result().ok();
        tasks.stop();
    }
}

#[test]
fn a_callback_of_a_closure_may_end_its_pool() {
    for mode in [ExecutionMode::Thread, ExecutionMode::Async] {
        let tasks = tasks(mode);
        let ((open, opened), (tell, told)) = (mpsc::channel(), mpsc::channel());
        let call = tasks.submit(move || opened.recv().unwrap());
        let own = tasks.clone();
        call.on_done(move |_| tell.send(own.drain(Duration::MAX)).unwrap());
        open.send(()).unwrap();
        assert!(!told.recv().unwrap());
    }
}

#[test]
fn a_closure_that_fills_its_own_queue_is_told() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let tasks = {
        let _here = runtime.enter();
        TaskWorker::options(ExecutionMode::Async, (), 1).max_queued_calls(1).init().unwrap()
    };
    let own = tasks.clone();
    let ((begin, begun), (open, opened)) = (mpsc::channel(), mpsc::channel());
    let call = tasks.submit(move || {
        // Nobody takes calls while the one thread of the runtime is held up.
        let holds = own.submit_async(async move {
            begin.send(()).unwrap();
            opened.recv().unwrap();
        });
        begun.recv().unwrap();
        (holds, own.submit(|| ()), own.submit(|| ()))
    });
    let (holds, fits, too_many) = call.result().unwrap();
    let outcome = too_many.result();
    assert!(matches!(outcome, Err(CallError::WouldDeadlock)), "{outcome:?}");
    open.send(()).unwrap();
    holds.result().unwrap();
    fits.result().unwrap();
}
