//! The state that both ends of a call share.
//!
//! One allocation a call, one lock that is never held while foreign code runs. The states and who moves them:
//!
//! ```text
//! Pending ──complete (worker) or cancel (caller)──► closing: callbacks run ──► Done ──take (caller)──► Taken
//! ```
//!
//! The first to close wins; whoever comes later finds the cell closed and its outcome is dropped. Nothing here unwinds: what
//! panics is foreign (callbacks, wakers, the drop of an outcome), and ends in the log.

use std::sync::{Arc, PoisonError};
use std::task::Waker;

use super::awaited::Onward;
use super::explain::Origin;
use super::pending::{Callback, Pending, leave};
use super::watch::Watch;
use super::{Awaited, CallError, Outcome};
use crate::modelled::{AtomicBool, Mutex, MutexGuard, Ordering, lock};
use crate::panics::{contain, discard};

pub(super) struct Cell<T, E> {
    /// Whether it is pending and not closing; changed under the lock, and a hint to whoever looks without it: who closes
    /// finds out there.
    open: AtomicBool,
    /// Whether it was cancelled by force; set before it is.
    by_force: AtomicBool,
    /// Whether there is a result that was not taken, as a hint to whoever looks without the lock.
    has_result: AtomicBool,
    /// Who can say how it stands with the call; it has the room that is left beside the flag.
    origin: Origin,
    state: Mutex<State<T, E>>,
}

enum State<T, E> {
    Pending(Pending<T, E>),
    Done(Outcome<T, E>),
    Taken,
}

impl<T, E> State<T, E> {
    /// Takes the outcome of a call that is done.
    fn take(&mut self) -> Outcome<T, E> {
        match std::mem::replace(self, Self::Taken) {
            Self::Done(outcome) => outcome,
            Self::Pending(_) | Self::Taken => Err(CallError::Taken),
        }
    }
}

impl<T, E> Cell<T, E> {
    pub(super) fn new(origin: Origin) -> Arc<Self> {
        let state = Mutex::new(State::Pending(Pending::new()));
        let (open, by_force, has_result) =
            (AtomicBool::new(true), AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { open, by_force, has_result, origin, state })
    }

    /// A cell that is as new, as one of this origin.
    pub(super) fn given_to(mut cell: Arc<Self>, origin: Origin) -> Option<Arc<Self>> {
        if cell.origin != origin {
            Arc::get_mut(&mut cell)?.origin = origin;
        }
        Some(cell)
    }

    /// Makes a cell as new whose call has ended.
    pub(super) fn renew(&mut self) {
        self.open = AtomicBool::new(true);
        self.by_force = AtomicBool::new(false);
        self.has_result = AtomicBool::new(false);
        self.state = Mutex::new(State::Pending(Pending::new()));
    }

    /// One that is closed.
    pub(super) fn done(outcome: Outcome<T, E>) -> Arc<Self> {
        Self::closed(outcome.is_ok(), State::Done(outcome))
    }

    /// One that is closed, and whose outcome was taken.
    pub(super) fn taken() -> Arc<Self> {
        Self::closed(false, State::Taken)
    }

    fn closed(has_result: bool, state: State<T, E>) -> Arc<Self> {
        let (open, by_force) = (AtomicBool::new(false), AtomicBool::new(false));
        let (has_result, origin) = (AtomicBool::new(has_result), Origin::default());
        Arc::new(Self { open, by_force, has_result, origin, state: Mutex::new(state) })
    }

    /// Who can say how it stands with the call.
    pub(super) fn origin(&self) -> Origin {
        self.origin
    }

    /// What the call is known by to its origin, as long as there is this cell.
    pub(super) fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Closes the cell with `outcome`, and says whether it did; the outcome is dropped when another was first.
    pub(super) fn close(&self, outcome: Outcome<T, E>) -> bool {
        let mut state = lock(&self.state);
        match &mut *state {
            State::Pending(pending) if !pending.closing => {
                self.open.store(false, Ordering::Relaxed);
                if pending.has_callbacks() {
                    pending.closing = true;
                    drop(state);
                    self.finish(outcome);
                } else {
                    self.settle(state, outcome);
                }
                true
            }
            _ => {
                drop(state);
                discard(outcome);
                false
            }
        }
    }

    /// Closes the cell because nobody needs the outcome, and says whether it did. Its pool gives back the room that it takes.
    pub(super) fn cancel(&self) -> bool {
        let was_open = self.close(Err(CallError::Cancelled));
        if was_open {
            self.origin.is_cancelled(self.id());
        }
        was_open
    }

