//! Acquire and release of each kind of limit, alone, contended, in full windows, in front of a crowd and a tenant each, beside
//! governor and tokio's semaphore; and what a waiter and an idle tenant take.

use std::collections::VecDeque;
use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use concurry::prelude::*;
use concurry::{Acquire, KeyedLimits};
use concurry_peers::{batch, group, repeat, resident};
use governor::{Quota, RateLimiter};

const COUNT: u32 = 200_000;
const PLENTY: u64 = 1_000_000_000;

fn set(limits: Vec<RateLimit>) -> LimitSet {
    let builder = limits.into_iter().fold(LimitSet::builder(), |builder, limit| builder.limit(limit));
    builder.build().expect("the limits are right")
}

fn rate(key: &str, algorithm: RateLimitAlgorithm) -> RateLimit {
    RateLimit::new(key, PLENTY, Window::SECOND).algorithm(algorithm)
}

fn acquire_and_tell(set: &LimitSet, key: &str) {
    let mut acquired = set.acquire([(key, 1)]).expect("there is plenty");
    acquired.update([(key, 1)]).expect("as much as was acquired");
}

fn main() {
    // First, while nothing was freed that could be used again.
    if std::env::args().skip(1).all(|argument| argument.starts_with("--")) {
        memory();
    }
    let quota = Quota::per_second(NonZeroU32::new(1_000_000_000).expect("not zero"));
    let governor = RateLimiter::direct(quota);
    let semaphore = tokio::sync::Semaphore::new(8);
    let resource = LimitSet::builder().limit(ResourceLimit::new("doors", 8)).build().expect("right");
    let calls = LimitSet::builder()
        .limit(CallLimit::new(PLENTY, Window::SECOND).algorithm(RateLimitAlgorithm::Gcra))
        .build()
        .expect("right");
    let (call, door) = (calls.prepare(()).expect("right"), resource.prepare(()).expect("right"));
    let empty = LimitSet::empty();
    let nothing = empty.prepare(()).expect("right");

    group(
        "nothing to wait for, no limit",
        vec![
            repeat("concurry: empty set, prepared", COUNT, || nothing.acquire().is_ok()),
            repeat("concurry: empty set", COUNT, || empty.acquire(()).is_ok()),
        ],
    );

    let algorithms = [
        ("concurry: RateLimit Gcra, with update", RateLimitAlgorithm::Gcra),
        ("concurry: RateLimit TokenBucket, with update", RateLimitAlgorithm::TokenBucket),
        ("concurry: RateLimit LeakyBucket, with update", RateLimitAlgorithm::LeakyBucket),
        ("concurry: RateLimit FixedWindow, with update", RateLimitAlgorithm::FixedWindow),
        ("concurry: RateLimit SlidingWindow, with update", RateLimitAlgorithm::SlidingWindow),
    ];
    let sets: Vec<_> =
        algorithms.map(|(name, algorithm)| (name, set(vec![rate("tokens", algorithm)]))).into();
    let tokens = sets[0].1.prepare([("tokens", 1)]).expect("right");
    let mut rows = vec![
        repeat("governor: check", COUNT, || governor.check().is_ok()),
        repeat("concurry: CallLimit Gcra, prepared", COUNT, || call.acquire().is_ok()),
        repeat("concurry: CallLimit Gcra", COUNT, || calls.acquire(()).is_ok()),
    ];
    rows.push(repeat("concurry: RateLimit Gcra, with update, prepared", COUNT, || {
        let mut acquired = tokens.acquire().expect("there is plenty");
        acquired.update([("tokens", 1)]).expect("as much as was acquired");
    }));
    rows.extend(sets.iter().map(|(name, set)| repeat(name, COUNT, move || acquire_and_tell(set, "tokens"))));
    group("one rate limit, admitted at once", rows);

    group(
        "one resource, acquire and release",
        vec![
            repeat("tokio: Semaphore try_acquire + drop", COUNT, || semaphore.try_acquire().is_ok()),
            repeat("concurry: ResourceLimit, prepared", COUNT, || door.acquire().is_ok()),
            repeat("concurry: ResourceLimit", COUNT, || resource.acquire(()).is_ok()),
        ],
    );

    let two_more = || semaphore.try_acquire().is_ok() && semaphore.try_acquire().is_ok();
    let three = LimitSet::builder()
        .limit(CallLimit::new(PLENTY, Window::SECOND).algorithm(RateLimitAlgorithm::Gcra))
        .limit(rate("tokens", RateLimitAlgorithm::Gcra))
        .limit(ResourceLimit::new("doors", 8))
        .build()
        .expect("right");
    let request = three.prepare([("tokens", 1)]).expect("right");
    group(
        "three limits",
        vec![
            repeat("governor: check, of one", COUNT, || governor.check().is_ok()),
            repeat("governor check + 2 tokio semaphores (not atomic)", COUNT, || {
                governor.check().is_ok() && two_more()
            }),
            repeat("concurry: CallLimit + RateLimit + ResourceLimit, prepared", COUNT, || {
                let mut acquired = request.acquire().expect("there is plenty");
                acquired.update([("tokens", 1)]).expect("as much as was acquired");
            }),
            repeat("concurry: CallLimit + RateLimit + ResourceLimit", COUNT, || {
                acquire_and_tell(&three, "tokens")
            }),
        ],
    );

    group(
        "one rate limit, two threads",
        vec![
            batch("governor: check", CONTENDED, |count| in_two_threads(count, || governor.check().is_ok())),
            batch("concurry: CallLimit Gcra, prepared", CONTENDED, |count| {
                in_two_threads(count, || call.acquire().is_ok())
            }),
            batch("concurry: CallLimit Gcra", CONTENDED, |count| {
                in_two_threads(count, || calls.acquire(()).is_ok())
            }),
        ],
    );

    let roomy = |full: u64| {
        let set = LimitSet::builder().limit(CallLimit::new(PLENTY, Duration::from_nanos(full * 250))).build();
        set.expect("right")
    };
    let (small, large) = (roomy(100), roomy(100_000));
    let admissions = |set: &LimitSet| (0..1_000_000).filter(|_| set.acquire(()).is_ok()).count();
    group(
        "SlidingWindow, 1,000,000 admissions through a window of 25 us, and of 25 ms",
        vec![
            batch("concurry: about 100 in the window", 1_000_000, |_| admissions(&small)),
            batch("concurry: about 100,000 in the window", 1_000_000, |_| admissions(&large)),
        ],
    );

    let (mut few, mut many) = (Crowd::of(100), Crowd::of(100_000));
    group(
        "a release that admits the first of those who wait, and one who joins them",
        vec![
            repeat("concurry: 100 wait", 20_000, || few.moves_on()),
            repeat("concurry: 100,000 wait", 20_000, || many.moves_on()),
        ],
    );
    drop((few, many));

    let a_tenant =
        LimitSet::builder().limit(CallLimit::new(PLENTY, Window::SECOND).algorithm(RateLimitAlgorithm::Gcra));
    let keyed = KeyedLimits::<u64>::builder(a_tenant).build().expect("right");
    let peers = RateLimiter::keyed(quota);
    let mut turn = 0_u64;
    let mut other_turn = 0_u64;
    group(
        "a limit a tenant, 10,000 tenants in turn",
        vec![
            repeat("governor: check_key", COUNT, || {
                turn = (turn + 1) % 10_000;
                peers.check_key(&turn).is_ok()
            }),
            repeat("concurry: KeyedLimits acquire", COUNT, || {
                other_turn = (other_turn + 1) % 10_000;
                keyed.acquire(&other_turn, ()).is_ok()
            }),
        ],
    );
}

