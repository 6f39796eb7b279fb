//! Time: what the clocks promise to those who wait.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test is its own documentation, and may fail")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::time::Duration;

use concurry_core::clock::{self, Clock, ManualClock, Timestamp};
use concurry_core::park::{block_on_until, thread_waker};

/// Notes its number when it is woken.
struct Note(usize, Arc<Mutex<Vec<usize>>>);

impl Wake for Note {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

fn note(number: usize, notes: &Arc<Mutex<Vec<usize>>>) -> Waker {
    Waker::from(Arc::new(Note(number, Arc::clone(notes))))
}

#[test]
fn a_manual_clock_wakes_in_the_order_of_time_and_nothing_early() {
    let (clock, notes) = (ManualClock::new(), Arc::default());
    let at = |seconds: u64| Timestamp::from_nanos(seconds * 1_000_000_000);
    let guards: Vec<_> = [(3, 30), (1, 10), (2, 20), (4, 40)]
        .map(|(n, seconds)| clock.wake_at(at(seconds), note(n, &notes)))
        .into();
    clock.advance_to(Timestamp::from_nanos(at(10).as_nanos() - 1));
    assert!(notes.lock().unwrap().is_empty());
    clock.advance_to(at(30));
    assert_eq!(*notes.lock().unwrap(), [1, 2, 3]);
    assert_eq!(clock.next_wake(), Some(at(40)));
    drop(guards);
    assert_eq!(clock.next_wake(), None);
}

#[test]
fn a_request_that_was_taken_back_wakes_nobody() {
    let (clock, notes) = (ManualClock::new(), Arc::default());
    drop(clock.wake_at(Timestamp::from_nanos(5), note(1, &notes)));
    clock.advance(Duration::from_secs(1));
    assert!(notes.lock().unwrap().is_empty());
}

#[test]
fn an_instant_that_has_passed_wakes_at_once() {
    let (manual, notes) = (ManualClock::new(), Arc::default());
    manual.advance(Duration::from_secs(1));
    let _guard = manual.wake_at(Timestamp::from_nanos(5), note(1, &notes));
    assert_eq!(*notes.lock().unwrap(), [1]);

    let system = clock::system();
    let _guard = system.wake_at(Timestamp::from_nanos(0), thread_waker());
    std::thread::park();
}

#[test]
fn time_never_goes_back() {
    let manual = ManualClock::new();
    manual.advance(Duration::from_secs(5));
    manual.advance_to(Timestamp::from_nanos(1));
    assert_eq!(manual.now(), Timestamp::from_nanos(5_000_000_000));
    manual.advance(Duration::MAX);
    assert_eq!(manual.now(), Timestamp::MAX);

    let system = clock::system();
    let mut last = system.now();
    // The counter is measured within that time, and carries the system's clock on from then.
    let end = last + Duration::from_millis(100);
    while last < end {
        let now = system.now();
        assert!(now >= last);
        last = now;
    }
}

#[test]
fn the_system_timer_wakes_the_earliest_first_also_when_it_came_last() {
    let (system, notes) = (clock::system(), Arc::default());
    let now = system.now();
    let _late = system.wake_at(now + Duration::from_secs(3600), note(9, &notes));
    let _second = system.wake_at(now + Duration::from_millis(4), note(2, &notes));
    let _first = system.wake_at(now + Duration::from_millis(2), note(1, &notes));
    while notes.lock().unwrap().len() < 2 {
        std::thread::yield_now();
    }
    assert_eq!(*notes.lock().unwrap(), [1, 2]);
    assert!(system.now() >= now + Duration::from_millis(4));
}

#[test]
fn a_thousand_requests_of_the_system_timer_are_all_served_and_none_early() {
    struct Late(Timestamp, Arc<AtomicUsize>);
    impl Wake for Late {
        fn wake(self: Arc<Self>) {
            assert!(clock::system().now() >= self.0);
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (system, served) = (clock::system(), Arc::new(AtomicUsize::new(0)));
    let guards: Vec<_> = (0..1000u64)
        .map(|n| {
            let at = system.now() + Duration::from_micros((n * 7919) % 5000);
            system.wake_at(at, Waker::from(Arc::new(Late(at, Arc::clone(&served)))))
        })
        .collect();
    while served.load(Ordering::SeqCst) < 1000 {
        std::thread::yield_now();
    }
    drop(guards);
}

#[test]
fn a_wait_ends_at_its_deadline_on_either_clock() {
    let system = clock::system();
    let deadline = system.now() + Duration::from_millis(3);
    assert_eq!(block_on_until(std::future::pending::<()>(), &*system, deadline), None);
    assert!(system.now() >= deadline);

    let manual = ManualClock::new();
    let waiter = std::thread::spawn({
        let manual = manual.clone();
        move || block_on_until(std::future::pending::<()>(), &manual, Timestamp::from_nanos(1_000))
    });
    manual.wait_for_sleepers(1);
    manual.advance(Duration::from_micros(1));
    assert_eq!(waiter.join().unwrap(), None);
}

#[test]
fn a_waker_that_is_dropped_may_use_the_clock() {
    struct Asks(ManualClock);
    impl Wake for Asks {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Asks {
        fn drop(&mut self) {
            assert_eq!(self.0.next_wake(), None);
        }
    }
    let clock = ManualClock::new();
    let waker = Waker::from(Arc::new(Asks(clock.clone())));
    drop(clock.wake_at(clock.now() + Duration::from_secs(1), waker));
}

#[test]
fn what_several_threads_add_to_a_manual_clock_is_added() {
    let clock = ManualClock::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50_000).for_each(|_| clock.advance(Duration::from_nanos(1))));
        }
    });
    assert_eq!(clock.now(), Timestamp::from_nanos(200_000));
    clock.advance(Duration::MAX);
    assert_eq!(clock.now(), Timestamp::from_nanos(u64::MAX), "and it stops at the end of time");
}
