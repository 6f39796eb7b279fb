//! What can be gathered.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use crate::call::{Call, CallError, Outcome, Watch};

/// A collection of calls that [`gather`](super::gather) can wait for: a `Vec` or an array of calls, or a map with calls
/// as values. An iterator of calls is collected first.
///
/// # Examples
///
/// ```
/// use std::collections::HashMap;
/// use concurry_core::{batch::gather, call::channel};
/// use std::convert::Infallible;
///
/// let (promise, call) = channel::<u64, Infallible>();
/// promise.complete(Ok(7));
/// let by_name: HashMap<&str, u64> = gather(HashMap::from([("seven", call)])).result().unwrap();
/// assert_eq!(by_name["seven"], 7);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a collection of calls",
    label = "expected a Vec, an array or a map of calls",
    note = "an iterator of calls is collected into a Vec first"
)]
pub trait Gatherable: Sized {
    /// All results: the collection with results in the place of calls.
    type Results;
    /// All outcomes: the collection with outcomes in the place of calls.
    type Outcomes;
    /// The error of one call.
    type Error;

    /// How many calls there are.
    fn count(&self) -> usize;
    /// Hangs `watch` on each call.
    fn watch(&self, watch: &Arc<dyn Watch>);
    /// The outcomes; a call that is not done counts as timed out.
    fn into_outcomes(self) -> Self::Outcomes;
    /// The results of calls that are all done.
    ///
    /// # Errors
    ///
    /// The error of the first call, in the order of the collection, that has one.
    fn into_results(self) -> Result<Self::Results, Self::Error>;
    /// The error of the call that was watched as `index`, or a time-out when it has none.
    fn into_error(self, index: usize) -> Self::Error;
}

fn take<T, E>(call: &Call<T, E>) -> Outcome<T, E> {
    call.try_take().unwrap_or(Err(CallError::Timeout))
}

fn error_of<T, E>(call: Option<&Call<T, E>>) -> CallError<E> {
    match call.map(take) {
        Some(Err(error)) => error,
        Some(Ok(_)) | None => CallError::Timeout,
    }
}

impl<T, E> Gatherable for Vec<Call<T, E>> {
    type Results = Vec<T>;
    type Outcomes = Vec<Outcome<T, E>>;
    type Error = CallError<E>;

    fn count(&self) -> usize {
        self.len()
    }

    fn watch(&self, watch: &Arc<dyn Watch>) {
        self.iter().enumerate().for_each(|(index, call)| call.watch(Arc::clone(watch), index));
    }

    fn into_outcomes(self) -> Self::Outcomes {
        self.iter().map(take).collect()
    }

    fn into_results(self) -> Result<Self::Results, Self::Error> {
        self.iter().map(take).collect()
    }

    fn into_error(self, index: usize) -> Self::Error {
        error_of(self.get(index))
    }
}

impl<T, E, const N: usize> Gatherable for [Call<T, E>; N] {
    type Results = Vec<T>;
    type Outcomes = Vec<Outcome<T, E>>;
    type Error = CallError<E>;

    fn count(&self) -> usize {
        N
    }

    fn watch(&self, watch: &Arc<dyn Watch>) {
        self.iter().enumerate().for_each(|(index, call)| call.watch(Arc::clone(watch), index));
    }

    fn into_outcomes(self) -> Self::Outcomes {
        self.iter().map(take).collect()
    }

    fn into_results(self) -> Result<Self::Results, Self::Error> {
        self.iter().map(take).collect()
    }

    fn into_error(self, index: usize) -> Self::Error {
        error_of(self.get(index))
    }
}

/// Maps differ in their bounds alone.
macro_rules! gatherable_map {
    ([$($generics:tt)*] $map:ident<$($extra:ident)?> where $($bounds:tt)*) => {
        impl<K, T, E, $($generics)*> Gatherable for $map<K, Call<T, E> $(, $extra)?> where $($bounds)* {
            type Results = $map<K, T $(, $extra)?>;
            type Outcomes = $map<K, Outcome<T, E> $(, $extra)?>;
            type Error = CallError<E>;

            fn count(&self) -> usize {
                self.len()
            }

            fn watch(&self, watch: &Arc<dyn Watch>) {
                self.values().enumerate().for_each(|(index, call)| call.watch(Arc::clone(watch), index));
            }

            fn into_outcomes(self) -> Self::Outcomes {
                self.into_iter().map(|(key, call)| (key, take(&call))).collect()
            }

            fn into_results(self) -> Result<Self::Results, Self::Error> {
                self.into_iter().map(|(key, call)| Ok((key, take(&call)?))).collect()
            }

            fn into_error(self, index: usize) -> Self::Error {
                error_of(self.values().nth(index))
            }
        }
    };
}

gatherable_map!([S] HashMap<S> where K: Eq + Hash, S: BuildHasher + Default);
gatherable_map!([] BTreeMap<> where K: Ord);
