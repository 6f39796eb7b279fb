//! Calls that were taken and need their worker for themselves, while it is on loan to methods that run beside each other.
//!
//! The worker's task gives such a call in here for as long as it waits: so a method that it waits for, and that waits for this very
//! call, can be told (`deadlock`).

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Poll, Waker};

use concurry_core::sync::lock;

use super::queue::Queue;
use super::serving::Runner;
use crate::worker::{Message, Queued};

/// The calls that wait so, one a worker at most.
pub(super) struct OnLoan<M>(BTreeMap<usize, Waits<M>>);

struct Waits<M> {
    age: u64,
    message: M,
    /// The first of those that the worker waits for: those before it ran on one that crashed.
    since: u64,
    waker: Waker,
}

impl<M> Default for OnLoan<M> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<M> OnLoan<M> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this worker waits for others.
    pub(super) fn is_of(&self, worker: usize) -> bool {
        self.0.contains_key(&worker)
    }

    /// Whether this worker waits for any of these.
    pub(super) fn waits_for_any<'a>(
        &self,
        worker: usize,
        mut runners: impl Iterator<Item = &'a Runner>,
    ) -> bool {
        self.0.get(&worker).is_some_and(|waits| {
            runners.any(|runner| runner.worker == worker && runner.run != 0 && runner.run >= waits.since)
        })
    }

    /// Whether the call of this number, or of this age, waits here.
    pub(super) fn has(&self, call: usize, age: Option<u64>) -> bool
    where
        M: Message,
    {
        let is_it = |waits: &Waits<M>| age.map_or(waits.message.call() == call, |age| waits.age == age);
        self.0.values().any(is_it)
    }

    /// The call of this age, and the worker that has it.
    pub(super) fn get(&self, age: u64) -> Option<(usize, &M)> {
        self.0.iter().find(|(_, waits)| waits.age == age).map(|(worker, waits)| (*worker, &waits.message))
    }

    /// Takes out the call of this age; its worker is to be told.
    pub(super) fn take_of(&mut self, age: u64) -> Option<(M, Waker)> {
        let (worker, _) = self.get(age)?;
        self.0.remove(&worker).map(|waits| (waits.message, waits.waker))
    }
}

/// The call of a worker that waits, taken out also when its runtime drops the wait.
struct Waiting<'a, M: Queued> {
    queue: &'a Queue<M>,
    worker: usize,
}

impl<M: Queued> Waiting<'_, M> {
    fn take(&self) -> Option<M> {
        let waits = lock(&self.queue.state).within.on_loan.0.remove(&self.worker);
        waits.map(|waits| waits.message)
    }
}

impl<M: Queued> Drop for Waiting<'_, M> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl<M: Queued> Queue<M> {
    /// Waits for `loan`, with the call of worker `number` in here, and with `look` told each time that it begins to wait. None when
    /// the call was taken out meanwhile: it was answered.
    ///
    /// `since` is the first of the methods that run beside each other which `loan` waits for.
    pub(crate) async fn wait_on_loan<G>(
        &self,
        (number, since): (usize, u64),
        (age, message): (u64, M),
        loan: impl Future<Output = G>,
        look: impl Fn(),
    ) -> Option<(G, M)> {
        let waiting = Waiting { queue: self, worker: number };
        let mut loan = pin!(loan);
        let mut message = Some(message);
        let guard = poll_fn(|context| {
            if let Poll::Ready(guard) = loan.as_mut().poll(context) {
                return Poll::Ready(Some(guard));
            }
            let waker = context.waker().clone();
            let mut state = self.state();
            let waits = &mut state.within.on_loan.0;
            let old = match message.take() {
                Some(message) => {
                    waits.insert(number, Waits { age, message, since, waker });
                    None
                }
                None => match waits.get_mut(&number) {
                    Some(waits) => Some(std::mem::replace(&mut waits.waker, waker)),
                    None => return Poll::Ready(None),
                },
            };
            drop(state);
            drop(old);
            look();
            Poll::Pending
        })
        .await?;
        let message = message.or_else(|| waiting.take())?;
        Some((guard, message))
    }
}
