//! One closure for many items.
//!
//! Whoever calls `map` takes the items from the iterator, in chunks that grow, and puts them down in `input`. As long as
//! there is something to take and fewer than all workers are at it, a [`Helper`] is submitted to the pool's queue like any
//! task. A helper takes a share, maps it, hands the results to `output`, which puts them in order, and takes the next; when
//! nothing is left to take it ends. So a map never has more threads than the pool has workers, and a worker never waits
//! for the iterator.
//!
//! A range of numbers is put down whole, and no item of it made before a helper does.
//!
//! * `input`: the items that wait, and how large a share is. `numbers`: a range.
//! * `output`: the results, in order, and the promise. `places`: where each is written.

mod input;
mod numbers;
mod output;
mod places;

use std::cell::Cell;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::Waker;
use std::time::Duration;

use concurry_core::call::{Awaited, Call, CallError, Panicked, channel};
use concurry_core::sync::lock;
use concurry_core::{clock, panics};
use concurry_limits::LimitPool;

use super::task::Task;
use super::{TaskCall, TaskWorker};
use crate::attempt::Ran;
use crate::pool::{PoolHandle, Queue};
use input::{Input, Items, Share};
use numbers::Numbers;
use output::{Output, Results};
use places::Place;

/// How long the caller goes on alone before it wakes workers: waking one takes as long as many tiny items.
const BETWEEN_WAKES: Duration = Duration::from_micros(100);

/// A share takes about so long: one that is much shorter costs more to take than it is worth, and after a longer one it may be late
/// that a worker sees that nobody waits any more.
const SHARE: Duration = Duration::from_micros(200);
/// The most items of the first share of each helper: nobody knows yet what one costs.
const FIRST_SHARE: usize = 16;
/// The most of any: the next ones may cost more.
const MOST_SHARE: usize = 8 * 1_024;

/// What the caller and the helpers of one map share.
struct Map<T, U, F> {
    f: F,
    input: Mutex<Input<T, U>>,
    output: Output<U>,
    queue: Weak<Queue<TaskCall>>,
    /// How many helpers are at work.
    at_work: AtomicUsize,
}

/// Submits a map; see [`map`](super::TaskWorkerHandle::map).
pub(super) fn map<I, U, F>(pool: &PoolHandle<TaskWorker>, mut items: I, f: F) -> Call<Vec<U>>
where
    I: Iterator,
    I::Item: Send + 'static,
    U: Send + 'static,
    F: Fn(I::Item) -> U + Send + Sync + 'static,
{
    let (promise, call) = channel();
    let queue = pool.weak_queue();
    call.on_done(move |outcome| {
        // Helpers may wait that have nothing to do any more.
        if let (Err(_), Some(queue)) = (outcome, queue.upgrade()) {
            queue.lets_go();
        }
    });
    let expected = items.size_hint().0;
    let map = Arc::new(Map {
        f,
        input: Mutex::new(Input::new(expected, pool.most_workers())),
        output: Output::new(promise),
        queue: pool.weak_queue(),
        at_work: AtomicUsize::new(0),
    });
    let mut caller = Caller(Some(&map.output));
    // Of a queue that is full a helper may come back: then the caller, as it goes on, asks for another.
    let numbers = if pool.is_bounded() { None } else { Numbers::of(&mut items) };
    let count = match numbers {
        Some(numbers) => {
            let (count, items) = (numbers.len(), Items::Numbers(numbers));
            let helpers = lock(&map.input).offer(0, items, true, true);
            (0..helpers).for_each(|_| pool.submit(helper(&map)));
            count
        }
        None => put_down_all(pool, items, &map),
    };
    map.output.end_at(count);
    caller.0 = None;
    drop(caller);
    // It may be the last to let go of the closure.
    panics::discard(map);
    call
}

/// Puts down what the iterator has, in chunks that grow, as long as anybody waits for the results; how many items that were.
fn put_down_all<I, U, F>(pool: &PoolHandle<TaskWorker>, mut items: I, map: &Arc<Map<I::Item, U, F>>) -> usize
where
    I: Iterator,
    I::Item: Send + 'static,
    U: Send + 'static,
    F: Fn(I::Item) -> U + Send + Sync + 'static,
{
    let clock = clock::system();
    let mut last_wake = clock.now();
    let (mut count, mut size) = (0, 1);
    loop {
        let start = clock.now();
        let chunk: Vec<I::Item> = items.by_ref().take(size).collect();
        let (taken, is_last) = (chunk.len(), chunk.len() < size);
        let now = clock.now();
        let is_time = is_last || now >= last_wake + BETWEEN_WAKES;
        let chunk = Items::Taken(chunk.into_iter());
        let helpers = lock(&map.input).offer(count, chunk, is_last, is_time);
        count += taken;
        for _ in 0..helpers {
            pool.submit(helper(map));
            last_wake = now;
        }
        if is_last || !map.is_wanted() {
            return count;
        }
        // Nobody waits for the end of a chunk whose items come slowly.
        let is_slow = now >= start + BETWEEN_WAKES;
        size = if is_slow { (size / 2).max(1) } else { (size * 2).min(input::most_in_chunk::<I::Item>()) };
    }
}

/// A helper, to be submitted.
fn helper<T, U, F>(map: &Arc<Map<T, U, F>>) -> TaskCall
where
    T: Send + 'static,
    U: Send + 'static,
    F: Fn(T) -> U + Send + Sync + 'static,
{
    TaskCall(Box::new(Helper { map: Some(Arc::clone(map)) }))
}

