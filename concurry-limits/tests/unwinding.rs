//! A holder that panics wakes who waits, also when nothing of this process has caught a panic before: so a test of its own.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test is its own documentation, and may fail")]

use concurry_limits::{LimitSet, ResourceLimit};

#[test]
fn the_first_wake_of_a_process_may_be_that_of_a_thread_that_panics() {
    let set = LimitSet::builder().limit(ResourceLimit::new("door", 1)).build().unwrap();
    let holder = std::thread::spawn({
        let set = set.clone();
        move || {
            let _held = set.acquire(()).unwrap();
            while set.stats().limits[0].waiting == 0 {
                std::thread::yield_now();
            }
            panic!("on purpose");
        }
    });
    while set.stats().limits[0].in_use == 0 {
        std::thread::yield_now();
    }
    drop(set.acquire(()).unwrap());
    holder.join().unwrap_err();
}
