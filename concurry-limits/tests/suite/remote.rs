//! Sets that live in another process, here behind a connection that carries text.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use concurry_limits::LimitPoolBalancing::EarliestAvailable;
use concurry_limits::RateLimitAlgorithm::{SlidingWindow, TokenBucket};
use concurry_limits::remote::{
    Notice, RemoteAcquire, RemoteGrant, RemoteLimits, RemoteSetInfo, Steering, SteeringAnswer, Wait, serve,
    steer, take_notice,
};
use concurry_limits::{
    Acquire, Admission, CallLimit, Feedback, LimitError, LimitPool, LimitSet, LimitSetAcquisition,
    LimitSetStats, RateLimit, ResourceLimit, Window,
};

use crate::common::{NANO, SECOND, Task, in_use, waiters};

/// An owner with its sets, and what it has granted.
#[derive(Debug)]
struct Owner {
    sets: Vec<LimitSet>,
    grants: Arc<Mutex<HashMap<u64, LimitSetAcquisition>>>,
    asked: Mutex<Vec<Vec<u32>>>,
    noticed: Mutex<Vec<(u32, Notice)>>,
}

struct Serving {
    acquire: Acquire,
    ids: Vec<u32>,
    grants: Arc<Mutex<HashMap<u64, LimitSetAcquisition>>>,
}

impl Future for Serving {
    type Output = Result<RemoteGrant, LimitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.acquire).poll(context).map(|outcome| {
            let acquisition = outcome?;
            let mut grants = self.grants.lock().expect("no panic");
            let id = grants.len() as u64 + 100;
            let grant =
                RemoteGrant { id, set: self.ids[acquisition.set_index()], items: acquisition.export() };
            grants.insert(id, acquisition);
            let text = serde_json::to_string(&grant).expect("it can travel");
            Ok(serde_json::from_str(&text).expect("it arrives"))
        })
    }
}

impl RemoteLimits for Owner {
    fn acquire(&self, sets: &[u32], request: Vec<(String, u64)>, wait: Wait) -> RemoteAcquire {
        self.asked.lock().expect("no panic").push(sets.to_vec());
        let asked: Vec<_> = sets.iter().map(|id| self.sets[*id as usize].clone()).collect();
        let acquire = serve(&asked, request, wait);
        Box::pin(Serving { acquire, ids: sets.to_vec(), grants: Arc::clone(&self.grants) })
    }

    fn settle(&self, grant: u64, usage: Vec<(u32, u64)>, warn: bool) {
        let acquisition =
            self.grants.lock().expect("no panic").remove(&grant).expect("a grant is settled once");
        acquisition.settle_with(usage, warn);
    }

    fn undo(&self, grant: u64) {
        let acquisition =
            self.grants.lock().expect("no panic").remove(&grant).expect("a grant is undone once");
        acquisition.undo();
    }

    fn stats(&self, set: u32) -> Result<LimitSetStats, LimitError> {
        match self.sets.get(set as usize) {
            Some(set) => Ok(set.stats()),
            None => Err(LimitError::Disconnected { reason: "gone".into() }),
        }
    }

    fn feedback(&self, set: u32, feedback: Feedback) {
        if let Some(set) = self.sets.get(set as usize) {
            set.feedback(feedback);
        }
    }

    fn notice(&self, set: u32, notice: Notice) {
        self.noticed.lock().expect("no panic").push((set, notice.clone()));
        if let Some(set) = self.sets.get(set as usize) {
            take_notice(set, &notice);
        }
    }

    fn steer(&self, set: u32, steering: Steering) -> SteeringAnswer {
        let text = serde_json::to_string(&steering).expect("it can travel");
        let steering = serde_json::from_str(&text).expect("it arrives");
        match self.sets.get(set as usize) {
            Some(set) => steer(set, steering),
            None => Err(LimitError::Disconnected { reason: "gone".into() }),
        }
    }
}

fn account() -> LimitSet {
    LimitSet::builder()
        .limit(ResourceLimit::new("doors", 1))
        .limit(RateLimit::new("tokens", 100, Window::DAY).algorithm(TokenBucket))
        .config(serde_json::json!({"region": "eu"}))
        .build()
        .expect("valid limits")
}

/// The sets as their owner has them, and as another process sees them.
fn apart(sets: Vec<LimitSet>) -> (Arc<Owner>, Vec<LimitSet>) {
    let owner =
        Arc::new(Owner { sets, grants: Arc::default(), asked: Mutex::default(), noticed: Mutex::default() });
    let remote = owner.sets.iter().zip(0..).map(|(set, id)| {
        let text = serde_json::to_string(&set.describe()).expect("it can travel");
        let info: RemoteSetInfo = serde_json::from_str(&text).expect("it arrives");
        LimitSet::remote(owner.clone(), id, info)
    });
    let remote = remote.collect();
    (owner, remote)
}

