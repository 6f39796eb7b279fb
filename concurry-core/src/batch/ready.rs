//! The calls that are done, in the order in which they were.
//!
//! A completion pushes its number onto a lock-free queue, and wakes the consumer if it waits: O(1) a call, no thread, and
//! no look at the calls that are not done.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};

use super::waiter::Waiter;
use crate::call::{Awaited, Call, Watch};

/// The end that hangs on each call.
struct Sender {
    numbers: mpsc::Sender<usize>,
    waiter: Waiter,
    /// Calls that are not done.
    expected: AtomicUsize,
}

impl Watch for Sender {
    fn awaited_by(&self, waker: &Waker) -> Awaited {
        if self.waiter.is(waker) {
            let calls = self.expected.load(Ordering::Relaxed);
            Awaited::OneOf { calls, wait: std::ptr::from_ref(self).addr() }
        } else {
            Awaited::No
        }
    }

    fn done(&self, number: usize, _: bool) {
        self.expected.fetch_sub(1, Ordering::Relaxed);
        // Nobody listens any more when the consumer was dropped in the middle.
        self.numbers.send(number).unwrap_or_default();
        self.waiter.wake();
    }
}

/// Awaits what `poll` gives of `source`, which has `ready`. When this is dropped in the middle, nobody waits any more.
pub(super) async fn next<S, R>(
    source: &mut S,
    ready: fn(&S) -> &Ready,
    mut poll: impl FnMut(&mut S, &Context<'_>) -> Poll<R>,
) -> R {
    struct Leaves<'a, S>(&'a mut S, fn(&S) -> &Ready);

    impl<S> Drop for Leaves<'_, S> {
        fn drop(&mut self) {
            (self.1)(self.0).sender.waiter.leave();
        }
    }

    let leaves = Leaves(source, ready);
    poll_fn(|context| poll(leaves.0, context)).await
}

/// The end of the consumer.
pub(super) struct Ready {
    sender: Arc<Sender>,
    watch: Arc<dyn Watch>,
    numbers: mpsc::Receiver<usize>,
}

impl Drop for Ready {
    /// Whoever has waited here, as a stream does, waits no more.
    fn drop(&mut self) {
        self.sender.waiter.leave();
    }
}

impl Ready {
    pub(super) fn new() -> Self {
        let (sender, numbers) = mpsc::channel();
        let sender =
            Arc::new(Sender { numbers: sender, waiter: Waiter::default(), expected: AtomicUsize::new(0) });
        let watch = Arc::clone(&sender) as Arc<dyn Watch>;
        Self { sender, watch, numbers }
    }

    /// Has `number` come out once `call` is done.
    pub(super) fn expect<T, E>(&self, call: &Call<T, E>, number: usize) {
        self.sender.expected.fetch_add(1, Ordering::Relaxed);
        call.watch(&self.watch, number);
    }

    /// How many calls are not done.
    pub(super) fn expected(&self) -> usize {
        self.sender.expected.load(Ordering::Relaxed)
    }

    /// The number of the next call that is done.
    pub(super) fn poll_next(&self, context: &Context<'_>) -> Poll<usize> {
        self.numbers.try_recv().map_or_else(
            |_| {
                self.sender.waiter.register(context);
                let number = self.numbers.try_recv().map_or(Poll::Pending, Poll::Ready);
                if number.is_ready() {
                    self.sender.waiter.leave();
                }
                number
            },
            Poll::Ready,
        )
    }
}
