//! Who waits for limits in a worker, and what becomes of it when they change (SPEC §1).

use std::sync::Arc;
use std::time::Duration;

use concurry::clock::ManualClock;
use concurry::prelude::*;

use super::limits::{in_use, limit_error, tokens};
use super::workers::{Acquirer, amounts, none};
use super::{eventually, every_mode_in_background, gate};

every_mode_in_background! {
    fn a_list_of_limits_is_shared_by_the_workers_of_its_pool(mode: ExecutionMode) {
        let limits = [CallLimit::new(2, Window::DAY)];
        let acquirer = Acquirer::options(mode, limits, 2).load_balancing(LoadBalancing::RoundRobin).init().unwrap();
        let admitted = (0..4).filter(|_| acquirer.try_acquire(none()).result().is_ok()).count();
        assert_eq!(admitted, 2);
    }

    fn a_waiter_under_whom_the_capacity_is_lowered_is_told(mode: ExecutionMode) {
        let set = LimitSet::builder().limit(ResourceLimit::new("doors", 3)).build().unwrap();
        let held = set.acquire([("doors", 1)]).unwrap();
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        let call = acquirer.acquire(amounts([("doors", 3)]), none());
        eventually(|| set.stats().limits[0].waiting == 1);
        set.set_capacity("doors", 2).unwrap();
        let told = limit_error(call.result());
        assert!(matches!(&told, LimitError::Never { key, requested: 3, capacity: 2, .. } if key == "doors"), "{told:?}");
        drop(held);
        drop(set.acquire([("doors", 2)]).unwrap());
    }

    fn a_raised_capacity_the_end_of_a_pause_and_a_refund_wake_who_waits(mode: ExecutionMode) {
        let wakers: [fn(&LimitSet, LimitSetAcquisition); 3] = [
            |set, _still_held| set.set_capacity("tokens", 20).unwrap(),
            |set, mut held| {
                held.update([("tokens", 0)]).unwrap();
                set.pause("tokens", Duration::from_secs(3_600)).unwrap();
                held.release().unwrap();
                assert_eq!(set.stats().limits[0].waiting, 1, "it is paused");
                set.resume("tokens").unwrap();
            },
            |_, mut held| {
                held.update([("tokens", 5)]).unwrap();
                held.release().unwrap();
            },
        ];
        for wake in wakers {
            let (set, _clock) = tokens();
            let held = set.acquire([("tokens", 10)]).unwrap();
            let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
            let call = acquirer.acquire(amounts([("tokens", 5)]), amounts([("tokens", 5)]));
            eventually(|| set.stats().limits[0].waiting == 1);
            wake(&set, held);
            assert_eq!(call.result().unwrap(), "eu");
        }
    }

    fn who_times_out_makes_way_for_who_stands_behind(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let doors = ResourceLimit::new("doors", 2);
        let set = LimitSet::builder().limit(doors).clock(Arc::new(clock.clone())).build().unwrap();
        let held = set.acquire([("doors", 1)]).unwrap();
        let first = Acquirer::options(mode, &set, 1).init().unwrap();
        let second = Acquirer::options(mode, &set, 1).init().unwrap();
        let late = first.acquire_timeout(amounts([("doors", 2)]), Duration::from_secs(1));
        eventually(|| set.stats().limits[0].waiting == 1);
        let behind = second.acquire(amounts([("doors", 1)]), none());
        eventually(|| set.stats().limits[0].waiting == 2);
        clock.advance(Duration::from_secs(1));
        let told = limit_error(late.result());
        assert!(
            matches!(told, LimitError::Timeout { requested: 2, waited, .. } if waited == Duration::from_secs(1)),
            "{told:?}"
        );
        behind.result().unwrap();
        drop(held);
        assert_eq!(in_use(&set, "doors"), 0);
    }

    fn who_is_the_first_now_and_would_be_late_is_told_at_once(mode: ExecutionMode) {
        let (set, _clock) = tokens();
        drop(set.acquire([("tokens", 10)]).unwrap());
        let acquirer = Acquirer::options(mode, &set, 1).init().unwrap();
        let call = acquirer.acquire_timeout(amounts([("tokens", 5)]), Duration::from_secs(1));
        eventually(|| set.stats().limits[0].waiting == 1);
        set.pause("tokens", Duration::from_secs(60)).unwrap();
        let told = limit_error(call.result());
        assert!(
            matches!(told, LimitError::Timeout { available_in: Some(wait), .. } if wait == Duration::from_secs(60)),
            "{told:?}"
        );
    }

    fn a_private_set_counts_by_its_own_clock_or_the_pool_says_that_it_cannot(mode: ExecutionMode) {
        let clock = ManualClock::new();
        let day = CallLimit::new(1, Window::DAY);
        let set = LimitSet::builder().clock(Arc::new(clock.clone())).limit(day).private().build().unwrap();
        let pool = Acquirer::options(mode, set, 1).init();
        if mode == ExecutionMode::Process {
            let error = pool.unwrap_err().to_string();
            assert!(error.contains("private") && error.contains("clock"), "{error}");
            return;
        }
        let pool = pool.unwrap();
        pool.try_acquire(none()).result().unwrap();
        pool.try_acquire(none()).result().unwrap_err();
        clock.advance(Window::DAY.duration());
        pool.try_acquire(none()).result().unwrap();
    }

    fn private_sets_are_not_shared_by_the_workers_of_one_pool(mode: ExecutionMode) {
        let private = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).private().build().unwrap();
        let gate = gate();
        let closed = gate.acquire(()).unwrap();
        let options = Acquirer::options(mode, LimitPool::new([private, gate.clone()]), 2);
        let acquirer = options.load_balancing(LoadBalancing::RoundRobin).init().unwrap();
        let calls = [acquirer.hold_and_wait(), acquirer.hold_and_wait()];
        // Each holds the one door that its worker has.
        eventually(|| gate.stats().limits[0].waiting == 2);
        drop(closed);
        gather(calls).result().unwrap();
    }
}
