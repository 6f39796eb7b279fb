//! `cancel_hard`: where a call runs in a process of its own, that is ended, and nothing else is (SPEC §3).

use std::process::Command;
use std::time::Duration;

use concurry::prelude::*;
use concurry::{LimitSetBuilder, ProcessOptions, Transport};
use tokio::signal::unix::SignalKind;

use super::workers::{Acquirer, amounts, none};
use super::{eventually, every_mode_in_background, gate};

/// Runs what does not end by itself.
#[worker]
#[derive(Default)]
pub struct Stubborn {
    calls: u64,
}

#[worker]
impl Stubborn {
    /// Holds `doors` and never ends.
    pub fn hangs(&self) -> u64 {
        self.try_hangs().unwrap()
    }

    fn try_hangs(&self) -> Result<u64, LimitError> {
        let _door = self.limits.acquire([("doors", 1), ("sign", 0)])?;
        Ok(self.hangs_on())
    }

    fn hangs_on(&self) -> u64 {
        loop {
            std::thread::park();
        }
    }

    /// As `hangs`, and does not listen to whoever asks it to end.
    pub fn is_deaf(&self) -> u64 {
        ignore_termination();
        self.hangs()
    }

    /// As `hangs`, with a process of its own.
    pub fn has_started_another(&self, path: std::path::PathBuf) -> u64 {
        let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
        std::fs::write(path, other.id().to_string()).unwrap();
        let _door = self.limits.acquire([("doors", 1), ("sign", 0)]).unwrap();
        other.wait().unwrap();
        0
    }

    /// As `hangs`, and listens: asked to end, it waits for the sign, and then writes down its last words.
    pub fn says_goodbye(&self, path: std::path::PathBuf) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut asked = tokio::signal::unix::signal(SignalKind::terminate()).unwrap();
            let _door = self.limits.acquire_async([("doors", 1), ("sign", 0)]).await.unwrap();
            asked.recv().await;
            let _sign = self.limits.acquire_async([("doors", 0), ("sign", 1)]).await.unwrap();
            std::fs::write(path, "goodbye").unwrap();
            std::process::exit(0)
        })
    }

    #[retry(attempts = 5, wait = Duration::ZERO, worker_death)]
    pub fn hangs_each_time(&self) -> Result<u64, LimitError> {
        self.try_hangs()
    }

    #[limited(doors = 0, sign = 1)]
    pub fn hangs_admitted(&self, acquired: &mut LimitSetAcquisition) -> u64 {
        // What was acquired for it is held before it begins.
        acquired.requested("sign");
        self.hangs()
    }

    pub fn count(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    pub fn process_id(&self) -> u32 {
        std::process::id()
    }
}

/// Has a handler of tokio's take the place of the signal's own effect, which it never gets back.
fn ignore_termination() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        drop(tokio::signal::unix::signal(SignalKind::terminate()).unwrap());
    });
}

fn doors() -> LimitSet {
    let limits = ["doors", "sign"].map(|key| ResourceLimit::new(key, 1));
    limits.into_iter().fold(LimitSet::builder(), LimitSetBuilder::limit).build().unwrap()
}

fn is_held(set: &LimitSet) -> bool {
    set.stats().limit("doors").unwrap().in_use == 1
}

fn pool(set: &LimitSet, transport: Transport) -> StubbornHandle {
    // A budget of none: an end that was asked for does not count.
    Stubborn::options(ExecutionMode::Process, set, 1)
        .transport(transport)
        .max_restarts(0, Duration::from_secs(1_000))
        .init()
        .unwrap()
}

fn both(body: impl Fn(Transport)) {
    body(Transport::Socket);
    if cfg!(target_os = "linux") {
        body(Transport::Ring);
    }
}

/// Cancels `call` once it holds a door; the door is free again, and the pool goes on with another process.
fn is_ended<T: Send + 'static, E: std::fmt::Debug + Send + 'static>(
    pool: &StubbornHandle,
    set: &LimitSet,
    call: Call<T, E>,
) {
    eventually(|| is_held(set));
    let waiting: Vec<_> = (0..20).map(|_| pool.count()).collect();
    let restarts = pool.stats().restarts;
    assert!(call.cancel_hard() && !call.cancel_hard());
    assert!(matches!(call.result_timeout(Duration::ZERO), Err(CallError::Cancelled)), "at once");
    let counts = gather(waiting).result().unwrap();
    assert!(counts.iter().copied().eq(1..=20), "each once, on the next process: {counts:?}");
    assert!(set.stats().limits.iter().all(|limit| limit.in_use == 0), "{:?}", set.stats());
    let stats = pool.stats();
    assert_eq!((stats.restarts, stats.crashed), (restarts + 1, 0));
}

#[test]
fn the_process_of_a_call_that_never_ends_is_replaced() {
    both(|transport| {
        let set = doors();
        let pool = pool(&set, transport);
        let before = pool.process_id().result().unwrap();
        is_ended(&pool, &set, pool.hangs());
        assert_ne!(pool.process_id().result().unwrap(), before);
        is_ended(&pool, &set, pool.hangs_admitted());
        pool.stop();
    });
}

