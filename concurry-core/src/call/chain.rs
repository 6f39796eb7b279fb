//! Calls made of other calls, without a thread and without a poll.
//!
//! A link owns the call that comes first and is hung on it as its watcher: when that call is done, the link takes the
//! outcome and answers the call that comes after, on the thread that completed the first one. The other way round, the
//! call that comes after cancels the one before when it is cancelled itself.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use super::awaited::{Asked, Onward};
use super::cell::Cell;
use super::watch::Watch;
use super::{Call, CallError, Outcome, Promise, channel, trampoline};
use crate::panics::{Held, catch, discard};
use crate::sync::lock;

struct Link<T, E, F> {
    source: Call<T, E>,
    then: Mutex<Option<F>>,
    /// The call that comes after.
    next: Option<Arc<dyn Asked>>,
}

impl<T, E, F> Watch for Link<T, E, F>
where
    T: Send + 'static,
    E: Send + 'static,
    F: FnOnce(Outcome<T, E>) + Send + 'static,
{
    fn done(&self, _: usize, _: bool) {
        let then = lock(&self.then).take();
        if let Some(then) = then {
            let outcome = self.source.try_take().unwrap_or(Err(CallError::Taken));
            trampoline::run(move || then(outcome));
        }
    }

    fn onward(&self) -> Option<Onward> {
        self.next.as_ref().map(|next| Onward(Arc::clone(next)))
    }
}

