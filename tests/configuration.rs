//! Configuration (SPEC §5): which level wins, a level at a time, and what is told of mistakes.
//!
//! The file and the environment belong to a process, so those are looked at in a process of its own: this very test, started
//! once more in a folder and an environment of its own, prints what it loads.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test is its own documentation, and may fail; workers are private to it"
)]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use concurry::prelude::*;

/// Says that this process is to print what it loads.
const PROBE: &str = "PRINT_CONFIG";
const BEGIN: &str = "\n>>>";

/// What is loaded in a folder with this file and in this environment.
fn load(file: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    static FOLDERS: AtomicU32 = AtomicU32::new(0);
    let number = FOLDERS.fetch_add(1, Ordering::SeqCst);
    let folder = std::env::temp_dir().join(format!("concurry-config-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    if !file.is_empty() {
        fs::write(folder.join("concurry.toml"), file).unwrap();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "prints_what_it_loads", "--nocapture", "--test-threads=1"])
        .current_dir(&folder)
        .env(PROBE, "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, printed) = text.split_once(BEGIN).unwrap_or_else(|| panic!("{text}"));
    let printed = printed.lines().next().unwrap();
    serde_json::from_str::<Result<Config, String>>(printed).unwrap()
}

#[test]
fn prints_what_it_loads() {
    if std::env::var_os(PROBE).is_some() {
        // What is loaded, over what holds without it.
        let loaded = Config::load().map_err(|error| error.to_string()).map(|loaded| {
            Config::global().set(loaded);
            Config::current()
        });
        println!("{BEGIN}{}", serde_json::to_string(&loaded).unwrap());
    }
}

#[test]
fn without_file_and_environment_it_is_the_defaults() {
    let loaded = load("", &[]).unwrap();
    assert_eq!(loaded, Config::defaults());
    assert_eq!(loaded.pool.load_balancing, Some(LoadBalancing::SharedQueue));
    assert_eq!(loaded.pool.when_full, Some(WhenFull::Wait));
    assert_eq!((loaded.sync.max_workers, loaded.r#async.max_workers), (Some(1), Some(1)));
    assert!(loaded.thread.max_workers >= Some(1) && loaded.process.max_workers >= Some(1));
    assert_eq!((loaded.pool.retry.wait, loaded.pool.retry.attempts), (Some(Duration::from_secs(1)), None));
}

#[test]
fn the_file_is_over_the_defaults_and_the_environment_over_the_file() {
    let file = "
        [pool]
        max_queued_calls = 10
        when_full = 'reject'
        retry = { attempts = 5, wait = '200ms', algorithm = 'fixed' }
        [process]
        max_workers = 3
        max_restarts = { count = 2, within = '1min 30s' }
        [limits]
        algorithm = 'gcra'
    ";
    let variables = [
        ("CONCURRY_POOL__MAX_QUEUED_CALLS", "20"),
        ("CONCURRY_POOL__RETRY__JITTER", "0.5"),
        ("CONCURRY_PROCESS__ON_DEMAND", "30s"),
        ("CONCURRY_THREAD__MAX_RESTARTS", "{ count = 3, within = '5s' }"),
        ("CONCURRY_PROGRESS__BARS", "false"),
        ("CONCURRY_LIMITS__LOAD_BALANCING", "random"),
        ("CONCURRY_PROCESS__START_TIMEOUT", "5s"),
    ];
    let loaded = load(file, &variables).unwrap();
    assert_eq!(loaded.pool.max_queued_calls, Some(20));
    assert_eq!(loaded.pool.when_full, Some(WhenFull::Reject));
    let retry = loaded.pool.retry;
    assert_eq!(
        (retry.attempts, retry.wait, retry.jitter),
        (Some(5), Some(Duration::from_millis(200)), Some(0.5))
    );
    assert_eq!((retry.algorithm, retry.panics), (Some(RetryAlgorithm::Fixed), Some(false)));
    let process = loaded.of(ExecutionMode::Process);
    assert_eq!(loaded.thread.max_restarts.map(|restarts| restarts.count), Some(3), "a table as in the file");
    let restarts = process.max_restarts.unwrap();
    assert_eq!((restarts.count, restarts.within), (2, Duration::from_secs(90)));
    assert_eq!((process.max_workers, process.on_demand), (Some(3), Some(Duration::from_secs(30))));
    assert_eq!(process.max_queued_calls, Some(20), "what the section does not say");
    assert_eq!(loaded.progress.bars, Some(false));
    assert_eq!(process.start_timeout, Some(Duration::from_secs(5)));
    let limits = (loaded.limits.algorithm, loaded.limits.load_balancing);
    assert_eq!(limits, (Some(RateLimitAlgorithm::Gcra), Some(LimitPoolBalancing::Random)));
}

#[test]
fn what_is_set_on_what_was_loaded_holds_for_every_mode() {
    let file = std::env::temp_dir().join(format!("concurry-{}-loaded.toml", std::process::id()));
    fs::write(&file, "pool.max_queued_calls = 7").unwrap();
    let mut loaded = Config::load_from(&file).unwrap();
    fs::remove_file(file).unwrap();
    loaded.pool.max_workers = Some(2);
    let threads = concurry::with_config(loaded, || Config::current().of(ExecutionMode::Thread));
    assert_eq!((threads.max_workers, threads.max_queued_calls), (Some(2), Some(7)));
}

#[test]
fn how_a_pool_is_staffed_and_spread_has_the_same_levels() {
    let file = "
        [pool]
        load_balancing = 'random'
        on_demand = '1min'
        max_restarts = { count = 1, within = '1min' }
        restart_wait = '10ms'
        [process]
        kill_grace = '2s'
    ";
    let variables = [
        ("CONCURRY_POOL__LOAD_BALANCING", "least_total"),
        ("CONCURRY_POOL__ON_DEMAND", "2min"),
        ("CONCURRY_POOL__MAX_RESTARTS", "{ count = 2, within = '2min' }"),
        ("CONCURRY_POOL__RESTART_WAIT", "20ms"),
        ("CONCURRY_PROCESS__KILL_GRACE", "4s"),
    ];
    let told = |file: &str, variables: &[(&str, &str)]| {
        let pool = load(file, variables).unwrap().of(ExecutionMode::Process);
        let restarts = pool.max_restarts.map(|restarts| restarts.count);
        let milliseconds = [pool.on_demand, pool.restart_wait, pool.kill_grace]
            .map(|time| time.map(|time| time.as_millis()));
        (pool.load_balancing.unwrap(), restarts, milliseconds)
    };
    assert_eq!(told("", &[]), (LoadBalancing::SharedQueue, None, [None, Some(50), Some(1_000)]));
    let of_file = [Some(60_000), Some(10), Some(2_000)];
    assert_eq!(told(file, &[]), (LoadBalancing::Random, Some(1), of_file));
    let of_environment = [Some(120_000), Some(20), Some(4_000)];
    for file in ["", file] {
        assert_eq!(told(file, &variables), (LoadBalancing::LeastTotal, Some(2), of_environment));
    }
}

#[test]
fn a_programs_own_number_of_restarts_is_over_what_is_configured() {
    let mut config = Config::default();
    config.pool.max_restarts = Some(concurry::RestartLimit { count: 0, within: Duration::from_secs(60) });
    for (restarts, goes_on) in [(None, false), (Some(5), true)] {
        let pool = with_config(config.clone(), || {
            let options = TaskWorker::options(ExecutionMode::Thread, (), 1);
            match restarts {
                Some(count) => options.max_restarts(count, Duration::from_secs(60)).init().unwrap(),
                None => options.init().unwrap(),
            }
        });
        pool.submit(|| panic!("on purpose")).result().unwrap_err();
        assert_eq!(pool.submit(|| 1).result().is_ok(), goes_on);
    }
}

/// How many of 10 a second are admitted in half a second after a whole one.
fn admitted_later(limit: CallLimit) -> usize {
    let clock = concurry::clock::ManualClock::new();
    let set = LimitSet::builder().clock(Arc::new(clock.clone())).limit(limit).build().unwrap();
    let take = || std::iter::repeat_with(|| set.try_acquire(())).take_while(Result::is_ok).count();
    assert_eq!(take(), 10);
    clock.advance(Duration::from_millis(500));
    take()
}

#[test]
fn limits_and_pools_of_them_are_as_configured_when_nothing_else_is_said() {
    let limit = || CallLimit::new(10, Window::SECOND);
    let text = r#"{"capacity": 10, "window": "second"}"#;
    let read = || serde_json::from_str::<CallLimit>(text).unwrap();
    let pool = || LimitPool::new([LimitSet::empty()]).balancing();
    assert_eq!([admitted_later(limit()), admitted_later(read())], [0, 0], "never more than 10 in any second");
    assert_eq!(pool(), LimitPoolBalancing::RoundRobin);
    let mut config = Config::default();
    config.limits.algorithm = Some(RateLimitAlgorithm::TokenBucket);
    config.limits.load_balancing = Some(LimitPoolBalancing::EarliestAvailable);
    with_config(config, || {
        assert_eq!([admitted_later(limit()), admitted_later(read())], [5, 5], "half of it is there again");
        assert_eq!(admitted_later(limit().algorithm(RateLimitAlgorithm::SlidingWindow)), 0);
        assert_eq!(pool(), LimitPoolBalancing::EarliestAvailable);
    });
}

#[test]
fn a_section_of_a_mode_is_over_the_general_one_of_its_level() {
    let file = "
        [pool]
        max_workers = 2
        max_queued_calls = 10
        [thread]
        max_workers = 3
        max_queued_calls = 30
    ";
    let loaded = load(file, &[("CONCURRY_POOL__MAX_QUEUED_CALLS", "20")]).unwrap();
    let of = |mode| {
        let pool = loaded.of(mode);
        (pool.max_workers.unwrap(), pool.max_queued_calls.unwrap())
    };
    assert_eq!(of(ExecutionMode::Thread), (3, 20), "a level wins as a whole");
    assert_eq!(of(ExecutionMode::Async), (2, 20));
    assert_eq!(of(ExecutionMode::Sync), (1, 20), "it always has one worker");
    let mut changed = loaded;
    changed.pool.max_queued_calls = Some(40);
    assert_eq!(
        changed.of(ExecutionMode::Thread).max_queued_calls,
        Some(40),
        "what is loaded may still be changed"
    );
}

#[test]
fn a_mistake_names_the_place_the_key_and_what_would_do() {
    let in_file = |file: &str| load(file, &[]).unwrap_err();
    let in_environment = |name: &str, value: &str| load("", &[(name, value)]).unwrap_err();
    for (error, parts) in [
        (
            in_file("[pool]\nmax_worker = 3"),
            ["concurry.toml", "`pool.max_worker` is no option", "max_workers"],
        ),
        (in_file("[pols]\nmax_workers = 3"), ["concurry.toml", "`pols` is no option", "process"]),
        (
            in_file("[thread]\nmax_workers = 0"),
            ["concurry.toml", "`thread.max_workers` is 0", "at least one worker"],
        ),
        (
            in_environment("CONCURRY_POOL", "{ max_workers = 0 }"),
            ["CONCURRY_POOL:", "`pool.max_workers` is 0", "at least one worker"],
        ),
        (in_file("[sync]\nmax_workers = 2"), ["concurry.toml", "`sync.max_workers` is 2", "exactly 1"]),
        (
            in_file("[pool]\nmax_workers = 'many'"),
            ["concurry.toml", "`pool.max_workers` is \"many\"", "usize"],
        ),
        (
            in_file("[pool]\nwhen_full = 'drop'"),
            ["concurry.toml", "`pool.when_full` is `drop`", "drop_oldest"],
        ),
        (
            in_file("[pool]\nload_balancing = 'fair'"),
            ["concurry.toml", "`pool.load_balancing`", "least_active"],
        ),
        (in_file("[pool]\non_demand = 30"), ["concurry.toml", "`pool.on_demand` is", "with its unit"]),
        (in_file("[pool]\non_demand = '30'"), ["concurry.toml", "`pool.on_demand`", "with its unit"]),
        (
            in_file("[ray.retry]\njitter = 1.5"),
            ["concurry.toml", "`ray.retry.jitter` is 1.5", "0 (none) to 1 (full)"],
        ),
        (
            in_file("[pool]\nmax_restarts = { count = 1 }"),
            ["concurry.toml", "pool.max_restarts", "lacks `within`"],
        ),
        (in_file("[limits]\nalgorithm = 'bucket'"), ["concurry.toml", "`limits.algorithm`", "token_bucket"]),
        (in_file("pool = 3"), ["concurry.toml", "`pool`", "expected struct PoolConfig"]),
        (in_file("[pool\n"), ["concurry.toml", "is wrong", "line 1"]),
        (
            in_environment("CONCURRY_POOL__MAX_WORKER", "3"),
            ["CONCURRY_POOL__MAX_WORKER:", "`pool.max_worker` is no option", "max_workers"],
        ),
        (
            in_environment("CONCURRY_THREAD__RETRY__ATTEMPTS", "0"),
            ["CONCURRY_THREAD__RETRY__ATTEMPTS:", "is 0", "at least once"],
        ),
        (
            in_environment("CONCURRY_PROGRESS__BARS", "maybe"),
            ["CONCURRY_PROGRESS__BARS:", "is \"maybe\"", "expected a boolean"],
        ),
        (in_environment("CONCURRY_MAX_WORKERS", "3"), ["CONCURRY_MAX_WORKERS:", "is no option", "pool"]),
    ] {
        assert!(parts.iter().all(|part| error.contains(part)), "{error}\nlacks one of {parts:?}");
    }
}

#[test]
fn what_would_hold_for_nothing_is_refused() {
    let error = load("[pool]\nmax_restarts = { count = 1, within = '0s' }", &[]).unwrap_err();
    let parts = ["concurry.toml", "`pool.max_restarts.within` is 0", "more than 0"];
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    let variables = [("CONCURRY_POOL", "garbage"), ("CONCURRY_POOL__MAX_WORKERS", "3")];
    let error = load("", &variables).unwrap_err();
    let parts =
        ["CONCURRY_POOL and CONCURRY_POOL__MAX_WORKERS:", "`pool` is \"garbage\"", "drop one of the two"];
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
}

#[test]
fn what_is_for_processes_alone_is_refused_elsewhere() {
    for (file, parts) in [
        ("[process]\nmax_calls_per_worker = 0", ["`process.max_calls_per_worker` is 0", "more than 0"]),
        ("[process]\nstart_timeout = '0s'", ["`process.start_timeout` is 0", "more than 0"]),
        ("[async]\nstart_timeout = '1s'", ["`async.start_timeout`", "is for mode process"]),
        ("[thread]\nmax_worker_age = '1h'", ["`thread.max_worker_age`", "is for mode process"]),
    ] {
        let error = load(file, &[]).unwrap_err();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}\nlacks one of {parts:?}");
    }
    assert!(load("[pool]\nmax_worker_age = '1h'", &[]).is_ok());
}

#[test]
fn a_file_that_was_asked_for_must_be_there() {
    let error = Config::load_from("no/such/concurry.toml").unwrap_err();
    assert_eq!((error.place(), error.key()), ("no/such/concurry.toml", ""));
    assert!(error.to_string().starts_with("no/such/concurry.toml cannot be read"), "{error}");
}

#[test]
fn what_is_written_is_read_again() {
    let text = toml::to_string(&Config::defaults()).unwrap();
    assert_eq!(toml::from_str::<Config>(&text).unwrap(), Config::defaults(), "{text}");
    let file: PathBuf = std::env::temp_dir().join(format!("concurry-{}.toml", std::process::id()));
    fs::write(&file, text).unwrap();
    let loaded = Config::load_from(&file);
    fs::remove_file(&file).unwrap();
    assert_eq!(loaded.unwrap(), Config::defaults());
}

/// Fails as often as it was told.
#[worker]
struct Flaky {
    failures: u32,
    tries: Arc<Mutex<u32>>,
}

#[worker]
impl Flaky {
    pub fn new(failures: u32) -> Self {
        Self { failures, tries: Arc::default() }
    }

    pub fn attempt(&self) -> Result<u32, String> {
        self.attempts()
    }

    #[retry(attempts = 2)]
    pub fn twice(&self) -> Result<u32, String> {
        self.attempts()
    }

    fn attempts(&self) -> Result<u32, String> {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        *tries += 1;
        if *tries > self.failures { Ok(*tries) } else { Err(tries.to_string()) }
    }
}

/// Tests that set the process's configuration take turns.
static GLOBAL: Mutex<()> = Mutex::new(());

fn thread_workers(workers: usize) -> Config {
    let mut config = Config::default();
    config.thread.max_workers = Some(workers);
    config
}

fn workers() -> usize {
    Flaky::options(ExecutionMode::Thread, (), Workers::Default).init(0).unwrap().workers()
}

#[test]
fn the_process_is_over_the_defaults_a_scope_over_it_and_the_options_over_that() {
    let _alone = GLOBAL.lock().unwrap_or_else(PoisonError::into_inner);
    Config::global().set(thread_workers(2));
    let of_process = workers();
    let (of_scope, inner, explicit) = with_config(thread_workers(3), || {
        let inner = with_config(thread_workers(4), workers);
        let explicit = Flaky::options(ExecutionMode::Thread, (), 5).init(0).unwrap().workers();
        (workers(), inner, explicit)
    });
    let elsewhere = with_config(thread_workers(3), || std::thread::spawn(workers).join().unwrap());
    let afterwards = workers();
    Config::global().set(Config::default());
    assert_eq!((of_process, of_scope, inner, explicit), (2, 3, 4, 5));
    assert_eq!((elsewhere, afterwards), (2, 2), "a scope is of its thread, and ends");
}

#[test]
fn a_scope_says_nothing_of_what_it_does_not_name() {
    let mut outer = Config::default();
    outer.pool.max_queued_calls = Some(9);
    let inside = with_config(outer, || with_config(thread_workers(3), Config::current));
    assert_eq!((inside.pool.max_queued_calls, inside.thread.max_workers), (Some(9), Some(3)));
    let mut general = Config::default();
    general.pool.max_workers = Some(7);
    let inside = with_config(thread_workers(3), || with_config(general, Config::current));
    assert_eq!(inside.of(ExecutionMode::Thread).max_workers, Some(7), "a level wins as a whole");
}

#[test]
fn a_scope_ends_with_a_panic() {
    let caught = std::panic::catch_unwind(|| with_config(thread_workers(3), || panic!("on purpose")));
    assert!(caught.is_err());
    assert_eq!(Config::current().thread.max_workers, Config::defaults().thread.max_workers);
}

#[test]
fn a_retry_is_of_the_configuration_then_of_the_pool_then_of_the_method() {
    let mut config = Config::default();
    config.pool.retry.wait = Some(Duration::ZERO);
    let flaky = |config: &Config, retry: Option<Retry>| {
        with_config(config.clone(), || {
            let options = Flaky::options(ExecutionMode::Sync, (), 1);
            match retry {
                Some(retry) => options.retry(retry).init(3).unwrap(),
                None => options.init(3).unwrap(),
            }
        })
    };
    assert!(flaky(&config, None).attempt().result().is_err(), "without `attempts` nothing is tried again");
    let tried = flaky(&config, None).twice().result().unwrap_err().to_string();
    assert!(tried.contains("2 attempts"), "{tried}");
    config.sync.retry.attempts = Some(4);
    assert_eq!(flaky(&config, None).attempt().result().unwrap(), 4);
    let of_pool = Retry::fixed(3).wait(Duration::ZERO);
    let tried = flaky(&config, Some(of_pool)).attempt().result().unwrap_err().to_string();
    assert!(tried.contains("3 attempts"), "{tried}");
}

#[test]
fn a_full_queue_does_what_is_configured() {
    let mut config = Config::default();
    config.thread.max_queued_calls = Some(1);
    config.pool.when_full = Some(WhenFull::Reject);
    let gate = LimitSet::builder().limit(ResourceLimit::new("gate", 1)).build().unwrap();
    let shut = gate.acquire(()).unwrap();
    let waiters =
        with_config(config, || TaskWorker::options(ExecutionMode::Thread, gate.clone(), 1).init().unwrap());
    let wait = || waiters.submit_with_limits(|limits| limits.acquire(()).is_ok());
    let running = wait();
    while waiters.stats().running == 0 {
        std::thread::yield_now();
    }
    let (waiting, rejected) = (wait(), wait());
    assert!(matches!(rejected.result(), Err(CallError::Rejected(_))));
    drop(shut);
    assert!(running.result().unwrap() && waiting.result().unwrap());
}

#[test]
fn values_that_cannot_be_are_errors_of_init() {
    let mut config = Config::default();
    config.thread.restart_tries = Some(0);
    config.r#async.max_workers = Some(0);
    let start = |mode| Flaky::options(mode, (), Workers::Default).init(0).map(drop).unwrap_err().to_string();
    let errors = with_config(config, || [ExecutionMode::Thread, ExecutionMode::Async].map(start));
    assert!(errors[0].starts_with("restart_tries is 0"), "{errors:?}");
    assert!(errors[1].starts_with("max_workers is 0"), "{errors:?}");
}
