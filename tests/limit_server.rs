//! Limits that are shared with other programs.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test is its own documentation, and may fail"
)]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use concurry::clock::Timestamp;
use concurry::prelude::*;
use concurry::{LimitAddress, LimitServer, LimitState, UsageRule, Verdict, typetag};

const TOKEN: &str = "a secret of this test";

fn doors(capacity: u64) -> LimitSet {
    LimitSet::builder()
        .limit(ResourceLimit::new("doors", capacity))
        .config(json!({"region": "eu"}))
        .build()
        .unwrap()
}

fn in_use(set: &LimitSet) -> u64 {
    set.stats().limit("doors").unwrap().in_use
}

fn eventually(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

fn socket(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("concurry-{}-{name}", std::process::id()))
}

/// Both kinds of address.
fn addresses(name: &str) -> [LimitAddress; 2] {
    [LimitAddress::from(socket(name)), LimitAddress::from("127.0.0.1:0")]
}

#[test]
fn a_client_uses_the_set_like_any_other() {
    for address in addresses("like-any-other") {
        let set = doors(2);
        let server = LimitServer::bind(address, TOKEN, &set).unwrap();
        let far = LimitSet::connect(server.address(), TOKEN).unwrap();
        let held = far.acquire(()).unwrap();
        assert_eq!(held.config()["region"], "eu");
        assert_eq!((in_use(&set), in_use(&far)), (1, 1));
        assert!(matches!(far.try_acquire([("doors", 2)]), Err(LimitError::Unavailable { available: 1, .. })));
        assert!(matches!(far.try_acquire([("windows", 2)]), Err(LimitError::UnknownKey { .. })));
        drop(held);
        eventually(|| in_use(&set) == 0);
    }
}

#[test]
fn who_shows_no_token_makes_room_for_who_does() {
    for address in addresses("strangers") {
        let set = doors(2);
        let server = LimitServer::bind(address, TOKEN, &set).unwrap();
        let strangers: Vec<_> = (0..100).map(|_| open(server.address())).collect();
        let far = LimitSet::connect(server.address(), TOKEN).unwrap();
        drop(far.acquire(()).unwrap());
        eventually(|| server.clients() <= 33);
        drop(strangers);
        eventually(|| server.clients() == 1);
    }
}

/// Connects and says nothing.
fn open(address: &LimitAddress) -> Box<dyn Send> {
    match address {
        LimitAddress::Unix(path) => Box::new(std::os::unix::net::UnixStream::connect(path).unwrap()),
        LimitAddress::Tcp(address) => Box::new(TcpStream::connect(address).unwrap()),
    }
}

/// Has methods of both kinds.
#[worker]
#[derive(Default)]
pub struct Passage {
    passed: u64,
}

#[worker]
impl Passage {
    #[limited(doors = 1)]
    pub async fn through(&self) {}

    pub async fn pass(&mut self) -> u64 {
        self.passed += 1;
        self.passed
    }
}

#[test]
fn a_call_that_a_far_set_admits_has_its_turn_among_others() {
    let set = doors(1);
    let server = LimitServer::bind("127.0.0.1:0", TOKEN, &set).unwrap();
    let far = LimitSet::connect(server.address(), TOKEN).unwrap();
    for mode in [ExecutionMode::Async, ExecutionMode::Thread] {
        let passage = Passage::options(mode, &far, 1).init().unwrap();
        let mut others: std::collections::VecDeque<_> = (0..100).map(|_| passage.pass()).collect();
        let through = passage.through();
        while !through.is_done() {
            others.push_back(passage.pass());
            others.pop_front().unwrap().result().unwrap();
        }
        through.result().unwrap();
        drop(others);
        passage.stop();
        eventually(|| in_use(&set) == 0);
    }
}

