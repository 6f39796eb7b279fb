//! The call that is tried again.
//!
//! The caller's promise is answered exactly once: by the end of the chain, or by a cancellation, which takes a waiting
//! attempt out of the queue. No lock is held while the user's code runs (predicates, clones, callbacks of the promise).

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Wake, Waker};
use std::time::Duration;

use concurry_core::call::{
    AttemptVerdict, Awaited, Call, CallError, FailedAttempt, Outcome, Promise, RetriesExhausted, Watch,
    channel_of,
};
use concurry_core::clock::{Timestamp, WakeGuard};
use concurry_core::retry::{Attempt, Retry};
use concurry_core::sync::lock;
use tracing::Span;

use super::decide::{self, Next};
use super::predicates::Predicates;
use crate::pool::{PoolHandle, Queue, Return, Ticket, caller, serving};
use crate::worker::{Queued, Worker};
use concurry_core::panics;

/// How `#[worker]` makes the attempts at a call of one method.
pub struct Recipe<M, A, T, E> {
    /// The method's name.
    pub name: &'static str,
    /// The message of an attempt.
    pub message: fn(A, Promise<T, E>) -> M,
    /// A clone of the arguments; `init` has made sure that there is one.
    pub clone: fn(&A) -> Option<A>,
    /// The user's functions.
    pub predicates: Predicates<T, E>,
}

/// A call that is to be tried again, about to be submitted to a pool, if its types can be sent.
pub struct Attempts<'a, W: Worker, A, T, E>(Cell<Option<Submission<'a, W, A, T, E>>>);

struct Submission<'a, W: Worker, A, T, E> {
    pool: &'a PoolHandle<W>,
    retry: Retry,
    ends: (Promise<T, E>, &'a Call<T, E>),
    args: A,
    recipe: Recipe<W::Message, A, T, E>,
}

impl<'a, W: Worker, A, T, E> Attempts<'a, W, A, T, E> {
    /// Puts together what it needs.
    pub fn new(
        pool: &'a PoolHandle<W>,
        retry: Retry,
        ends: (Promise<T, E>, &'a Call<T, E>),
        args: A,
        recipe: Recipe<W::Message, A, T, E>,
    ) -> Self {
        Self(Cell::new(Some(Submission { pool, retry, ends, args, recipe })))
    }
}

/// Where all types can be sent. Where not, that is an error already, at the user's type: so nothing more is said of it.
pub trait SubmitsAttempts {
    /// Submits the first one.
    fn __submit(&self);
}

impl<W: Worker, A, T, E> SubmitsAttempts for Attempts<'_, W, A, T, E>
where
    A: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    fn __submit(&self) {
        if let Some(Submission { pool, retry, ends, args, recipe }) = self.0.take() {
            pool.submit_retried(retry, ends, args, recipe);
        }
    }
}

/// Where they cannot.
pub trait NoAttempts {
    /// Nothing.
    fn __submit(&self);
}

impl<W: Worker, A, T, E> NoAttempts for &Attempts<'_, W, A, T, E> {
    fn __submit(&self) {}
}

struct Retried<M: Queued, A, T, E> {
    me: Weak<Self>,
    recipe: Recipe<M, A, T, E>,
    retry: Retry,
    queue: Arc<Queue<M>>,
    age: u64,
    affinity: Option<u64>,
    submitted: Timestamp,
    /// The span of the caller.
    span: Span,
    state: Mutex<State<M, A, T, E>>,
}

struct State<M: Queued, A, T, E> {
    /// None once the call was answered.
    caller: Option<(Promise<T, E>, Ticket<M>)>,
    args: Option<A>,
    /// The attempt that waits or runs.
    attempt: Option<Call<T, E>>,
    failed: Vec<FailedAttempt<E>>,
    /// Looks at the end of the budget whether an attempt waits.
    alarm: Option<WakeGuard>,
}