    /// Cancels the call, and has its pool end the process that runs it.
    pub(super) fn cancel_by_force(&self) -> bool {
        let pool = self.origin.pool();
        // Once the call is done the pool knows of it no more.
        let age = pool.as_ref().and_then(|pool| pool.age_of(self.id()));
        self.by_force.store(true, Ordering::SeqCst);
        let was_open = self.cancel();
        if let Some(pool) = pool.filter(|_| was_open) {
            pool.end_by_force(self.id(), age);
        }
        was_open
    }

    /// Whether it was cancelled by force, for who is told of its being cancelled.
    pub(super) fn is_by_force(&self) -> bool {
        self.by_force.load(Ordering::SeqCst)
    }

    /// Runs the callbacks of a cell that is closing, also those that come meanwhile, and then lets the outcome be taken.
    fn finish(&self, outcome: Outcome<T, E>) {
        loop {
            let mut state = lock(&self.state);
            let State::Pending(pending) = &mut *state else { return };
            if !pending.has_callbacks() {
                return self.settle(state, outcome);
            }
            let callbacks = std::mem::take(&mut pending.rare().callbacks);
            drop(state);
            for callback in callbacks {
                contain("a callback given to `Call::on_done`", || callback(&outcome));
            }
        }
    }

    /// Lets the outcome be taken, and tells those who wait for it.
    fn settle(&self, mut state: MutexGuard<'_, State<T, E>>, outcome: Outcome<T, E>) {
        let (failed, cancelled) = (outcome.is_err(), matches!(outcome, Err(CallError::Cancelled)));
        let State::Pending(pending) = std::mem::replace(&mut *state, State::Done(outcome)) else { return };
        self.has_result.store(!failed, Ordering::Release);
        drop(state);
        let (waker, watch, worker, blocked) = pending.told();
        blocked.into_iter().for_each(Waker::wake);
        if let Some(waker) = waker {
            contain("a waker", || waker.wake());
        }
        match worker {
            Some(waker) if cancelled => contain("a waker", || waker.wake()).unwrap_or_default(),
            not_woken => not_woken.into_iter().for_each(discard),
        }
        if let Some((watch, index)) = watch {
            contain("what waits for a call", move || watch.done(index, failed));
        }
    }

    /// Takes the outcome if there is one; otherwise leaves `waker` to be woken when there is.
    pub(super) fn take(&self, waker: Option<&Waker>) -> Option<Outcome<T, E>> {
        let mut mine = None;
        loop {
            let mut state = lock(&self.state);
            let State::Pending(pending) = &mut *state else { return Some(self.take_out(&mut state)) };
            let left = leave(pending.waker(), waker?, &mut mine);
            drop(state);
            if left.is_ok() {
                return None;
            }
            mine = waker.cloned();
        }
    }

    /// Nobody waits for it who has left a waker by [`take`](Self::take).
    pub(super) fn forget_waker(&self) {
        let waker = match &mut *lock(&self.state) {
            State::Pending(pending) => pending.forget_waker(),
            State::Done(_) | State::Taken => None,
        };
        // It may be foreign: not under the lock.
        waker.into_iter().for_each(discard);
    }

    /// As [`take`](Self::take), for a thread, of which any number may wait, until each [waits no more](Self::unblock).
    pub(super) fn take_or_block(&self, thread: &Waker) -> Option<Outcome<T, E>> {
        let mut state = lock(&self.state);
        let State::Pending(pending) = &mut *state else { return Some(self.take_out(&mut state)) };
        pending.block(thread);
        None
    }

    /// Takes the outcome of a call that is done.
    fn take_out(&self, state: &mut State<T, E>) -> Outcome<T, E> {
        self.has_result.store(false, Ordering::Relaxed);
        state.take()
    }

    /// This thread waits no more.
    pub(super) fn unblock(&self, thread: &Waker) {
        if let State::Pending(pending) = &mut *lock(&self.state) {
            pending.unblock(thread);
        }
    }