#[test]
fn what_a_client_takes_back_was_never_taken() {
    for algorithm in [RateLimitAlgorithm::TokenBucket, RateLimitAlgorithm::SlidingWindow] {
        let limit = RateLimit::new("tokens", 10, Window::DAY).algorithm(algorithm);
        let set = LimitSet::builder().limit(limit).build().unwrap();
        let server = LimitServer::bind("127.0.0.1:0", TOKEN, &set).unwrap();
        let far = LimitSet::connect(server.address(), TOKEN).unwrap();
        far.acquire([("tokens", 10)]).unwrap().undo();
        // It is asked after it was told.
        assert_eq!(far.stats().limit("tokens").unwrap().in_use, 0);
    }
}

#[test]
fn what_a_client_hears_holds_for_everyone_but_only_the_owner_steers() {
    for address in addresses("hears") {
        let set = LimitSet::builder().limit(CallLimit::new(5, Window::DAY)).build().unwrap();
        let server = LimitServer::bind(address, TOKEN, &set).unwrap();
        let far = LimitSet::connect(server.address(), TOKEN).unwrap();
        far.acquire(()).unwrap().feedback(Feedback::retry_after(Duration::from_secs(3_600)));
        assert!(matches!(far.would_admit(()), concurry::Admission::In(..)));
        assert!(set.try_acquire(()).is_err());
        for refused in [
            far.set_capacity("call_count", 6),
            far.pause("call_count", Duration::ZERO),
            far.resume("call_count"),
        ] {
            assert!(matches!(refused, Err(LimitError::OwnerOnly { .. })), "{refused:?}");
        }
        set.resume("call_count").unwrap();
        drop(far.try_acquire(()).unwrap());
    }
}

#[test]
fn a_client_waits_in_the_owners_queue() {
    for address in addresses("queue") {
        let set = doors(1);
        let server = LimitServer::bind(address, TOKEN, &set).unwrap();
        let far = LimitSet::connect(server.address(), TOKEN).unwrap();
        let held = set.acquire(()).unwrap();
        let waiter = std::thread::spawn({
            let far = far.clone();
            move || far.acquire(()).map(drop)
        });
        eventually(|| set.stats().limit("doors").unwrap().waiting == 1);
        drop(held);
        waiter.join().unwrap().unwrap();
        assert!(far.acquire_timeout((), Duration::from_secs(3600)).is_ok());
    }
}

#[test]
fn a_wait_that_is_dropped_leaves_the_owners_queue() {
    let set = doors(1);
    let server = LimitServer::bind("127.0.0.1:0", TOKEN, &set).unwrap();
    let far = LimitSet::connect(server.address(), TOKEN).unwrap();
    let held = set.acquire(()).unwrap();
    let mut waiting = far.acquire_async(());
    let waker = std::task::Waker::noop();
    assert!(
        Future::poll(std::pin::Pin::new(&mut waiting), &mut std::task::Context::from_waker(waker))
            .is_pending()
    );
    eventually(|| set.stats().limit("doors").unwrap().waiting == 1);
    drop(waiting);
    eventually(|| set.stats().limit("doors").unwrap().waiting == 0);
    drop(held);
    drop(set.acquire(()).unwrap());
}

#[test]
fn workers_in_processes_of_a_client_are_limited_too() {
    let set = doors(1);
    let server = LimitServer::bind("127.0.0.1:0", TOKEN, &set).unwrap();
    let far = LimitSet::connect(server.address(), TOKEN).unwrap();
    let held = set.acquire(()).unwrap();
    let pool = Porter::options(ExecutionMode::Process, far, 1).init().unwrap();
    assert!(!pool.gets_in().result().unwrap());
    drop(held);
    assert!(pool.gets_in().result().unwrap());
    eventually(|| in_use(&set) == 0);
}

/// Tries the door.
#[worker]
#[derive(Default)]
struct Porter;

#[worker]
impl Porter {
    pub fn gets_in(&self) -> bool {
        self.limits.try_acquire(()).is_ok()
    }
}