#[test]
fn a_process_that_does_not_listen_is_killed_after_a_grace() {
    for grace in [Duration::from_millis(10), Duration::ZERO] {
        let set = doors();
        let options = ProcessOptions::new().kill_grace(grace);
        let pool = Stubborn::options(ExecutionMode::Process, &set, 1).process(options).init().unwrap();
        is_ended(&pool, &set, pool.is_deaf());
    }
}

#[test]
fn a_process_that_listens_has_the_grace_to_clean_up() {
    both(|transport| {
        let set = doors();
        let options = ProcessOptions::new().kill_grace(Duration::from_secs(1_000));
        let pool = Stubborn::options(ExecutionMode::Process, &set, 1).transport(transport).process(options);
        let pool = pool.init().unwrap();
        let path = std::env::temp_dir().join(format!("concurry-goodbye-{}", std::process::id()));
        let sign = set.acquire([("doors", 0), ("sign", 1)]).unwrap();
        let call = pool.says_goodbye(path.clone());
        eventually(|| is_held(&set));
        assert!(call.cancel_hard());
        assert!(matches!(call.result_timeout(Duration::ZERO), Err(CallError::Cancelled)), "at once");
        // It goes on in its process until it is let go, or is gone without.
        let asks = || set.stats().limit("sign").unwrap().waiting == 1;
        eventually(|| asks() || pool.stats().restarts == 1);
        drop(sign);
        assert_eq!(pool.count().result().unwrap(), 1, "on the next process");
        let last_words = std::fs::read_to_string(&path).unwrap_or_default();
        drop(std::fs::remove_file(&path));
        assert_eq!(last_words, "goodbye");
        assert!(set.stats().limits.iter().all(|limit| limit.in_use == 0), "{:?}", set.stats());
    });
}

#[test]
fn what_a_worker_has_started_ends_with_it() {
    let set = doors();
    let pool = pool(&set, Transport::default());
    let path = std::env::temp_dir().join(format!("concurry-started-{}", std::process::id()));
    is_ended(&pool, &set, pool.has_started_another(path.clone()));
    let started = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    let status = || std::fs::read_to_string(format!("/proc/{started}/stat")).unwrap_or_default();
    // Whoever inherits it has yet to ask for its end.
    eventually(|| status().is_empty() || status().contains(") Z "));
}

#[test]
fn a_call_that_is_tried_again_is_ended_for_good() {
    let set = doors();
    let pool = pool(&set, Transport::default());
    is_ended(&pool, &set, pool.hangs_each_time());
}

#[test]
fn a_call_that_is_made_of_others_hands_it_on() {
    let set = doors();
    let pool = pool(&set, Transport::default());
    is_ended(&pool, &set, pool.hangs().map(|n| n + 1));
    let other = pool.clone();
    is_ended(&pool, &set, pool.count().and_then(move |_| other.hangs()));
}

#[test]
fn a_pool_that_is_stopped_ends_with_the_call_that_held_it_up() {
    let set = doors();
    let pool = pool(&set, Transport::default());
    let call = pool.hangs();
    eventually(|| is_held(&set));
    let stopper = std::thread::spawn({
        let pool = pool.clone();
        move || pool.stop()
    });
    eventually(|| matches!(pool.count().result(), Err(CallError::Stopped)));
    assert!(call.cancel_hard());
    stopper.join().unwrap();
    assert_eq!(pool.stats().restarts, 0, "nobody needs another process");
    assert!(!is_held(&set));
}

#[test]
fn a_call_that_has_not_begun_costs_no_process() {
    both(|transport| {
        let gate = gate();
        let pool = Acquirer::options(ExecutionMode::Process, &gate, 1).transport(transport).init().unwrap();
        let process = pool.process_id().result().unwrap();
        for round in 0..20 {
            let closed = gate.acquire(()).unwrap();
            let running = pool.acquire(amounts([("gate", 1)]), none());
            let waiting: Vec<_> = (0..round).map(|_| pool.acquire(none(), none())).collect();
            assert!(waiting.iter().all(Call::cancel_hard));
            drop(closed);
            running.result().unwrap();
        }
        assert_eq!(pool.process_id().result().unwrap(), process);
        assert_eq!(pool.stats().restarts, 0);
    });
}

every_mode_in_background! {
    fn it_is_at_least_what_cancel_is(mode: ExecutionMode) {
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let pool = Acquirer::options(mode, &gate, 1).init().unwrap();
        let running = pool.acquire(amounts([("gate", 1)]), none());
        let waiting = pool.acquire(none(), none());
        eventually(|| gate.stats().limits[0].waiting == 1);
        assert!(waiting.cancel_hard() && running.cancel_hard());
        assert!(matches!(running.result(), Err(CallError::Cancelled)));
        assert!(matches!(waiting.result(), Err(CallError::Cancelled)));
        drop(closed);
        pool.acquire(amounts([("gate", 1)]), none()).result().unwrap();
    }
}
