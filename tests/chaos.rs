//! Children that die at any moment: killed from outside, by themselves in the middle of a method, by `cancel_hard`, and those
//! that give way to new ones. In the end each call has had exactly one outcome, none has run twice, nothing is held of any limit,
//! and neither a child, nor a zombie, a descriptor, a mapping or a thread is left.
//!
//! `CHAOS_SECONDS=60 cargo test --test chaos -- --ignored --nocapture` runs seed after seed for so long; `CHAOS_SEED=7` runs that
//! one alone. What is left behind is read from `/proc`, so all of this is for Linux.

#![cfg(target_os = "linux")]
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::disallowed_methods,
    reason = "a test is its own documentation; what it sleeps is work, and decides nothing"
)]

mod random;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use concurry::prelude::*;
use concurry::{ProcessOptions, Transport};
use random::{AnyCall, Chance, seeds, watched};
use rustix::process::{Pid, Signal, kill_process};

#[worker]
pub struct Mortal {
    diary: PathBuf,
}

#[worker]
impl Mortal {
    pub fn new(diary: PathBuf) -> Self {
        Self { diary }
    }

    /// Writes down that it has run, where its death does not take it along.
    pub fn notes(&self, n: u64) -> u64 {
        let mut file = std::fs::File::options().append(true).create(true).open(&self.diary).unwrap();
        file.write_all(format!("{n}\n").as_bytes()).unwrap();
        n
    }

    pub async fn rests(&self, micros: u64) -> u64 {
        tokio::time::sleep(Duration::from_micros(micros)).await;
        micros
    }

    pub fn acquires(&self, tokens: u64) -> Result<u64, LimitError> {
        let mut acquired = self.limits.acquire([("tokens", tokens), ("slots", 1)])?;
        acquired.update([("tokens", tokens / 2)])?;
        Ok(tokens)
    }

    #[limited(tokens = tokens, slots = 1)]
    pub fn admitted(&self, tokens: u64, acquired: &mut LimitSetAcquisition) -> Result<u64, LimitError> {
        acquired.update([("tokens", tokens / 2)])?;
        Ok(tokens)
    }

    #[retry(attempts = 3, wait = Duration::from_micros(300), worker_death)]
    pub fn is_tried(&self, how: u64) -> Result<u64, LimitError> {
        self.dies(how)
    }

    /// Dies while it holds something.
    pub fn dies(&self, how: u64) -> Result<u64, LimitError> {
        let _held = self.limits.acquire([("tokens", 1), ("slots", 1)])?;
        match how % 4 {
            0 => std::process::abort(),
            1 => std::process::exit(3),
            2 => kill_process(rustix::process::getpid(), Signal::KILL).unwrap(),
            _ => kill_process(rustix::process::getpid(), Signal::TERM).unwrap(),
        }
        Ok(how)
    }

    /// Ends with its process alone.
    pub fn hangs(&self) -> Result<u64, LimitError> {
        let _held = self.limits.acquire([("tokens", 1), ("slots", 1)])?;
        loop {
            std::thread::park();
        }
    }

    pub fn panics(&self) -> u64 {
        panic!("on purpose")
    }
}

fn diary() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    std::env::temp_dir().join(format!("concurry-chaos-{}-{number}", std::process::id()))
}

fn limits() -> LimitSet {
    LimitSet::builder()
        .limit(
            RateLimit::new("tokens", 5_000, Duration::from_millis(20))
                .algorithm(RateLimitAlgorithm::TokenBucket),
        )
        .limit(ResourceLimit::new("slots", 3))
        .build()
        .unwrap()
}

/// What this process has of the system.
#[derive(Debug, PartialEq, Eq)]
struct Belongings {
    /// Zombies are among them.
    children: Vec<i32>,
    descriptors: Vec<String>,
    /// Of memory that is shared with children.
    mappings: usize,
    threads: Vec<String>,
}

impl Belongings {
    fn now() -> Self {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut descriptors: Vec<_> = entries("/proc/self/fd")
            .filter_map(|entry| std::fs::read_link(entry).ok())
            // Numbers of sockets and pipes tell nothing; that of this very walk is gone again.
            .map(|link| link.display().to_string().split(':').next().unwrap_or_default().to_owned())
            .filter(|link| !link.starts_with("/proc/"))
            .collect();
        descriptors.sort();
        let mut threads: Vec<_> = entries("/proc/self/task")
            .filter_map(|entry| std::fs::read_to_string(entry.join("comm")).ok())
            .collect();
        threads.sort();
        let mappings = maps.lines().filter(|line| line.contains("memfd:concurry")).count();
        Self { children: children(), descriptors, mappings, threads }
    }

