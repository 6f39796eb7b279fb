//! What is left at a call that is not done: who is to be told, and what runs then.

use std::sync::Arc;
use std::task::Waker;

use super::Outcome;
use super::watch::Watch;

pub(super) type Callback<T, E> = Box<dyn FnOnce(&Outcome<T, E>) + Send>;

pub(super) struct Pending<T, E> {
    pub(super) closing: bool,
    waiting: Waiting,
    /// What few calls have; so the others are smaller.
    rare: Option<Box<Rare<T, E>>>,
}

/// Who is told that the call is done. Seldom one of both kinds: the second one is rare.
enum Waiting {
    Waker(Option<Waker>),
    Watch(Hung),
}

/// What hangs on a call, and as which one of its calls.
type Hung = (Arc<dyn Watch>, usize);

pub(super) struct Rare<T, E> {
    /// What the worker's end is woken by when nobody needs the answer any more.
    pub(super) worker: Option<Waker>,
    pub(super) callbacks: Vec<Callback<T, E>>,
    /// Who waits besides a watch.
    waker: Option<Waker>,
    /// What hangs on it besides a waker.
    watch: Option<Hung>,
    /// Threads that wait, each with a waker of its own.
    blocked: Vec<Waker>,
}

impl<T, E> Default for Rare<T, E> {
    fn default() -> Self {
        Self { worker: None, callbacks: Vec::new(), waker: None, watch: None, blocked: Vec::new() }
    }
}

impl<T, E> Pending<T, E> {
    pub(super) fn new() -> Self {
        Self { closing: false, waiting: Waiting::Waker(None), rare: None }
    }

    /// Of a call that is done, and closing once more.
    pub(super) fn closing() -> Self {
        Self { closing: true, ..Self::new() }
    }

    pub(super) fn rare(&mut self) -> &mut Rare<T, E> {
        self.rare.get_or_insert_with(Box::default)
    }

    /// Where who waits leaves its waker.
    pub(super) fn waker(&mut self) -> &mut Option<Waker> {
        match &mut self.waiting {
            Waiting::Waker(waker) => waker,
            Waiting::Watch(_) => &mut self.rare.get_or_insert_with(Box::default).waker,
        }
    }

    /// Takes that away again.
    pub(super) fn forget_waker(&mut self) -> Option<Waker> {
        match &mut self.waiting {
            Waiting::Waker(waker) => waker.take(),
            Waiting::Watch(_) => self.rare.as_mut()?.waker.take(),
        }
    }

    /// Hangs `hung` on it; what hung there before is to be dropped outside of the lock.
    pub(super) fn hang(&mut self, hung: Hung) -> Option<Hung> {
        match &mut self.waiting {
            Waiting::Watch(before) => Some(std::mem::replace(before, hung)),
            Waiting::Waker(Some(_)) => self.rare().watch.replace(hung),
            Waiting::Waker(None) => {
                self.waiting = Waiting::Watch(hung);
                None
            }
        }
    }

    /// A thread waits, which is woken by this; nothing foreign.
    pub(super) fn block(&mut self, thread: &Waker) {
        let blocked = &mut self.rare().blocked;
        if !blocked.iter().any(|other| other.will_wake(thread)) {
            blocked.push(thread.clone());
        }
    }

    /// It waits no more.
    pub(super) fn unblock(&mut self, thread: &Waker) {
        if let Some(rare) = &mut self.rare {
            rare.blocked.retain(|other| !other.will_wake(thread));
        }
    }

    /// Who waits, what hangs on it, who is told of a cancellation, and the threads that wait.
    pub(super) fn told(self) -> (Option<Waker>, Option<Hung>, Option<Waker>, Vec<Waker>) {
        let (waker, watch) = match self.waiting {
            Waiting::Waker(waker) => (waker, None),
            Waiting::Watch(hung) => (None, Some(hung)),
        };
        match self.rare {
            Some(rare) => (waker.or(rare.waker), watch.or(rare.watch), rare.worker, rare.blocked),
            None => (waker, watch, None, Vec::new()),
        }
    }

    /// Whether somebody waits who is woken by `waker`.
    pub(super) fn is_waited_for(&self, waker: &Waker) -> bool {
        let rare = self.rare.as_ref();
        let left = match &self.waiting {
            Waiting::Waker(left) => left.as_ref(),
            Waiting::Watch(_) => rare.and_then(|rare| rare.waker.as_ref()),
        };
        left.into_iter().chain(rare.iter().flat_map(|rare| &rare.blocked)).any(|left| left.will_wake(waker))
    }

    /// What hangs on it.
    pub(super) fn hangs(&self) -> Option<&Hung> {
        match &self.waiting {
            Waiting::Watch(hung) => Some(hung),
            Waiting::Waker(_) => self.rare.as_ref()?.watch.as_ref(),
        }
    }

    pub(super) fn has_callbacks(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| !rare.callbacks.is_empty())
    }
}

/// Leaves `waker` in its place: by its clone, if that is not there yet. An error asks for a clone. A foreign waker is neither
/// cloned nor dropped under the lock: what comes back is to be dropped after it.
pub(super) fn leave(
    place: &mut Option<Waker>,
    waker: &Waker,
    mine: &mut Option<Waker>,
) -> Result<Option<Waker>, ()> {
    if place.as_ref().is_some_and(|left| left.will_wake(waker)) {
        return Ok(mine.take());
    }
    if mine.is_none() {
        return Err(());
    }
    Ok(std::mem::replace(place, mine.take()))
}