/// The caller of a map while it takes the items: an iterator that panics ends the map.
struct Caller<'a, U>(Option<&'a Output<U>>);

impl<U> Drop for Caller<'_, U> {
    fn drop(&mut self) {
        if let Some(output) = self.0 {
            output.fail(CallError::Cancelled);
        }
    }
}

impl<T: 'static, U, F: Fn(T) -> U> Map<T, U, F> {
    /// Whether there is anyone to give results to, and a pool that goes on.
    fn is_wanted(&self) -> bool {
        if self.queue.upgrade().is_none_or(|queue| queue.is_stopped()) {
            self.output.fail(CallError::Stopped);
        }
        self.output.is_wanted()
    }

    fn work(&self) -> Ran {
        let clock = clock::system();
        let (mut most, mut since) = (FIRST_SHARE, clock.now());
        loop {
            if !self.is_wanted() {
                lock(&self.input).leave();
                return Ran::Returned;
            }
            let share = lock(&self.input).take(most);
            let Some(Share { first, items, place }) = share else { return Ran::Returned };
            let results = match items {
                Items::Taken(items) => self.map_share(first, items, place),
                Items::Numbers(numbers) => self.map_share(first, numbers.into_iter(), place),
            };
            match results {
                Ok(results) => self.output.deliver(first, results),
                Err(panic) => {
                    self.output.fail(CallError::Panicked(panic));
                    lock(&self.input).leave();
                    return Ran::Panicked;
                }
            }
            let now = clock.now();
            (most, since) = (most_after(most, now - since), now);
        }
    }

    fn map_share(
        &self,
        first: usize,
        items: impl Iterator<Item = T>,
        place: Option<Place<U>>,
    ) -> Result<Results<U>, Panicked> {
        let failed = Cell::new(first);
        let map = || {
            let mut at = At { failed: &failed, index: first };
            let results = items.map(|item| {
                let result = (self.f)(item);
                at.index += 1;
                result
            });
            match place {
                Some(place) => Results::Placed(place.fill(results)),
                None => Results::Apart(results.collect()),
            }
        };
        panics::catch(map).map_err(|panic| {
            let message = format!("item {}: {}", failed.get(), panic.message());
            Panicked::new(message, panic.location().map(str::to_owned))
        })
    }
}

/// The most items of the share after one of so many at most that took so long.
fn most_after(most: usize, time: Duration) -> usize {
    match time {
        short if short < SHARE / 2 => (most * 2).min(MOST_SHARE),
        long if long > SHARE * 2 => (most / 2).max(1),
        _ => most,
    }
}

/// Which item a share is at. That is told when it ends, in whatever way: so it needs not be written down with each item.
struct At<'a> {
    failed: &'a Cell<usize>,
    index: usize,
}

impl Drop for At<'_> {
    fn drop(&mut self) {
        self.failed.set(self.index);
    }
}

/// A worker's part in a map.
struct Helper<T, U, F> {
    map: Option<Arc<Map<T, U, F>>>,
}

impl<T, U, F> Task for Helper<T, U, F>
where
    T: Send + 'static,
    U: Send + 'static,
    F: Fn(T) -> U + Send + Sync + 'static,
{
    fn run(mut self: Box<Self>, _: &LimitPool) -> Ran {
        let Some(map) = self.map.take() else { return Ran::Returned };
        map.at_work.fetch_add(1, Ordering::Relaxed);
        let ran = map.work();
        map.at_work.fetch_sub(1, Ordering::Relaxed);
        // Items that nobody needs, and the closure, may panic when they are dropped.
        panics::discard(map);
        ran
    }

    fn refuse(mut self: Box<Self>, error: CallError<Infallible>) {
        let Some(map) = self.map.take() else { return };
        // One that finds no room is not missed as long as another is there.
        let is_room =
            matches!(error, CallError::Rejected(_) | CallError::Displaced | CallError::WouldDeadlock);
        if !(is_room && lock(&map.input).spares()) {
            map.output.fail(error);
        }
    }

    /// While one is at work, whoever waits for the map does not wait for another.
    fn awaited_by(&self, waker: &Waker) -> Awaited {
        match &self.map {
            Some(map) if map.at_work.load(Ordering::Relaxed) == 0 => map.output.awaited_by(waker),
            _ => Awaited::No,
        }
    }

    fn is_wanted(&self) -> bool {
        self.map.as_ref().is_some_and(|map| map.output.is_wanted())
    }

    fn call(&self) -> usize {
        0
    }
}

impl<T, U, F> Drop for Helper<T, U, F> {
    /// Dropped without being run: its runtime shuts down.
    fn drop(&mut self) {
        if let Some(map) = self.map.take() {
            map.output.fail(CallError::Stopped);
            panics::discard(map);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_grow_while_they_are_short_and_no_further_than_they_may() {
        let after = |most, times, time| (0..times).fold(most, |most, _| most_after(most, time));
        assert_eq!(after(FIRST_SHARE, 3, Duration::ZERO), FIRST_SHARE * 8);
        assert_eq!(after(FIRST_SHARE, 100, Duration::ZERO), MOST_SHARE);
        assert_eq!(after(MOST_SHARE, 5, SHARE), MOST_SHARE);
        assert_eq!(after(MOST_SHARE, 2, SHARE * 3), MOST_SHARE / 4);
        assert_eq!(after(MOST_SHARE, 100, Duration::MAX), 1);
    }
}