    /// Waits until there is no more and no less than `before`.
    fn are_again(before: &Self, what: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Self::now() != *before {
            assert!(Instant::now() < deadline, "{what}: {before:#?} became {:#?}", Self::now());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn entries(folder: &str) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).unwrap().filter_map(Result::ok).map(|entry| entry.path())
}

fn children() -> Vec<i32> {
    let lists = entries("/proc/self/task")
        .filter_map(|task| std::fs::read_to_string(task.join("children")).ok())
        .collect::<String>();
    lists.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

/// Kills children at random moments until it is told to end.
fn kill_at_random(mut chance: Chance, is_over: &AtomicBool) -> u32 {
    let mut killed = 0;
    while !is_over.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_micros(chance.below(20_000)));
        let children = children();
        let Some(count) = u64::try_from(children.len()).ok().filter(|count| *count > 0) else { continue };
        let victim = children[usize::try_from(chance.below(count)).unwrap()];
        let signal = [Signal::KILL, Signal::TERM, Signal::ABORT][usize::try_from(chance.below(3)).unwrap()];
        killed += u32::from(kill_process(Pid::from_raw(victim).unwrap(), signal).is_ok());
    }
    killed
}

fn start(seed: u64, chance: &mut Chance, limits: &LimitSet, diary: &Path) -> (MortalHandle, String) {
    let transport = if seed.is_multiple_of(2) { Transport::Ring } else { Transport::Socket };
    let recycling = chance.below(4);
    let mut config = Config::default();
    // Some are killed as they start.
    config.process.restart_tries = Some(100_000);
    config.process.restart_wait = Some(Duration::from_micros(100));
    let grace = Duration::from_millis(chance.below(3));
    let mut options = Mortal::options(ExecutionMode::Process, limits, 3)
        .transport(transport)
        .process(ProcessOptions::new().kill_grace(grace));
    if recycling & 1 > 0 {
        options = options.max_calls_per_worker(1 + chance.below(60));
    }
    if recycling & 2 > 0 {
        options = options.max_worker_age(Duration::from_millis(1 + chance.below(40)));
    }
    let pool = with_config(config, || options.init(diary.to_owned())).unwrap();
    (pool, format!("{transport}, recycling {recycling}, grace {grace:?}"))
}

fn submit(
    pool: &MortalHandle,
    n: u64,
    chance: &mut Chance,
    ended: &Arc<AtomicUsize>,
) -> (Box<dyn AnyCall>, bool) {
    let some = chance.below(1_000);
    let call = match chance.below(64) {
        0..28 => watched(pool.notes(n), ended),
        28..34 => watched(pool.rests(some), ended),
        34..44 => watched(pool.acquires(some % 50), ended),
        44..54 => watched(pool.admitted(some % 50), ended),
        54..57 => watched(pool.is_tried(some), ended),
        57..59 => watched(pool.dies(some), ended),
        59 => watched(pool.panics(), ended),
        60 => return (watched(pool.hangs(), ended), true),
        61 => {
            let other = pool.clone();
            watched(pool.notes(n).widen().and_then(move |n| other.acquires(n % 50)), ended)
        }
        _ => watched(pool.notes(n).map(|n| n + 1), ended),
    };
    (call, false)
}

/// Submits so many calls, and cancels some. Those that hang have died or were ended when this returns.
fn submit_all_of(
    pool: &MortalHandle,
    count: u64,
    chance: &mut Chance,
    ended: &Arc<AtomicUsize>,
) -> Vec<Box<dyn AnyCall>> {
    let (mut calls, mut hanging) = (Vec::new(), Vec::new());
    for n in 0..count {
        let (call, hangs) = submit(pool, n, chance, ended);
        let list = if hangs { &mut hanging } else { &mut calls };
        list.push(call);
        match chance.below(100) {
            0..3 => {
                if let Some(call) = any(&calls, chance) {
                    call.cancel_hard();
                }
            }
            3..6 => {
                if let Some(call) = any(&calls, chance) {
                    call.cancel();
                }
            }
            6..9 => {
                if let Some(call) = any(&hanging, chance) {
                    call.cancel_hard();
                }
            }
            9 => drop(pool.resize(1 + usize::try_from(chance.below(4)).unwrap())),
            10..14 => std::thread::sleep(Duration::from_micros(chance.below(5_000))),
            _ => {}
        }
    }
    for call in &hanging {
        call.cancel_hard();
    }
    calls.extend(hanging);
    calls
}

