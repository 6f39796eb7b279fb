//! The user's functions that judge an attempt.

use std::time::Duration;

use concurry_core::retry::Attempt;

use concurry_core::panics;

/// What `#[retry(…)]` names.
pub struct Predicates<T, E> {
    /// Whether an error is retried; all are when there is none.
    pub on: Option<fn(&E, &Attempt) -> bool>,
    /// Whether a value will do; all do when there is none.
    pub until: Option<fn(&T, &Attempt) -> bool>,
    /// The wait that an error asks for.
    pub after: Option<fn(&E, &Attempt) -> Option<Duration>>,
    /// A rejected value as text.
    pub show: fn(&T) -> String,
}

/// A predicate panicked, which was reported.
pub(super) struct Broken;

impl<T, E> Predicates<T, E> {
    pub(super) fn is_retried(&self, error: &E, attempt: &Attempt) -> Result<bool, Broken> {
        self.on.map_or(Ok(true), |on| guarded("on", attempt, || on(error, attempt)))
    }

    pub(super) fn is_wanted(&self, value: &T, attempt: &Attempt) -> Result<bool, Broken> {
        self.until.map_or(Ok(true), |until| guarded("until", attempt, || until(value, attempt)))
    }

    pub(super) fn asked_wait(&self, error: &E, attempt: &Attempt) -> Result<Option<Duration>, Broken> {
        self.after.map_or(Ok(None), |after| guarded("after", attempt, || after(error, attempt)))
    }

    pub(super) fn shown(&self, value: &T, attempt: &Attempt) -> String {
        panics::catch(|| (self.show)(value)).unwrap_or_else(|panic| {
            let (method, number) = (attempt.method(), attempt.number());
            panics::log(|| tracing::error!(method, attempt = number, %panic, "the Debug of a rejected value panicked"));
            "of a broken Debug".to_owned()
        })
    }
}

fn guarded<R>(predicate: &str, attempt: &Attempt, ask: impl FnOnce() -> R) -> Result<R, Broken> {
    panics::catch(ask).map_err(|panic| {
        let (method, number) = (attempt.method(), attempt.number());
        panics::log(|| {
            tracing::error!(
                method, attempt = number, predicate, %panic,
                "a predicate of a retry panicked; the call is not tried again"
            );
        });
        Broken
    })
}

/// A function that judges an attempt: of the error or value alone, or of that and the [`Attempt`].
///
/// `M` tells the two apart.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot judge an attempt",
    label = "takes `&{A}`, or `&{A}` and `&Attempt`, and returns `{R}`",
    note = "`on` is a function `Fn(&Error) -> bool`, `until` `Fn(&Value) -> bool`, `after` `Fn(&Error) -> Option<Duration>`"
)]
pub trait Ask<A, R, M> {
    /// What it says.
    fn ask(&self, about: &A, attempt: &Attempt) -> R;
}

#[diagnostic::do_not_recommend]
impl<A, R, F: Fn(&A) -> R> Ask<A, R, ((),)> for F {
    fn ask(&self, about: &A, _: &Attempt) -> R {
        self(about)
    }
}

#[diagnostic::do_not_recommend]
impl<A, R, F: Fn(&A, &Attempt) -> R> Ask<A, R, ((), ())> for F {
    fn ask(&self, about: &A, attempt: &Attempt) -> R {
        self(about, attempt)
    }
}

/// Asks a named function.
pub fn ask<A, R, M>(predicate: impl Ask<A, R, M>, about: &A, attempt: &Attempt) -> R {
    predicate.ask(about, attempt)
}

/// Asks a closure of one argument, whose type is known from here.
pub fn ask_one<A, R>(predicate: impl Fn(&A) -> R, about: &A, _: &Attempt) -> R {
    predicate(about)
}

/// Asks a closure of two arguments.
pub fn ask_two<A, R>(predicate: impl Fn(&A, &Attempt) -> R, about: &A, attempt: &Attempt) -> R {
    predicate(about, attempt)
}