/// Makes the first attempt at a call, whose caller holds `call`; `submit` puts a message of this age into the pool.
pub(crate) fn submit<M, A, T, E>(
    queue: &Arc<Queue<M>>,
    (retry, affinity): (Retry, Option<u64>),
    (promise, call): (Promise<T, E>, &Call<T, E>),
    args: A,
    recipe: Recipe<M, A, T, E>,
    submit: impl FnOnce(u64, M),
) where
    M: Queued,
    A: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    let ticket = queue.ticket(call.id());
    let retried = Arc::new_cyclic(|me: &Weak<Retried<M, A, T, E>>| Retried {
        me: Weak::clone(me),
        recipe,
        retry,
        queue: Arc::clone(queue),
        age: ticket.age,
        affinity,
        submitted: queue.clock().now(),
        span: caller(),
        state: Mutex::new(State {
            caller: Some((promise, ticket)),
            args: Some(args),
            attempt: None,
            failed: Vec::new(),
            alarm: None,
        }),
    });
    let weak = Arc::downgrade(&retried);
    call.on_done(move |outcome| {
        if let (Err(CallError::Cancelled), Some(retried)) = (outcome, weak.upgrade()) {
            retried.withdraw();
        }
    });
    if let Some(message) = retried.attempt(1) {
        submit(retried.age, message);
    }
}

impl<M, A, T, E> Retried<M, A, T, E>
where
    M: Queued,
    A: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    /// The message of attempt `number`; `None` when the arguments could not be cloned, which answers the call.
    fn attempt(&self, number: u32) -> Option<M> {
        // Out of the lock, since a clone is the user's code; nobody else asks for them meanwhile.
        let args = lock(&self.state).args.take()?;
        let (args, kept) = if number >= self.retry.attempts() {
            (Some(args), None)
        } else {
            match panics::catch(|| (self.recipe.clone)(&args)) {
                Ok(clone) => (clone, Some(args)),
                Err(panic) => {
                    self.answer(Err(CallError::Panicked(panic)));
                    panics::discard(args);
                    return None;
                }
            }
        };
        let Some(args) = args else {
            self.answer(Err(CallError::Stopped));
            return None;
        };
        let (promise, call) = channel_of(self.queue.origin());
        // What a method with `#[limited]` needs is computed from its arguments: the user's code.
        let message = match panics::catch(|| (self.recipe.message)(args, promise)) {
            Ok(message) => message,
            Err(panic) => {
                self.answer(Err(CallError::Panicked(panic)));
                return None;
            }
        };
        let me: Arc<dyn Watch> = self.me.upgrade()?;
        {
            let mut state = lock(&self.state);
            state.args = kept;
            // The attempt cannot be done as yet: its promise is in `message`.
            call.watch(&me, 0);
            state.attempt = Some(call);
        }
        Some(message)
    }

    fn ended(&self, outcome: Outcome<T, E>) {
        let number = {
            let state = lock(&self.state);
            match &state.caller {
                Some((promise, _)) if promise.is_open() => {
                    u32::try_from(state.failed.len()).unwrap_or(u32::MAX).saturating_add(1)
                }
                _ => 0,
            }
        };
        if number == 0 {
            panics::discard(outcome);
            return self.answer(Err(CallError::Cancelled));
        }
        let has_failed = outcome.is_err();
        let attempt = Attempt::new(number, self.queue.clock().now() - self.submitted, self.recipe.name);
        let random = random(self.age, number);
        let next = decide::next(outcome, &attempt, &self.retry, &self.recipe.predicates, random);
        if !has_failed && !matches!(next, Next::Answer(_)) {
            self.queue.is_unwanted();
        }
        match next {
            Next::Answer(outcome) => self.answer(outcome),
            Next::GiveUp(failed) => {
                let mut attempts = std::mem::take(&mut lock(&self.state).failed);
                attempts.push(failed);
                self.answer(Err(RetriesExhausted::new(self.recipe.name, attempts).into()));
            }
            Next::Again(failed, wait) => {
                lock(&self.state).failed.push(failed);
                self.again(number + 1, wait);
            }
        }
    }

    /// Puts attempt `number` into the queue.
    fn again(&self, number: u32, wait: Duration) {
        panics::log(|| {
            tracing::debug!(method = self.recipe.name, attempt = number, ?wait, "a call is tried again");
        });
        if number == 2 {
            self.set_alarm();
        }
        let Some(message) = self.attempt(number) else { return };
        let at = self.queue.clock().now() + wait;
        let back = Return { age: self.age, affinity: self.affinity, at, attempt: number, caller: &self.span };
        if let Err(message) = self.queue.come_back(back, message) {
            panics::discard(message); // answers the attempt with Stopped, and so the call
        }
        // Judging the attempt before may have taken its time.
        if self.end().is_some_and(|end| at >= end) {
            self.is_over();
        }
        // The caller may have cancelled while no attempt was there to be withdrawn.
        let is_open = lock(&self.state).caller.as_ref().is_some_and(|(promise, _)| promise.is_open());
        if !is_open {
            self.withdraw();
        }
    }

    /// From when on no attempt begins: one may at the end of the budget itself.
    fn end(&self) -> Option<Timestamp> {
        self.retry.time().map(|budget| self.submitted + budget + Duration::from_nanos(1))
    }

    /// Has an attempt taken out that has not begun by the end of the budget.
    fn set_alarm(&self) {
        let Some(end) = self.end() else { return };
        let over = Waker::from(Arc::new(Over(Weak::clone(&self.me))));
        let alarm = self.queue.clock().wake_at(end, over);
        let before = {
            let mut state = lock(&self.state);
            if state.caller.is_some() { state.alarm.replace(alarm) } else { Some(alarm) }
        };
        drop(before);
    }

    /// The budget is over: an attempt that still waits is not made.
    fn is_over(&self) {
        let Some(message) = self.queue.recall(self.age) else { return };
        let (attempt, mut failed) = {
            let mut state = lock(&self.state);
            (state.attempt.take(), std::mem::take(&mut state.failed))
        };
        if let Some(last) = failed.pop() {
            failed.push(last.with_verdict(AttemptVerdict::OutOfTime));
        }
        self.answer(Err(RetriesExhausted::new(self.recipe.name, failed).into()));
        panics::discard(message);
        drop(attempt);
    }

    /// Nobody needs the result: what waits does not run, and what runs is not tried again.
    fn withdraw(&self) {
        let attempt = lock(&self.state).attempt.take();
        if let Some(attempt) = attempt {
            attempt.cancel();
        }
        self.queue.withdraw(self.age);
    }

    /// Answers the caller, who may have cancelled, and lets go of all that was kept.
    fn answer(&self, outcome: Outcome<T, E>) {
        let (caller, kept, alarm) = {
            let mut state = lock(&self.state);
            let kept = (state.args.take(), std::mem::take(&mut state.failed));
            (state.caller.take(), kept, state.alarm.take())
        };
        drop(alarm);
        if let Some((promise, ticket)) = caller {
            promise.complete(outcome);
            drop(ticket);
        } else {
            panics::discard(outcome);
        }
        let (args, failed) = kept;
        panics::discard(args);
        failed.into_iter().for_each(panics::discard);
    }
}