fn any<'a>(calls: &'a [Box<dyn AnyCall>], chance: &mut Chance) -> Option<&'a dyn AnyCall> {
    let count = u64::try_from(calls.len()).ok().filter(|count| *count > 0)?;
    Some(&*calls[usize::try_from(chance.below(count)).unwrap()])
}

fn has_no_note_twice(diary: &Path) -> bool {
    let text = std::fs::read_to_string(diary).unwrap_or_default();
    let notes: std::collections::BTreeSet<&str> = text.lines().collect();
    notes.len() == text.lines().count()
}

fn chaos(seed: u64) {
    let mut chance = Chance::of(seed);
    let (set, diary) = (limits(), diary());
    let (pool, what) = start(seed, &mut chance, &set, &diary);
    let ended = Arc::new(AtomicUsize::new(0));
    let is_over = Arc::new(AtomicBool::new(false));
    let killing = std::thread::spawn({
        let (chance, is_over) = (Chance::of(seed + 1_000_000), Arc::clone(&is_over));
        move || kill_at_random(chance, &is_over)
    });
    let (count, mut outcomes) = (1_500, BTreeMap::new());
    let calls = submit_all_of(&pool, count, &mut chance, &ended);
    match chance.below(4) {
        0 => pool.stop(),
        1 => drop(pool.drain(Duration::from_secs(60))),
        2 => drop(pool.drain(Duration::from_millis(1))),
        _ => drop(pool),
    }
    for call in calls {
        *outcomes.entry(call.wait()).or_insert(0) += 1;
    }
    is_over.store(true, Ordering::SeqCst);
    let killed = killing.join().unwrap();
    println!("seed {seed}: {what}: {killed} killed, {outcomes:?}");
    let whole: u64 = outcomes.values().sum();
    let ended = u64::try_from(ended.load(Ordering::SeqCst)).unwrap();
    assert_eq!((whole, ended), (count, count), "seed {seed}: a call without its one outcome");
    assert!(has_no_note_twice(&diary), "seed {seed}: a call has run twice");
    drop(std::fs::remove_file(diary));
    is_free(&set, seed);
}

fn is_free(set: &LimitSet, seed: u64) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while set.stats().limit("slots").unwrap().in_use > 0
        || set.stats().limits.iter().any(|limit| limit.waiting > 0)
    {
        assert!(Instant::now() < deadline, "seed {seed}: still held: {:?}", set.stats());
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What one test leaves behind the other would count.
static ALONE: Mutex<()> = Mutex::new(());

/// Has everything started that a program starts once, such as the clock's own thread.
fn warm_up() {
    let diary = diary();
    let pool = Mortal::options(ExecutionMode::Process, limits(), 1).max_worker_age(Duration::from_secs(600));
    let pool = pool.init(diary.clone()).unwrap();
    pool.admitted(1).result().unwrap();
    assert!(pool.dies(0).result().is_err());
    let call = pool.hangs();
    call.cancel_hard();
    pool.notes(0).result().unwrap();
    pool.stop();
    drop(std::fs::remove_file(diary));
    // A thread is there for a moment after its worker.
    while Belongings::now().threads.iter().any(|name| name.starts_with("Mortal")) {
        std::thread::yield_now();
    }
}

#[test]
#[ignore = "runs for as long as it is told"]
fn each_call_has_one_outcome_and_nothing_is_left_however_children_die() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    warm_up();
    let before = Belongings::now();
    assert_eq!((before.children.len(), before.mappings), (0, 0));
    seeds("CHAOS", |seed| {
        chaos(seed);
        Belongings::are_again(&before, &format!("seed {seed}"));
    });
}

#[test]
fn a_thousand_restarts_leave_nothing_behind() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    warm_up();
    let before = Belongings::now();
    for transport in [Transport::Ring, Transport::Socket] {
        let set = limits();
        let options = Mortal::options(ExecutionMode::Process, &set, 2).transport(transport);
        let pool = options.process(ProcessOptions::new().prefix_output()).init(diary()).unwrap();
        for how in 0..500u64 {
            match pool.dies(how).result() {
                Err(CallError::WorkerDied(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        let deadline = Instant::now() + Duration::from_secs(60);
        while pool.stats().restarts < 500 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(pool.stats().restarts, 500);
        // One is as its first was: with two children, and what belongs to them.
        let deadline = Instant::now() + Duration::from_secs(60);
        while children().len() != 2 || Belongings::now().mappings > 2 {
            assert!(Instant::now() < deadline, "{transport}: {:#?}", Belongings::now());
            std::thread::sleep(Duration::from_millis(1));
        }
        pool.stop();
        is_free(&set, 0);
        Belongings::are_again(&before, &transport.to_string());
    }
}
