//! What is left at a call that is not done: who is to be told, and what runs then.

use std::sync::Arc;
use std::task::Waker;

use super::Outcome;
use super::cell::Watch;

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
}

impl<T, E> Default for Rare<T, E> {
    fn default() -> Self {
        Self { worker: None, callbacks: Vec::new(), waker: None, watch: None }
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

    /// Who waits, and what hangs on it.
    pub(super) fn told(self) -> (Option<Waker>, Option<Hung>, Option<Waker>) {
        let (waker, watch) = match self.waiting {
            Waiting::Waker(waker) => (waker, None),
            Waiting::Watch(hung) => (None, Some(hung)),
        };
        match self.rare {
            Some(rare) => (waker.or(rare.waker), watch.or(rare.watch), rare.worker),
            None => (waker, watch, None),
        }
    }

    /// The waker of who waits.
    pub(super) fn left(&self) -> Option<&Waker> {
        match &self.waiting {
            Waiting::Waker(waker) => waker.as_ref(),
            Waiting::Watch(_) => self.rare.as_ref()?.waker.as_ref(),
        }
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
