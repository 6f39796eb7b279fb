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

every_mode! {
    fn a_tuple_of_different_calls_is_gathered(mode: ExecutionMode) {
        let echo = Echo::options(mode, (), workers(mode)).init().unwrap();
        let (one, odd, many) = gather((echo.echo(1), echo.odd(3), vec![echo.echo(4), echo.echo(5)])).result().unwrap();
        assert_eq!((one, odd, many), (1, 3, vec![4, 5]));
        let error = gather((echo.echo(1), echo.odd(2))).result().unwrap_err();
        assert_eq!(error.place(), Some(1));
        assert!(matches!(error.failed(), Some(TestError::Own(text)) if text == "2"));
    }

    fn calls_that_are_done_come_out_once_each(mode: ExecutionMode) {
        let echo = Echo::options(mode, (), workers(mode)).init().unwrap();
        let mut seen = [false; 200];
        for (index, outcome) in as_completed((0..200).map(|n| echo.echo(n))) {
            assert_eq!(outcome.unwrap(), index as u64);
            assert!(!std::mem::replace(&mut seen[index], true));
        }
        assert!(seen.into_iter().all(|seen| seen));
        assert!(as_completed(Vec::<Call<u64>>::new()).next().is_none());
        crate::block_on(async {
            let mut completed = as_completed([echo.odd(1), echo.odd(2)]);
            while let Some((index, outcome)) = completed.next_async().await {
                assert_eq!(outcome.is_ok(), index == 0);
            }
        });
    }

    fn a_wait_gives_back_what_is_done(mode: ExecutionMode) {
        let echo = Echo::options(mode, (), workers(mode)).init().unwrap();
        let (done, pending) = wait((0..20).map(|n| echo.echo(n)), ReturnWhen::AllCompleted, None);
        assert!(pending.is_empty());
        assert_eq!(gather(done).result().unwrap(), (0..20).collect::<Vec<_>>());
        let (done, _) = wait([echo.odd(1), echo.odd(2)], ReturnWhen::FirstException, Some(Duration::MAX));
        assert!(done.into_iter().any(|call| call.result().is_err()));
        let (done, _) = crate::block_on(wait_async([echo.echo(1)], ReturnWhen::FirstCompleted, None));
        assert_eq!(done.len(), 1);
    }

    fn all_is_submitted_as_the_outcomes_are_asked_for(mode: ExecutionMode) {
        let echo = Echo::options(mode, (), workers(mode)).init().unwrap();
        let submitted = AtomicUsize::new(0);
        let submit = |n| {
            submitted.fetch_add(1, Ordering::SeqCst);
            echo.odd(n)
        };
        for (n, outcome) in (0usize..100).zip(submit_all(0.., 8, submit)) {
            assert_eq!(outcome.is_ok(), n % 2 == 1);
            assert!(submitted.load(Ordering::SeqCst) <= n + 8 + 1);
        }
        submitted.store(0, Ordering::SeqCst);
        let mut indices: Vec<_> = submit_all(0..100, 8, submit).unordered().map(|(index, _)| index).collect();
        indices.sort_unstable();
        assert!(indices.into_iter().eq(0..100));
        assert_eq!(submitted.load(Ordering::SeqCst), 100);
        drop(submit_all(0.., 8, submit).take(5).collect::<Vec<_>>());
        assert!(submitted.load(Ordering::SeqCst) <= 100 + 5 + 8, "dropped in the middle");
    }

    fn calls_are_mapped_and_chained(mode: ExecutionMode) {
        let echo = Echo::options(mode, (), workers(mode)).init().unwrap();
        assert_eq!(echo.echo(20).map(|n| n + 1).map(|n| n.to_string()).result().unwrap(), "21");
        let next = echo.clone();
        assert_eq!(echo.odd(3).and_then(move |n| next.odd(n + 2)).result().unwrap(), 5);
        let next = echo.clone();
        let chained = echo.echo(3).widen().and_then(move |n| next.odd(n + 1));
        assert_eq!(chained.result().unwrap_err().into_failed(), Some(TestError::Own("4".into())));
        let panicked = echo.echo(1).map(|n| -> u64 { panic!("in a closure on {n}") }).result();
        let Err(CallError::Panicked(panic)) = panicked else { panic!("{panicked:?}") };
        assert_eq!(panic.message(), "in a closure on 1");
        assert_eq!(echo.echo(2).result().unwrap(), 2, "the worker goes on");
    }
}

every_mode_in_background! {
    fn a_wait_that_times_out_leaves_the_calls_running(mode: ExecutionMode) {
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let acquirer = Acquirer::options(mode, &gate, 2).init().unwrap();
        let waits = acquirer.acquire(amounts([("gate", 1)]), vec![]);
        let fails = acquirer.acquire(amounts([("unknown", 1)]), vec![]);
        let (done, pending) = wait([waits, fails], ReturnWhen::FirstException, None);
        assert_eq!((done.len(), pending.len()), (1, 1));
        let (none, pending) = wait(pending, ReturnWhen::AllCompleted, Some(Duration::from_millis(1)));
        assert!(none.is_empty());
        drop(closed);
        let (done, pending) = wait(pending, ReturnWhen::FirstCompleted, None);
        assert_eq!((done.len(), pending.len()), (1, 0));
        gather(done).result().unwrap();
    }

    fn calls_come_out_as_they_are_done_while_others_run(mode: ExecutionMode) {
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let acquirer = Acquirer::options(mode, &gate, 2).init().unwrap();
        let waits = acquirer.acquire(amounts([("gate", 1)]), vec![]);
        let fails = acquirer.acquire(amounts([("unknown", 1)]), vec![]);
        let mut completed = as_completed([waits, fails]);
        assert!(matches!(completed.next(), Some((1, Err(_)))));
        drop(closed);
        assert!(matches!(completed.next(), Some((0, Ok(_)))));
        assert!(completed.next().is_none());
    }

    fn cancelling_a_mapped_call_keeps_its_source_from_being_run(mode: ExecutionMode) {
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let acquirer = Acquirer::options(mode, &gate, 1).init().unwrap();
        let first = acquirer.acquire(amounts([("gate", 1)]), vec![]);
        let second = acquirer.acquire(amounts([("gate", 1)]), vec![]).map(|region| region.len());
        crate::eventually(|| gate.stats().limits[0].waiting == 1);
        assert!(second.cancel());
        drop(closed);
        first.result().unwrap();
        assert!(matches!(second.result(), Err(CallError::Cancelled)));
        acquirer.stop();
        assert_eq!(gate.stats().limits[0].admitted, 2, "this test's own and the first call's");
    }

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
