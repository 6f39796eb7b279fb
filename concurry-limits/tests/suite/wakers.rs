//! A waker may run anything: when nothing is locked, and all else has been seen to.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use concurry_core::clock::{Clock, ManualClock, Timestamp};
use concurry_limits::RateLimit;
use concurry_limits::RateLimitAlgorithm::TokenBucket;

use crate::common::{Task, alone, seconds};

/// Looks when the clock wakes next.
struct Looks(ManualClock, Mutex<Vec<Option<Timestamp>>>);

impl Wake for Looks {
    fn wake(self: Arc<Self>) {
        self.1.lock().expect("nobody panics here").push(self.0.next_wake());
    }
}

#[test]
fn the_timer_of_those_who_wait_runs_before_anybody_is_woken() {
    let (clock, set) = alone(RateLimit::new("tokens", 10, seconds(10)).algorithm(TokenBucket));
    let mut held = set.acquire([("tokens", 10)]).unwrap();
    let looks = Arc::new(Looks(clock.clone(), Mutex::default()));
    let waker = Waker::from(Arc::clone(&looks));
    let mut first = pin!(set.acquire_async([("tokens", 5)]));
    assert!(first.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let second = Task::waiting(set.acquire_async([("tokens", 8)]));
    held.update([("tokens", 5)]).unwrap();
    held.release().unwrap();
    // What is used up by the first leaves the second to wait for eight seconds.
    assert_eq!(*looks.1.lock().unwrap(), [Some(clock.now() + seconds(8))]);
    drop(second);
}