#[test]
fn a_remote_set_acquires_from_its_owner_and_settles_there() {
    let (owner, remote) = apart(vec![account()]);
    let mut acquired = remote[0].acquire([("tokens", 40)]).unwrap();
    assert_eq!((acquired.requested("tokens"), acquired.requested("doors")), (Some(40), Some(1)));
    assert_eq!(acquired.config()["region"], "eu");
    assert_eq!(in_use(&owner.sets[0], "tokens"), 40);
    assert!(matches!(acquired.update([("tokens", 41)]), Err(LimitError::UsageExceedsRequested { .. })));
    acquired.update([("tokens", 10)]).unwrap();
    acquired.release().unwrap();
    assert_eq!((in_use(&owner.sets[0], "tokens"), in_use(&owner.sets[0], "doors")), (10, 0));
    assert_eq!(remote[0].stats(), owner.sets[0].stats());
}

#[test]
fn local_and_remote_holders_share_one_state_and_one_queue() {
    let (owner, remote) = apart(vec![account()]);
    let held = owner.sets[0].acquire([("tokens", 1)]).unwrap();
    assert!(
        matches!(remote[0].try_acquire([("tokens", 1)]), Err(LimitError::Unavailable { key, .. }) if key == "doors")
    );
    let mut first = Task::waiting(remote[0].acquire_async([("tokens", 1)]));
    let mut second = Task::waiting(owner.sets[0].acquire_async([("tokens", 1)]));
    drop(held);
    drop(first.woken().unwrap());
    drop(second.woken().unwrap());
}

#[test]
fn a_dropped_remote_waiter_leaves_the_owners_queue() {
    let (owner, remote) = apart(vec![account()]);
    let held = owner.sets[0].acquire([("tokens", 1)]).unwrap();
    drop(Task::waiting(remote[0].acquire_async([("tokens", 1)])));
    assert_eq!(waiters(&owner.sets[0], "doors"), 0);
    drop(held);
}

#[test]
fn a_future_that_was_never_polled_takes_nothing_and_asks_nobody() {
    let (owner, remote) = apart(vec![account(), account()]);
    let pool = LimitPool::new(remote.clone()).load_balancing(EarliestAvailable);
    let prepared = remote[0].prepare([("tokens", 1)]).unwrap();
    let futures = [
        remote[0].acquire_async([("tokens", 1)]),
        remote[0].acquire_async_timeout([("tokens", 1)], SECOND),
        pool.acquire_async([("tokens", 1)]),
        prepared.acquire_async(),
    ];
    assert!(owner.asked.lock().unwrap().is_empty());
    drop(remote[0].try_acquire([("tokens", 1)]).unwrap());
    drop(futures);
    assert_eq!(owner.asked.lock().unwrap().len(), 1);
    assert_eq!((in_use(&owner.sets[0], "doors"), in_use(&owner.sets[1], "doors")), (0, 0));
}

#[test]
fn the_time_of_a_future_runs_from_when_it_was_made() {
    let (owner, remote) = apart(vec![account()]);
    let held = owner.sets[0].acquire([("tokens", 1)]).unwrap();
    let mut late = Task::new(remote[0].acquire_async_timeout([("tokens", 1)], NANO));
    let clock = concurry_core::clock::system();
    let start = clock.now();
    while clock.now() == start {
        std::thread::yield_now();
    }
    let outcome = std::iter::repeat_with(|| late.poll()).flatten().next();
    assert!(matches!(outcome, Some(Err(LimitError::Timeout { .. }))), "{outcome:?}");
    drop(held);
}

#[test]
fn a_missing_update_is_told_at_the_worker_after_the_owner_got_everything_back() {
    let (owner, remote) = apart(vec![account()]);
    let mut acquired = remote[0].acquire([("tokens", 40)]).unwrap();
    assert_eq!(acquired.release(), Err(LimitError::MissingUpdate { keys: vec!["tokens".into()] }));
    assert_eq!((in_use(&owner.sets[0], "tokens"), in_use(&owner.sets[0], "doors")), (40, 0));
}