#[test]
fn a_client_without_the_token_is_sent_away() {
    let set = doors(1);
    for address in addresses("without-the-token") {
        let server = LimitServer::bind(address, TOKEN, &set).unwrap();
        for wrong in ["", "another secret of this test", "a secret of this tesT"] {
            let error = LimitSet::connect(server.address(), wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
            assert!(error.to_string().contains("the token is wrong"), "{error}");
        }
        eventually(|| server.clients() == 0);
    }
    for address in addresses("without-a-token") {
        assert_eq!(LimitServer::bind(address, "", &set).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert!(!socket("without-a-token").exists(), "nothing is left behind");
}

#[test]
fn a_private_set_is_not_served() {
    let private = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).private().build().unwrap();
    let path = socket("private");
    let error = LimitServer::bind(path.clone(), TOKEN, &private).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("private"), "{error}");
    assert!(!path.exists(), "nothing is left behind");
}

#[test]
fn a_peer_that_talks_nonsense_harms_nobody() {
    let set = doors(1);
    let server = LimitServer::bind("127.0.0.1:0", TOKEN, &set).unwrap();
    for nonsense in [&b"GET / HTTP/1.1\r\nHost: limits\r\n\r\n"[..], &[0xff; 64], &[0; 64], b""] {
        let mut peer = TcpStream::connect(server.address().to_string()).unwrap();
        peer.write_all(nonsense).unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        // The server ends the connection; what it says before that, if anything, is its refusal.
        let mut said = Vec::new();
        drop(peer.read_to_end(&mut said));
    }
    let far = LimitSet::connect(server.address(), TOKEN).unwrap();
    drop(far.acquire(()).unwrap());
}

#[test]
fn whoever_is_no_limit_server_is_told_apart() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let other = std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(b"220 mail.example ESMTP ready and waiting\r\n").unwrap();
    });
    assert!(LimitSet::connect(&address, TOKEN).is_err());
    other.join().unwrap();
    assert!(LimitSet::connect(&address, TOKEN).is_err(), "nobody listens any more");
}

/// Panics when 3 are given back.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Touchy;

#[typetag::serde]
impl concurry::Limit for Touchy {
    fn key(&self) -> &'static str {
        "touchy"
    }

    fn capacity(&self) -> u64 {
        10
    }

    fn default_amount(&self) -> Option<u64> {
        Some(1)
    }

    fn usage_rule(&self) -> UsageRule {
        UsageRule::Held
    }

    fn state(&self, _: Timestamp) -> Box<dyn LimitState> {
        Box::new(Touch)
    }
}

struct Touch;

impl LimitState for Touch {
    fn check(&mut self, _: u64, _: Timestamp) -> Verdict {
        Verdict::Granted
    }

    fn take(&mut self, _: u64, _: Timestamp) {}

    fn settle(&mut self, requested: u64, _: u64, _: Timestamp) {
        assert_ne!(requested, 3, "given back");
    }

    fn undo(&mut self, _: u64, _: Timestamp, _: Timestamp) {}

    fn set_capacity(&mut self, _: u64, _: Timestamp) {}

    fn in_use(&mut self, _: Timestamp) -> u64 {
        0
    }
}

#[test]
fn a_client_for_whom_a_limit_panics_is_told_and_leaves_nothing() {
    for address in addresses("panics") {
        let set = LimitSet::builder().limit(Touchy).limit(ResourceLimit::new("doors", 2)).build().unwrap();
        let server = LimitServer::bind(address, TOKEN, &set).unwrap();
        let far = LimitSet::connect(server.address(), TOKEN).unwrap();
        let held = [far.acquire([("touchy", 3)]).unwrap(), far.acquire([("touchy", 3)]).unwrap()];
        let waiter = std::thread::spawn({
            let far = far.clone();
            move || far.acquire(()).map(drop)
        });
        eventually(|| set.stats().limit("doors").unwrap().waiting == 1);
        drop(held);
        assert!(matches!(waiter.join().unwrap(), Err(LimitError::Disconnected { .. }) | Ok(())));
        eventually(|| server.clients() == 0);
        assert_eq!((in_use(&set), set.stats().limit("doors").unwrap().waiting), (0, 0));
        drop(LimitSet::connect(server.address(), TOKEN).unwrap().acquire(()).unwrap());
    }
}