/// What waits, and keys that nobody uses, take of memory.
fn memory() {
    const WAITERS: u64 = 100_000;
    const KEYS: u64 = 1_000_000;
    println!("memory");
    let before = resident();
    let crowd = Crowd::of(WAITERS as usize);
    let each = resident().saturating_sub(before) / WAITERS;
    println!("  a waiter, its future of {} bytes and its box included: {each} bytes", size_of::<Acquire>());
    drop(crowd);
    let limit = CallLimit::new(10, Window::DAY).algorithm(RateLimitAlgorithm::Gcra);
    let keyed = KeyedLimits::<u64>::builder(LimitSet::builder().limit(limit)).build().expect("right");
    let before = resident();
    (0..KEYS).for_each(|key| assert!(keyed.acquire(&key, ()).is_ok()));
    let each = resident().saturating_sub(before) / KEYS;
    println!("  a key at rest, of a map of {}: {each} bytes", keyed.len());
}

/// Those who wait for one door.
struct Crowd {
    set: LimitSet,
    inside: Option<LimitSetAcquisition>,
    waiting: VecDeque<Pin<Box<Acquire>>>,
}

impl Crowd {
    fn of(count: usize) -> Self {
        let set = LimitSet::builder().limit(ResourceLimit::new("door", 1)).build().expect("right");
        let inside = Some(set.acquire(()).expect("free"));
        let mut crowd = Self { set, inside, waiting: VecDeque::new() };
        (0..count).for_each(|_| crowd.joins());
        crowd
    }

    fn joins(&mut self) {
        let mut one = Box::pin(self.set.acquire_async(()));
        assert!(one.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        self.waiting.push_back(one);
    }

    fn moves_on(&mut self) -> bool {
        drop(self.inside.take());
        let mut first = self.waiting.pop_front().expect("somebody waits");
        let Poll::Ready(Ok(inside)) = first.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("the first is admitted");
        };
        self.inside = Some(inside);
        self.joins();
        true
    }
}

const CONTENDED: u32 = 400_000;

/// Does half of `count` on each of two threads.
fn in_two_threads(count: u32, operation: impl Fn() -> bool + Sync) {
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..count / 2).filter(|_| operation()).count());
        }
    });
}