/// Looks at the end of the budget.
struct Over<M: Queued, A, T, E>(Weak<Retried<M, A, T, E>>);

impl<M, A, T, E> Wake for Over<M, A, T, E>
where
    M: Queued,
    A: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    fn wake(self: Arc<Self>) {
        if let Some(retried) = self.0.upgrade() {
            // The call's callbacks run here, and the clock has others to wake.
            let _serving = serving::enter(retried.queue.number(), None);
            retried.is_over();
        }
    }
}

impl<M, A, T, E> Watch for Retried<M, A, T, E>
where
    M: Queued,
    A: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    fn awaited_by(&self, waker: &Waker) -> Awaited {
        let state = lock(&self.state);
        state.caller.as_ref().map_or(Awaited::No, |(promise, _)| promise.awaited_by(waker))
    }

    /// An attempt is done.
    fn done(&self, _: usize, _: bool) {
        let attempt = lock(&self.state).attempt.take();
        // It is not there when it was withdrawn.
        let outcome = attempt.and_then(|attempt| attempt.try_take());
        self.ended(outcome.unwrap_or(Err(CallError::Cancelled)));
    }
}

/// What decides the jitter of one wait: no two calls of a crowd have the same.
fn random(age: u64, number: u32) -> u64 {
    RandomState::new().hash_one((age, number))
}