#[test]
fn what_a_dead_worker_held_is_given_back_and_its_rates_count_as_used() {
    let (owner, remote) = apart(vec![account()]);
    let acquired = remote[0].acquire([("tokens", 40)]).unwrap();
    let grants = std::mem::take(&mut *owner.grants.lock().unwrap());
    grants.into_values().for_each(LimitSetAcquisition::give_back);
    assert_eq!((in_use(&owner.sets[0], "tokens"), in_use(&owner.sets[0], "doors")), (40, 0));
    std::mem::forget(acquired); // its process is gone
}

#[test]
fn what_a_worker_takes_back_was_never_taken() {
    for algorithm in [TokenBucket, SlidingWindow] {
        let tokens = RateLimit::new("tokens", 100, Window::DAY).algorithm(algorithm);
        let builder = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).limit(tokens);
        let (owner, remote) = apart(vec![builder.build().unwrap()]);
        remote[0].acquire([("tokens", 40)]).unwrap().undo();
        assert_eq!((in_use(&owner.sets[0], "tokens"), in_use(&owner.sets[0], "doors")), (0, 0));
    }
}

#[test]
fn a_usage_that_no_worker_may_tell_is_cut_to_what_was_acquired() {
    let set = account();
    set.acquire([("tokens", 40)]).unwrap().settle_with([(1, 90), (77, 1)], false);
    assert_eq!(in_use(&set, "tokens"), 40);
}

#[test]
fn earliest_available_asks_for_all_sets_of_one_owner_at_once() {
    let (owner, remote) = apart(vec![account(), account()]);
    let pool = LimitPool::new(remote).load_balancing(EarliestAvailable);
    let held = owner.sets[0].acquire([("tokens", 1)]).unwrap();
    let acquired = pool.acquire([("tokens", 1)]).unwrap();
    assert_eq!(acquired.set_index(), 1);
    assert_eq!(*owner.asked.lock().unwrap(), [vec![0, 1]]);
    assert_eq!(pool.stats().sets[1].picks, 1);
    drop((held, acquired));
}

#[test]
fn sets_here_and_elsewhere_in_one_pool_are_asked_together() {
    let (owner, remote) = apart(vec![account()]);
    let here = account();
    let pool = LimitPool::new([here.clone(), remote[0].clone()]).load_balancing(EarliestAvailable);
    let held = here.acquire([("tokens", 1)]).unwrap();
    assert_eq!(pool.acquire([("tokens", 1)]).unwrap().set_index(), 1);
    let elsewhere = owner.sets[0].acquire([("tokens", 1)]).unwrap();
    let mut task = Task::waiting(pool.acquire_async([("tokens", 1)]));
    drop(held);
    assert_eq!(task.woken().unwrap().set_index(), 0);
    drop(elsewhere);
    assert_eq!((waiters(&here, "doors"), waiters(&owner.sets[0], "doors")), (0, 0));
}

#[test]
fn a_set_here_that_would_be_late_is_waited_in_while_one_elsewhere_may_be_in_time() {
    let (owner, remote) = apart(vec![account()]);
    let here = account();
    let pool = LimitPool::new([here.clone(), remote[0].clone()]).load_balancing(EarliestAvailable);
    let mut used = here.acquire([("tokens", 100), ("doors", 0)]).unwrap();
    let elsewhere = owner.sets[0].acquire([("tokens", 1)]).unwrap();
    let ask = || pool.acquire_async_timeout([("tokens", 50)], SECOND * 3600);
    let mut task = Task::waiting(ask());
    used.update([("tokens", 0)]).unwrap();
    used.release().unwrap();
    task.woken().expect("what was refunded came in time").undo();
    // What its owner refuses as late is waited for no longer, nor is the one here then.
    remote[0].pause("doors", Window::DAY.duration()).unwrap();
    here.pause("doors", Window::DAY.duration()).unwrap();
    let refused = Task::new(ask()).poll().expect("both are known to come too late");
    assert!(matches!(refused, Err(LimitError::Timeout { .. })), "{refused:?}");
    assert_eq!((waiters(&here, "doors"), waiters(&owner.sets[0], "doors")), (0, 0));
    drop(elsewhere);
}

#[test]
fn a_private_set_counts_in_each_process_for_itself() {
    let private = LimitSet::builder().limit(CallLimit::new(1, Window::DAY)).private().build().unwrap();
    let (owner, remote) = apart(vec![private]);
    drop(remote[0].acquire(()).unwrap());
    assert_eq!((in_use(&owner.sets[0], "call_count"), in_use(&remote[0], "call_count")), (0, 1));
}

#[test]
fn an_empty_set_needs_no_owner() {
    let empty = LimitSet::builder().config(serde_json::json!({"a": 1})).build().unwrap();
    let (owner, remote) = apart(vec![empty]);
    assert_eq!(remote[0].acquire([("x", 1)]).unwrap().config()["a"], 1);
    assert!(owner.asked.lock().unwrap().is_empty());
}

