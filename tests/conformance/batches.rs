//! Many calls: gather, outcomes, progress (SPEC §3).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use concurry::prelude::*;

use super::pools::Echo;
use super::workers::{Acquirer, TestError, amounts};
use super::{every_mode, every_mode_in_background, gate};

fn workers(mode: ExecutionMode) -> usize {
    if mode == ExecutionMode::Sync { 1 } else { 3 }
}

every_mode! {
    fn results_stand_in_the_order_of_the_input(mode: ExecutionMode) {
        let echo = Echo::options(mode, (), workers(mode)).init().unwrap();
        let calls: Vec<_> = (0..500).map(|n| echo.echo(n)).collect();
        assert_eq!(gather(calls).result().unwrap(), (0..500).collect::<Vec<_>>());
    }

    fn outcomes_never_fail_as_a_whole(mode: ExecutionMode) {
        let echo = Echo::options(mode, (), workers(mode)).init().unwrap();
        let outcomes = gather((0..10).map(|n| echo.odd(n)).collect::<Vec<_>>()).outcomes();
        for (n, outcome) in (0u64..).zip(outcomes) {
            match outcome {
                Ok(value) => assert!(value == n && n % 2 == 1),
                Err(error) => assert_eq!(error.into_failed(), Some(TestError::Own(n.to_string()))),
            }
        }
    }

    fn the_first_error_ends_the_wait(mode: ExecutionMode) {
        let echo = Echo::options(mode, (), workers(mode)).init().unwrap();
        let error = gather([echo.odd(1), echo.odd(2), echo.odd(3)]).result().unwrap_err();
        assert_eq!(error.into_failed(), Some(TestError::Own("2".into())));
    }

    fn nothing_is_gathered_from_nothing(mode: ExecutionMode) {
        let echo = Echo::options(mode, (), 1).init().unwrap();
        let none: Vec<Call<u64>> = Vec::new();
        assert_eq!(gather(none).progress("nothing").result().unwrap(), Vec::<u64>::new());
        assert_eq!(echo.echo(1).result().unwrap(), 1);
    }

    fn maps_keep_their_keys(mode: ExecutionMode) {
        let echo = Echo::options(mode, (), workers(mode)).init().unwrap();
        let by_name: HashMap<_, _> = [("one", 1), ("two", 2)].into_iter().map(|(k, n)| (k, echo.echo(n))).collect();
        assert_eq!(gather(by_name).result().unwrap(), HashMap::from([("one", 1), ("two", 2)]));
        let by_number: BTreeMap<_, _> = (0..5).map(|n| (n, echo.echo(n))).collect();
        assert!(gather(by_number).outcomes().into_iter().all(|(key, outcome)| outcome.unwrap() == key));
    }

    fn progress_counts_each_call_once_and_its_failures(mode: ExecutionMode) {
        let echo = Echo::options(mode, (), workers(mode)).init().unwrap();
        let (most, failed, updates) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let progress = Progress::callback({
            let (most, failed, updates) = (Arc::clone(&most), Arc::clone(&failed), Arc::clone(&updates));
            move |update| {
                assert_eq!(update.total, 20);
                most.fetch_max(update.done, Ordering::SeqCst);
                failed.fetch_max(update.failed, Ordering::SeqCst);
                updates.fetch_add(1, Ordering::SeqCst);
            }
        });
        let outcomes = gather((0..20).map(|n| echo.odd(n)).collect::<Vec<_>>()).progress(progress).outcomes();
        assert_eq!(outcomes.len(), 20);
        assert_eq!(most.load(Ordering::SeqCst), 20);
        assert_eq!(failed.load(Ordering::SeqCst), 10);
        assert_eq!(updates.load(Ordering::SeqCst), 20);
    }

    fn a_batch_can_be_awaited(mode: ExecutionMode) {
        let echo = Echo::options(mode, (), workers(mode)).init().unwrap();
        let calls: Vec<_> = (0..50).map(|n| echo.echo(n)).collect();
        let results = crate::block_on(async { gather(calls).timeout(Duration::MAX).await });
        assert_eq!(results.unwrap().len(), 50);
    }
}

every_mode_in_background! {
    fn an_error_ends_the_wait_while_others_still_run(mode: ExecutionMode) {
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let acquirer = Acquirer::options(mode, &gate, 2).init().unwrap();
        let waits = acquirer.acquire(amounts([("gate", 1)]), vec![]);
        let fails = acquirer.acquire(amounts([("unknown", 1)]), vec![]);
        assert!(matches!(gather([waits, fails]).result(), Err(CallError::Failed(TestError::Limit(_)))));
        drop(closed);
    }

    fn a_batch_that_times_out_tells_which_calls_were_done(mode: ExecutionMode) {
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let acquirer = Acquirer::options(mode, &gate, 2).init().unwrap();
        let waits = acquirer.acquire(amounts([("gate", 1)]), vec![]);
        let done = acquirer.acquire(amounts([("unknown", 1)]), vec![]);
        crate::eventually(|| done.is_done());
        let outcomes = gather(vec![waits, done]).timeout(Duration::from_millis(1)).outcomes();
        assert!(matches!(outcomes[0], Err(CallError::Timeout)));
        assert!(matches!(outcomes[1], Err(CallError::Failed(_))));
        drop(closed);
        acquirer.stop();
    }
}