#[test]
fn when_the_server_ends_its_clients_are_told() {
    for address in addresses("ends") {
        let set = doors(1);
        let server = LimitServer::bind(address, TOKEN, &set).unwrap();
        let far = LimitSet::connect(server.address(), TOKEN).unwrap();
        let held = far.acquire(()).unwrap();
        let waiter = std::thread::spawn({
            let far = far.clone();
            move || far.acquire(()).map(drop)
        });
        eventually(|| set.stats().limit("doors").unwrap().waiting == 1);
        drop(server);
        assert!(matches!(waiter.join().unwrap(), Err(LimitError::Disconnected { .. })));
        assert!(matches!(far.acquire(()), Err(LimitError::Disconnected { .. })));
        assert!(far.stats().unreachable.is_some());
        drop(held);
        assert_eq!(in_use(&set), 0, "what it held was given back with the connection");
    }
}

#[test]
fn the_last_set_ends_the_connection() {
    let set = doors(1);
    let server = LimitServer::bind("127.0.0.1:0", TOKEN, &set).unwrap();
    let far = LimitSet::connect(server.address(), TOKEN).unwrap();
    let held = far.acquire(()).unwrap();
    eventually(|| server.clients() == 1);
    drop(far);
    assert_eq!(in_use(&set), 1, "an acquisition keeps its connection");
    drop(held);
    eventually(|| server.clients() == 0);
    assert_eq!(in_use(&set), 0);
}

#[test]
fn a_socket_that_was_left_behind_is_replaced_and_one_in_use_is_not() {
    let path = socket("left-behind");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap()); // leaves its file
    let server = LimitServer::bind(path.clone(), TOKEN, &doors(1)).unwrap();
    assert_eq!(LimitServer::bind(path.clone(), TOKEN, &doors(1)).unwrap_err().kind(), ErrorKind::AddrInUse);
    drop(server);
    assert!(!path.exists());
}

#[test]
fn the_death_of_a_client_program_gives_back_what_it_held() {
    const ADDRESS: &str = "LIMIT_SERVER_OF_THE_TEST";
    if let Ok(address) = std::env::var(ADDRESS) {
        // This is the other program: it holds a door, and waits for one more.
        let far = LimitSet::connect(&address, TOKEN).unwrap();
        let _held = far.acquire(()).unwrap();
        println!("holding");
        drop(far.acquire([("doors", 2)]));
        return;
    }
    for address in addresses("death") {
        let set = doors(2);
        let server = LimitServer::bind(address, TOKEN, &set).unwrap();
        let mut client = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_death_of_a_client_program_gives_back_what_it_held", "--nocapture"])
            .env(ADDRESS, server.address().to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        read_until_holding(&mut client);
        eventually(|| set.stats().limit("doors").unwrap().waiting == 1);
        assert_eq!(in_use(&set), 1);
        client.kill().unwrap();
        client.wait().unwrap();
        drop(set.acquire([("doors", 2)]).unwrap());
        assert_eq!(set.stats().limit("doors").unwrap().waiting, 0);
    }
}

fn read_until_holding(client: &mut Child) {
    let output = BufReader::new(client.stdout.take().unwrap());
    assert!(output.lines().any(|line| line.unwrap().contains("holding")));
}

#[test]
fn a_server_whose_path_is_anothers_by_now_ends_and_leaves_that_alone() {
    let path = socket("successor");
    let first = LimitServer::bind(path.clone(), TOKEN, &doors(2)).unwrap();
    std::fs::remove_file(&path).unwrap();
    let second = LimitServer::bind(path.clone(), TOKEN, &doors(2)).unwrap();
    drop(first);
    drop(LimitSet::connect(second.address(), TOKEN).unwrap().acquire(()).unwrap());
    drop(second);
    assert!(!path.exists());
    // One whose file is gone ends too.
    let third = LimitServer::bind(path.clone(), TOKEN, &doors(2)).unwrap();
    std::fs::remove_file(&path).unwrap();
    drop(third);
}
