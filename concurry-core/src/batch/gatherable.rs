//! What can be gathered.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use crate::call::{Call, CallError, Outcome, Watch};

/// What [`gather`](super::gather) can wait for: a `Vec` or an array of calls, a map with calls as values, a tuple of up
/// to twelve different calls, and collections of collections of calls. An iterator of calls is collected first.
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
///
/// Collections nest:
///
/// ```
/// use concurry_core::{batch::gather, call::channel};
/// use std::convert::Infallible;
///
/// let done = |n| {
///     let (promise, call) = channel::<u64, Infallible>();
///     promise.complete(Ok(n));
///     call
/// };
/// let rows = vec![vec![done(1), done(2)], vec![], vec![done(3)]];
/// assert_eq!(gather(rows).result().unwrap(), [vec![1, 2], vec![], vec![3]]);
/// let (head, rest) = gather((done(1), [done(2), done(3)])).result().unwrap();
/// assert_eq!((head, rest), (1, vec![2, 3]));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a collection of calls",
    label = "expected a Vec, an array, a map or a tuple of calls",
    note = "an iterator of calls is collected into a Vec first"
)]
pub trait Gatherable: Sized {
    /// All outcomes: the collection with outcomes in the place of calls.
    type Outcomes;

    /// How many calls there are.
    fn count(&self) -> usize;
    /// Hangs `watch` on each call, the first as `first`, the others as what follows.
    fn watch(&self, watch: &Arc<dyn Watch>, first: usize);
    /// The outcomes; a call that is not done counts as timed out.
    fn into_outcomes(self) -> Self::Outcomes;
}

/// What [`gather`](super::gather) can give the results of, with one error for all: every collection of calls, except for a tuple
/// with an error of a method that cannot become a `Box<dyn Error + Send + Sync>`.
///
/// # Examples
///
/// ```
/// use concurry_core::batch::{GatherResults, gather};
///
/// fn wait_for<C: GatherResults>(calls: C) -> Option<C::Results> {
///     gather(calls).result().ok()
/// }
/// assert_eq!(wait_for(Vec::<concurry_core::call::Call<u64>>::new()), Some(vec![]));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a collection of calls with results of one error",
    label = "expected a Vec, an array, a map or a tuple of calls",
    note = "an iterator of calls is collected into a Vec first"
)]
pub trait GatherResults: Gatherable {
    /// All results: the collection with results in the place of calls.
    type Results;
    /// The error of one call.
    type Error;

    /// The results of calls that are all done.
    ///
    /// # Errors
    ///
    /// The error of the first call, in the order of the collection, that has one.
    fn into_results(self) -> Result<Self::Results, Self::Error>;
    /// The error of the call at `index`, counted from the first, or a time-out when it has none.
    fn into_error(self, index: usize) -> Self::Error;
    /// The error of a wait that timed out.
    fn timed_out() -> Self::Error;
}

impl<T, E> Gatherable for Call<T, E> {
    type Outcomes = Outcome<T, E>;

    fn count(&self) -> usize {
        1
    }

    fn watch(&self, watch: &Arc<dyn Watch>, first: usize) {
        Call::watch(self, watch, first);
    }

    fn into_outcomes(self) -> Self::Outcomes {
        self.take_whole().unwrap_or_else(|_| Err(CallError::Timeout))
    }
}

impl<T, E> GatherResults for Call<T, E> {
    type Results = T;
    type Error = CallError<E>;

    fn into_results(self) -> Result<Self::Results, Self::Error> {
        self.into_outcomes()
    }

    fn into_error(self, _: usize) -> Self::Error {
        self.into_outcomes().err().unwrap_or(CallError::Timeout)
    }

    fn timed_out() -> Self::Error {
        CallError::Timeout
    }
}

/// Hangs `watch` on all calls of `parts`, numbered on from `first`.
fn watch_all<'a, G: Gatherable + 'a>(
    parts: impl Iterator<Item = &'a G>,
    watch: &Arc<dyn Watch>,
    mut first: usize,
) {
    for part in parts {
        part.watch(watch, first);
        first += part.count();
    }
}

/// The error of the call at `index` of all calls of `parts`.
fn error_of<G: GatherResults>(parts: impl IntoIterator<Item = G>, mut index: usize) -> G::Error {
    for part in parts {
        let count = part.count();
        if index < count {
            return part.into_error(index);
        }
        index -= count;
    }
    G::timed_out()
}

/// Lists differ in their type alone.
macro_rules! gatherable_list {
    ([$($size:tt)*] $list:ty) => {
        impl<G: Gatherable, $($size)*> Gatherable for $list {
            type Outcomes = Vec<G::Outcomes>;

            fn count(&self) -> usize {
                self.iter().map(G::count).sum()
            }

            fn watch(&self, watch: &Arc<dyn Watch>, first: usize) {
                watch_all(self.iter(), watch, first);
            }

            fn into_outcomes(self) -> Self::Outcomes {
                self.into_iter().map(G::into_outcomes).collect()
            }
        }

        impl<G: GatherResults, $($size)*> GatherResults for $list {
            type Results = Vec<G::Results>;
            type Error = G::Error;

            fn into_results(self) -> Result<Self::Results, Self::Error> {
                self.into_iter().map(G::into_results).collect()
            }

            fn into_error(self, index: usize) -> Self::Error {
                error_of(self, index)
            }

            fn timed_out() -> Self::Error {
                G::timed_out()
            }
        }
    };
}

gatherable_list!([] Vec<G>);
gatherable_list!([const N: usize] [G; N]);

/// Maps differ in their bounds alone.
macro_rules! gatherable_map {
    ([$($generics:tt)*] $map:ident<$($extra:ident)?> where $($bounds:tt)*) => {
        impl<K, G: Gatherable, $($generics)*> Gatherable for $map<K, G $(, $extra)?> where $($bounds)* {
            type Outcomes = $map<K, G::Outcomes $(, $extra)?>;

            fn count(&self) -> usize {
                self.values().map(G::count).sum()
            }

            fn watch(&self, watch: &Arc<dyn Watch>, first: usize) {
                watch_all(self.values(), watch, first);
            }

            fn into_outcomes(self) -> Self::Outcomes {
                self.into_iter().map(|(key, part)| (key, part.into_outcomes())).collect()
            }
        }

        impl<K, G: GatherResults, $($generics)*> GatherResults for $map<K, G $(, $extra)?> where $($bounds)* {
            type Results = $map<K, G::Results $(, $extra)?>;
            type Error = G::Error;

            fn into_results(self) -> Result<Self::Results, Self::Error> {
                self.into_iter().map(|(key, part)| Ok((key, part.into_results()?))).collect()
            }

            fn into_error(self, index: usize) -> Self::Error {
                error_of(self.into_values(), index)
            }

            fn timed_out() -> Self::Error {
                G::timed_out()
            }
        }
    };
}

gatherable_map!([S] HashMap<S> where K: Eq + Hash, S: BuildHasher + Default);
gatherable_map!([] BTreeMap<> where K: Ord);
