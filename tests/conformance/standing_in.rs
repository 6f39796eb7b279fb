//! In process mode, who waits for the only call of a child may read its answer itself: nothing that was promised of calls, limits and
//! callbacks changes by that (SPEC §1, §2).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use concurry::prelude::*;
use concurry::{CallError, LimitSet};

use super::{eventually, gate};

#[worker]
#[derive(Default)]
pub struct Answering;

#[worker]
impl Answering {
    pub fn square(&self, n: u64) -> u64 {
        n * n
    }

    pub fn square_of(&self, words: Vec<u64>) -> Vec<u64> {
        words.iter().map(|n| n * n).collect()
    }

    pub fn with_the_gate(&self, n: u64) -> u64 {
        let _gate = self.limits.acquire([("gate", 1)]).unwrap();
        n
    }

    pub fn panics(&self) {
        panic!("on purpose")
    }

    pub fn dies(&self) {
        std::process::abort()
    }
}

fn answering(limits: impl concurry::IntoLimits, workers: usize) -> AnsweringHandle {
    Answering::options(ExecutionMode::Process, limits, workers).init().unwrap()
}

fn one_by_one(set: &LimitSet, pool: &AnsweringHandle, first: u64) {
    for n in first..first + 200 {
        match n % 50 {
            // Larger than what a ring holds.
            7 => assert_eq!(pool.square_of(vec![n; 400_000]).result().unwrap()[399_999], n * n),
            17 => assert!(matches!(pool.panics().result(), Err(CallError::Panicked(_)))),
            27 => assert!(matches!(pool.dies().result(), Err(CallError::WorkerDied(_)))),
            n if n % 5 == 0 => assert_eq!(pool.with_the_gate(n).result().unwrap(), n),
            37 => {
                // The gate is held until the child's wish stands in its queue.
                let gate = set.acquire([("gate", 1)]).unwrap();
                let call = pool.with_the_gate(n);
                thread::scope(|scope| {
                    scope.spawn(|| {
                        eventually(|| set.stats().limits[0].waiting > 0);
                        drop(gate);
                    });
                    assert_eq!(call.result().unwrap(), n);
                });
            }
            _ => assert_eq!(pool.square(n).result().unwrap(), n * n),
        }
    }
}

#[test]
fn calls_that_are_waited_for_one_by_one_have_their_answers() {
    let set = gate();
    let pool =
        Answering::options(ExecutionMode::Process, &set, 1).max_restarts(1_000, std::time::Duration::MAX);
    let pool = pool.init().unwrap();
    one_by_one(&set, &pool, 1_000);
    pool.stop();
    assert_eq!(set.stats().limits[0].in_use, 0);
}

#[test]
fn several_who_wait_for_calls_of_the_same_processes_have_their_own() {
    let set = gate();
    let pool = answering(&set, 2);
    thread::scope(|scope| {
        for first in (0..4).map(|caller| caller * 1_000) {
            let pool = &pool;
            scope.spawn(move || {
                for n in first..first + 300 {
                    match n % 3 {
                        0 => assert_eq!(pool.with_the_gate(n).result().unwrap(), n),
                        _ => assert_eq!(pool.square(n).result().unwrap(), n * n),
                    }
                }
            });
        }
    });
    pool.stop();
    assert_eq!(set.stats().limits[0].in_use, 0);
}

#[test]
fn a_callback_may_stop_the_pool_whoever_reads_the_answer() {
    for _ in 0..20 {
        let pool = answering((), 1);
        let stopped = Arc::new(AtomicBool::new(false));
        let call = pool.square(3);
        let (handle, tell) = (pool.clone(), Arc::clone(&stopped));
        call.on_done(move |_| {
            handle.stop();
            tell.store(true, Ordering::SeqCst);
        });
        assert_eq!(call.result().unwrap(), 9);
        assert!(stopped.load(Ordering::SeqCst), "callbacks come first");
        assert!(matches!(pool.square(1).result(), Err(CallError::Stopped)));
    }
}

#[test]
fn who_looks_leaves_calls_of_others_to_the_owner() {
    let set = gate();
    let pool = answering(&set, 1);
    for n in 0..100 {
        let gate = set.acquire([("gate", 1)]).unwrap();
        let first = pool.with_the_gate(n);
        thread::scope(|scope| {
            let waits = scope.spawn(|| (first.result().unwrap(), thread::current().id()));
            eventually(|| set.stats().limits[0].waiting > 0);
            // Sent while the other one is waited for, and not waited for by anybody who could read.
            let second = pool.square(n);
            let (tell, told) = std::sync::mpsc::channel();
            second.on_done(move |_| tell.send(thread::current().id()).unwrap());
            drop(gate);
            let (answer, who) = waits.join().unwrap();
            assert_eq!(answer, n);
            assert_ne!(told.recv().unwrap(), who, "who waits for one call runs no callback of another");
            assert_eq!(second.result().unwrap(), n * n);
        });
    }
}