impl<T, E> Call<T, E>
where
    T: Send + 'static,
    E: Send + 'static,
{
    /// The call whose result is `f(result)`; an error stays as it is.
    ///
    /// `f` runs once the call is done, on the thread that completes it, or here and now when it is done already; from within the
    /// closure of another chain of calls, right after that closure, or as soon as it waits for a call, a limit or a clock. Keep it
    /// short, and wait for nothing in it by other means. Cancelling the mapped call cancels this one, and `f` is not run. Dropping
    /// the mapped call cancels nothing. A panic in `f` is [`CallError::Panicked`] of the mapped call.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::call::channel;
    /// use std::convert::Infallible;
    ///
    /// let (promise, call) = channel::<&str, Infallible>();
    /// let length = call.map(str::len);
    /// promise.complete(Ok("seven and"));
    /// assert_eq!(length.result().unwrap(), 9);
    /// ```
    pub fn map<U, F>(self, f: F) -> Call<U, E>
    where
        U: Send + 'static,
        F: FnOnce(T) -> U + Send + 'static,
    {
        let f = Held::new(f);
        self.link(move |outcome, promise| promise.complete(outcome.and_then(|value| run(f, |f| f(value)))))
    }

    /// The call whose own error is `f(error)`; a result, and what else may happen to a call, stay as they are.
    ///
    /// When and where `f` runs, and what a panic in it does, is as in [`map`](Self::map).
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::call::{CallError, channel};
    ///
    /// let (promise, call) = channel::<u64, &str>();
    /// let call = call.map_err(str::len);
    /// promise.complete(Err(CallError::Failed("no")));
    /// assert_eq!(call.result().unwrap_err().into_failed(), Some(2));
    /// ```
    pub fn map_err<E2, F>(self, f: F) -> Call<T, E2>
    where
        E2: Send + 'static,
        F: FnMut(E) -> E2 + Send + 'static,
    {
        let f = Held::new(f);
        self.link(move |outcome: Outcome<T, E>, promise: Promise<T, E2>| {
            let mapped = outcome.or_else(|error| run(f, |f| error.map_failed(f)).and_then(Err));
            promise.complete(mapped);
        })
    }

    /// The call that comes after this one: once this one has a result, `f` makes the next call of it, whose outcome is
    /// that of the whole. An error of this one ends it, and `f` is not run.
    ///
    /// Both have the same error, as in [`Result::and_then`]. A call that cannot fail is [widened](Call::widen) to the error
    /// of the other; another error is converted by [`map_err`](Self::map_err).
    ///
    /// `f` runs where the closure of [`map`](Self::map) would, and a panic in it is [`CallError::Panicked`] of the whole.
    /// It should submit and return, not wait. Cancelling the whole cancels whichever of the two is not done.
    ///
    /// What a call is made of is kept until the whole has ended. So a function that returns itself by `and_then`, as a loop that
    /// asks again each time, keeps half a kilobyte and more for each of its turns: where there is no end to those, await one call
    /// after the other in a `loop` instead.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::call::channel;
    /// use std::io;
    ///
    /// let (promise, read) = channel::<Vec<u8>, io::Error>();
    /// let stored = read.and_then(|bytes| {
    ///     let (promise, store) = channel::<usize, io::Error>(); // `disk.store(bytes)`
    ///     promise.complete(Ok(bytes.len()));
    ///     store
    /// });
    /// promise.complete(Ok(vec![1, 2, 3]));
    /// assert_eq!(stored.result().unwrap(), 3);
    /// ```
    pub fn and_then<U, F>(self, f: F) -> Call<U, E>
    where
        U: Send + 'static,
        F: FnOnce(T) -> Call<U, E> + Send + 'static,
    {
        let f = Held::new(f);
        self.link(move |outcome, promise: Promise<U, E>| {
            match outcome.and_then(|value| run(f, |f| f(value))) {
                Ok(next) => next.answer(promise, |outcome, promise| promise.complete(outcome)),
                Err(error) => promise.complete(Err(error)),
            }
        })
    }

    /// The call that `then` answers with the outcome of this one.
    fn link<U, E2>(self, then: impl FnOnce(Outcome<T, E>, Promise<U, E2>) + Send + 'static) -> Call<U, E2>
    where
        U: Send + 'static,
        E2: Send + 'static,
    {
        let (promise, call) = channel();
        self.answer(promise, then);
        call
    }

    /// Has `then` answer `promise` with the outcome of this call, unless it was cancelled before.
    fn answer<U, E2>(
        mut self,
        promise: Promise<U, E2>,
        then: impl FnOnce(Outcome<T, E>, Promise<U, E2>) + Send + 'static,
    ) where
        U: Send + 'static,
        E2: Send + 'static,
    {
        // Whoever has waited for this one waits for what comes after, if for anything.
        self.leave();
        let (cell, after) = (self.cell(), promise.cell());
        let is_pending = promise.on_done(move |outcome| {
            if matches!(outcome, Err(CallError::Cancelled)) {
                let by_force = after.upgrade().is_some_and(|after| after.is_by_force());
                trampoline::run(move || {
                    cancel(&cell, by_force);
                });
            }
        });
        if !is_pending {
            // Cancelled meanwhile.
            cancel(&self.cell(), promise.is_by_force());
            return;
        }
        let next = promise.asker();
        let then = move |outcome| {
            if promise.is_open() {
                then(outcome, promise);
            } else {
                discard(outcome);
            }
        };
        let link = Arc::new(Link { source: self, then: Mutex::new(Some(then)), next });
        let watch = Arc::clone(&link) as Arc<dyn Watch>;
        link.source.watch(&watch, 0);
    }
}

impl<T> Call<T, Infallible>
where
    T: Send + 'static,
{
    /// The same call with an error that it never has, to stand beside calls that may fail.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::call::{Call, channel};
    /// use std::{convert::Infallible, io};
    ///
    /// let (promise, call) = channel::<u64, Infallible>();
    /// let call: Call<u64, io::Error> = call.widen();
    /// promise.complete(Ok(1));
    /// assert_eq!(call.result().unwrap(), 1);
    /// ```
    pub fn widen<E: Send + 'static>(self) -> Call<T, E> {
        self.link(|outcome, promise| promise.complete(outcome.map_err(CallError::widen)))
    }
}

/// Cancels a call as the one that comes after it was.
fn cancel<T, E>(call: &Cell<T, E>, by_force: bool) -> bool {
    if by_force { call.cancel_by_force() } else { call.cancel() }
}

/// Runs a user's closure. It is there, since it is taken only here.
fn run<F, R, E>(f: Held<F>, body: impl FnOnce(F) -> R) -> Result<R, CallError<E>> {
    catch(|| f.with(body)).map_err(CallError::Panicked)?.ok_or(CallError::Stopped)
}