    /// Takes the outcome of a closed cell that nobody else has.
    pub(super) fn take_mut(&mut self) -> Outcome<T, E> {
        self.state.get_mut().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Leaves `waker` to be woken when the call is cancelled; false when nobody needs the answer by now.
    pub(super) fn wake_when_cancelled(&self, waker: &Waker) -> bool {
        let mut mine = None;
        while self.is_open() {
            let mut state = lock(&self.state);
            let State::Pending(pending) = &mut *state else { return false };
            let left = leave(&mut pending.rare().worker, waker, &mut mine);
            drop(state);
            if left.is_ok() {
                return true;
            }
            mine = Some(waker.clone());
        }
        false
    }

    /// Whether the call still needs an answer.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether the outcome is decided (or was taken).
    pub(super) fn is_done(&self) -> bool {
        !self.is_open()
    }

    /// Has `watch` told when the call is done; at once when it is done already.
    pub(super) fn watch(&self, watch: &Arc<dyn Watch>, index: usize) {
        if self.has_result.load(Ordering::Acquire) {
            return watch.done(index, false);
        }
        let mut state = lock(&self.state);
        let failed = match &mut *state {
            State::Pending(pending) => {
                let earlier = pending.hang((Arc::clone(watch), index));
                drop(state);
                drop(earlier);
                return;
            }
            State::Done(outcome) => outcome.is_err(),
            State::Taken => true,
        };
        drop(state);
        watch.done(index, failed);
    }

    /// Whether whoever `waker` wakes waits for this call; or whom to ask.
    pub(super) fn awaited_by(&self, waker: &Waker) -> Result<Awaited, Onward> {
        let watch = match &*lock(&self.state) {
            State::Pending(pending) if pending.is_waited_for(waker) => return Ok(Awaited::Needed),
            State::Pending(pending) => pending.hangs().map(|(watch, _)| Arc::clone(watch)),
            State::Done(_) | State::Taken => None,
        };
        let Some(watch) = watch else { return Ok(Awaited::No) };
        watch.onward().map_or_else(|| Ok(watch.awaited_by(waker)), Err)
    }

    /// Runs `callback` when the call closes, or now when it has. Nothing is run when the outcome was taken.
    pub(super) fn on_done(&self, callback: Callback<T, E>) {
        let outcome = {
            let mut state = lock(&self.state);
            let outcome = self.reopen(&mut state);
            if let State::Pending(pending) = &mut *state {
                pending.rare().callbacks.push(callback);
            }
            outcome
        };
        if let Some(outcome) = outcome {
            self.finish(outcome);
        }
    }

    /// Has `look` look at the outcome of a call that is done, if it was not taken.
    pub(super) fn peek<R>(&self, look: impl FnOnce(&Outcome<T, E>) -> R) -> Option<R> {
        let outcome = self.reopen(&mut lock(&self.state))?;
        let closing = Closing { cell: self, outcome: Some(outcome) };
        closing.outcome.as_ref().map(look)
    }

    /// Takes the outcome out of a call that is done, which closes once more: whoever asks for it meanwhile waits.
    fn reopen(&self, state: &mut State<T, E>) -> Option<Outcome<T, E>> {
        if !matches!(state, State::Done(_)) {
            return None;
        }
        self.has_result.store(false, Ordering::Relaxed);
        match std::mem::replace(state, State::Pending(Pending::closing())) {
            State::Done(outcome) => Some(outcome),
            State::Pending(_) | State::Taken => None,
        }
    }

    /// Has `callback` run when the call closes; gives it back when it has.
    pub(super) fn add_callback(&self, callback: Callback<T, E>) -> Result<(), Callback<T, E>> {
        match &mut *lock(&self.state) {
            State::Pending(pending) => pending.rare().callbacks.push(callback),
            State::Done(_) | State::Taken => return Err(callback),
        }
        Ok(())
    }
}

/// A call that closes once more, when this is dropped: also by a panic of who looks.
struct Closing<'a, T, E> {
    cell: &'a Cell<T, E>,
    outcome: Option<Outcome<T, E>>,
}

impl<T, E> Drop for Closing<'_, T, E> {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            self.cell.finish(outcome);
        }
    }
}

impl<T, E> Drop for Cell<T, E> {
    /// Nobody took the outcome; the last to let go may be a worker.
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !matches!(state, State::Taken) {
            discard(std::mem::replace(state, State::Taken));
        }
    }
}

// In a model, each has a history.
#[cfg(all(test, not(loom)))]
mod tests {
    use std::convert::Infallible;

    use super::super::{Call, Promise};
    use super::Cell;

    /// What the caller holds, what waits in the queue with its age, and what both share.
    #[test]
    fn a_pending_call_is_a_small_thing() {
        fn size<T, E>() -> usize {
            let counts = 2 * size_of::<usize>();
            let queued = size_of::<Promise<T, E>>() + size_of::<u64>();
            size_of::<Call<T, E>>() + queued + size_of::<Cell<T, E>>() + counts
        }
        let (number, text) = (size::<u64, Infallible>(), size::<String, std::io::Error>());
        assert!(number <= 128 && text <= 128 + size_of::<String>() - size_of::<u64>(), "{number}, {text}");
    }
}