#[test]
fn what_only_the_owner_can_do_says_so() {
    let (_owner, remote) = apart(vec![account()]);
    let instant = concurry_core::clock::Timestamp::from_nanos(1);
    assert!(matches!(remote[0].pause("doors", instant), Err(LimitError::OwnerOnly { .. })));
}

#[test]
fn a_remote_set_is_steered_and_asked_like_any_other() {
    let (owner, remote) = apart(vec![account()]);
    assert_eq!(remote[0].would_admit([("tokens", 1)]), Admission::Now);
    remote[0].pause("doors", SECOND).unwrap();
    assert!(matches!(owner.sets[0].would_admit([("tokens", 1)]), Admission::In(_, key) if key == "doors"));
    remote[0].resume("doors").unwrap();
    remote[0].set_capacity("doors", 2).unwrap();
    assert_eq!(owner.sets[0].stats().limit("doors").unwrap().capacity, 2);
    let held = owner.sets[0].acquire([("doors", 2)]).unwrap();
    assert_eq!(remote[0].would_admit([("tokens", 1)]), Admission::OnRelease("doors".into()));
    assert!(matches!(remote[0].would_admit([("tokens", 101)]), Admission::Never(_)));
    assert!(matches!(remote[0].set_capacity("windows", 2), Err(LimitError::UnknownKey { .. })));
    assert!(matches!(remote[0].set_capacity("doors", 0), Err(LimitError::Never { .. })));
    drop(held);
}

#[test]
fn who_stands_in_the_queue_of_an_owner_is_told_its_instant_too() {
    let (owner, remote) = apart(vec![account()]);
    let mut held = remote[0].acquire([("tokens", 100), ("doors", 0)]).unwrap();
    held.update([("tokens", 100)]).unwrap();
    held.release().unwrap();
    let standing = Task::waiting(remote[0].acquire_async([("tokens", 50)]));
    assert_eq!(remote[0].would_admit([("tokens", 50)]), Admission::OnRelease("tokens".into()));
    for set in [&owner.sets[0], &remote[0]] {
        let told = set.would_admit_queued([("tokens", 50)]);
        assert!(matches!(&told, Admission::In(_, key) if key == "tokens"), "{told:?}");
    }
    drop(standing);
}

#[test]
fn what_a_server_told_a_remote_holder_holds_for_everyone() {
    let (owner, remote) = apart(vec![account()]);
    let mut acquired = remote[0].acquire([("tokens", 1)]).unwrap();
    acquired.update([("tokens", 1)]).unwrap();
    acquired.feedback(Feedback::remaining("tokens", 5, SECOND));
    acquired.release().unwrap();
    assert_eq!(owner.sets[0].stats().limit("tokens").unwrap().available, 5);
    remote[0].feedback(Feedback::retry_after(SECOND));
    assert!(matches!(owner.sets[0].would_admit([("tokens", 1)]), Admission::In(_, key) if key == "tokens"));
}

#[test]
fn an_owner_that_is_gone_is_told_in_the_stats() {
    let (owner, _) = apart(vec![account()]);
    let lost = LimitSet::remote(owner, 9, account().describe());
    assert_eq!(lost.stats().unreachable, Some(LimitError::Disconnected { reason: "gone".into() }));
}

#[test]
fn what_is_noticed_of_a_set_elsewhere_is_said_by_its_owner() {
    let lenient = || LimitSet::builder().limit(RateLimit::new("tokens", 100, Window::DAY)).lenient();
    let (owner, remote) = apart(vec![lenient().private().build().unwrap(), lenient().build().unwrap()]);
    for set in &remote {
        // Each key once, however often it is named.
        for _ in 0..2 {
            let mut told = set.acquire([("tokens", 1)]).unwrap();
            told.update([("tokens", 1), ("pages", 1)]).unwrap();
            told.release().unwrap();
        }
    }
    // Its state is here, so all that is noticed of it is.
    drop(remote[0].acquire([("tokens", 1)]).unwrap());
    (0..2).for_each(|_| remote[0].feedback(Feedback::remaining("images", 3, SECOND)));
    let expected = [
        (0, Notice::Unknown("pages".to_owned())),
        (1, Notice::Unknown("pages".to_owned())),
        (0, Notice::Untold(vec!["tokens".to_owned()])),
        (0, Notice::Unlimited("images".to_owned())),
    ];
    assert_eq!(*owner.noticed.lock().expect("no panic"), expected);
}
