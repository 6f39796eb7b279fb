//! Calls that were cancelled while they wait: from that moment on they take no room.
//!
//! A pool is told of each cancellation, and counts. It looks for the calls themselves, in one walk over the lanes, only when that
//! matters or is cheap: when somebody waits for room or finds none, when somebody asks how many wait, and when there may be more
//! cancelled ones than others. So a cancellation costs the same however many calls wait. Calls with `#[limited]` and those that
//! are tried again leave by themselves.

use std::sync::MutexGuard;
use std::task::Waker;

use concurry_core::panics::discard;

use super::ending::tell;
use super::notes::Noted;
use super::queue::{Queue, State};
use crate::worker::Queued;

/// Calls that were taken out, to be dropped outside of the lock: their promises have been answered, but their arguments are
/// foreign.
#[must_use = "who waits for their room is to be woken"]
pub(super) struct Swept<M> {
    calls: Vec<M>,
    notes: Vec<Noted>,
    submitters: Vec<Waker>,
}

impl<M> Swept<M> {
    /// Drops the calls, and wakes those who waited for their room.
    pub(super) fn clear_away(self) {
        self.submitters.into_iter().for_each(Waker::wake);
        self.calls.into_iter().for_each(discard);
        drop(self.notes);
    }
}

impl<M: Queued> State<M> {
    /// Takes out what was cancelled; none when nothing was, since the last time.
    pub(super) fn sweep(&mut self) -> Option<Swept<M>> {
        if std::mem::take(&mut self.cancelled) == 0 {
            return None;
        }
        let found = self.lanes.take_unwanted();
        let submitters = self.rooms(found.len());
        let (mut calls, mut notes) = (Vec::new(), Vec::new());
        for (need, age, message) in found {
            self.relieve(need);
            notes.push(self.leaves(age));
            calls.push(message);
        }
        Some(Swept { calls, notes, submitters })
    }
}

impl<M: Queued> Queue<M> {
    /// Nobody needs some of those that wait, parts of one call: they leave now.
    pub(crate) fn lets_go(&self) {
        let mut state = self.state();
        state.cancelled += 1;
        sweep(state);
    }

    /// The call of this number was cancelled: perhaps one that waits, or that a worker has at hand.
    pub(super) fn counts_cancelled(&self, call: usize) {
        let mut state = self.state();
        state.cancelled += 1;
        let workers = state.ahead.who_have(call);
        if !state.submitters.is_empty() || state.cancelled > state.lanes.len() / 2 {
            sweep(state);
        } else {
            drop(state);
        }
        for worker in workers.into_iter().filter_map(|worker| worker.upgrade()) {
            worker.is_cancelled();
        }
    }
}

/// Takes out what was cancelled, and tells those who wait for an empty queue.
pub(super) fn sweep<M: Queued>(mut state: MutexGuard<'_, State<M>>) {
    if let Some(swept) = state.sweep() {
        tell(state);
        swept.clear_away();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use concurry_core::balancing::LoadBalancing;
    use concurry_core::clock;
    use concurry_core::sync::lock;
    use concurry_core::when_full::WhenFull;

    use super::super::{QueueOptions, Refused, Route, Staffing};
    use super::*;
    use crate::worker::Message;

    /// A call that its caller can cancel.
    #[derive(Clone, Default)]
    struct Wish(Arc<AtomicBool>);

    impl Message for Wish {
        fn method(&self) -> &'static str {
            "wish"
        }

        fn call(&self) -> usize {
            0
        }

        fn is_wanted(&self) -> bool {
            !self.0.load(Ordering::SeqCst)
        }
    }

    fn queue(capacity: usize, when_full: WhenFull, balancing: LoadBalancing) -> Arc<Queue<Wish>> {
        let options = QueueOptions::of(capacity, clock::system());
        let queue = Queue::new(QueueOptions { when_full, balancing, staffing: Staffing::of(1), ..options });
        queue.worker_started(0);
        queue
    }

    fn push(queue: &Queue<Wish>) -> Result<Wish, ()> {
        let wish = Wish::default();
        match queue.push(Route::default(), wish.clone()) {
            Ok(None) => Ok(wish),
            Ok(Some(_)) | Err(Refused::Full(..) | Refused::Closed(_) | Refused::WouldDeadlock(_)) => Err(()),
        }
    }

    fn cancel(queue: &Queue<Wish>, wish: &Wish) {
        wish.0.store(true, Ordering::SeqCst);
        queue.counts_cancelled(0);
    }

    #[test]
    fn a_full_queue_has_room_again() {
        for when_full in [WhenFull::Reject, WhenFull::DropOldest] {
            let queue = queue(4, when_full, LoadBalancing::SharedQueue);
            let wishes = [(); 4].map(|()| push(&queue).unwrap());
            assert!(push(&queue).is_err());
            cancel(&queue, &wishes[2]);
            assert!(push(&queue).is_ok() && push(&queue).is_err());
        }
    }

    #[test]
    fn who_waits_for_room_is_let_in() {
        let queue = queue(4, WhenFull::Wait, LoadBalancing::SharedQueue);
        let wishes = [(); 4].map(|()| push(&queue).unwrap());
        let submitter = std::thread::spawn({
            let queue = Arc::clone(&queue);
            move || push(&queue).is_ok()
        });
        while lock(&queue.state).submitters.is_empty() {
            std::thread::yield_now();
        }
        cancel(&queue, &wishes[0]);
        assert!(submitter.join().unwrap());
        assert_eq!(queue.counts().queued, 4);
    }

    #[test]
    fn who_asks_is_told_of_those_that_still_wait_and_who_waits_for_none_is_woken() {
        let queue = queue(9, WhenFull::Wait, LoadBalancing::LeastActive);
        let wishes = [(); 3].map(|()| push(&queue).unwrap());
        cancel(&queue, &wishes[0]);
        assert_eq!(Arc::strong_count(&wishes[0].0), 2, "it is looked for when that matters");
        assert_eq!((queue.counts().queued, Arc::strong_count(&wishes[0].0)), (2, 1));
        let clock = clock::system();
        cancel(&queue, &wishes[1]);
        cancel(&queue, &wishes[2]);
        assert!(queue.wait_until_empty(&*clock, clock.now()), "most were cancelled, so they are gone");
        assert_eq!(Arc::strong_count(&wishes[2].0), 1);
    }
}
