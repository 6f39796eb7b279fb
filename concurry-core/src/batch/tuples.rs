//! Tuples of different calls, and the error that can be any of theirs.

use std::error::Error;
use std::sync::Arc;

use super::gatherable::Gatherable;
use crate::call::{CallError, Watch};

/// Which part of a tuple failed, and how. The parts may have different errors, so theirs is boxed here.
///
/// # Examples
///
/// ```
/// use concurry_core::{batch::gather, call::{CallError, channel}};
/// use std::{convert::Infallible, io};
///
/// let (user, first) = channel::<u64, Infallible>();
/// let (posts, second) = channel::<Vec<String>, io::Error>();
/// user.complete(Ok(7));
/// posts.complete(Err(CallError::Failed(io::ErrorKind::NotFound.into())));
///
/// let error = gather((first, second)).result().unwrap_err();
/// assert_eq!(error.place(), Some(1));
/// let CallError::Failed(own) = error.into_part::<CallError<io::Error>>().unwrap() else { panic!() };
/// assert_eq!(own.kind(), io::ErrorKind::NotFound);
/// ```
#[derive(Debug, thiserror::Error)]
#[error("{}{part}", place.map_or_else(String::new, |place| format!("part {place} of the tuple: ")))]
pub struct GatherError {
    place: Option<usize>,
    #[source]
    part: Box<dyn Error + Send + Sync>,
}

impl GatherError {
    fn new(place: usize, part: impl Error + Send + Sync + 'static) -> Self {
        Self { place: Some(place), part: Box::new(part) }
    }

    /// The place in the tuple of what failed, from 0; `None` when the wait as a whole timed out.
    pub fn place(&self) -> Option<usize> {
        self.place
    }

    /// Whether the wait timed out.
    pub fn is_timeout(&self) -> bool {
        self.place.is_none()
    }

    /// The error of the part, if it is of this type: of a call a [`CallError`].
    pub fn part<P: Error + 'static>(&self) -> Option<&P> {
        self.part.downcast_ref()
    }

    /// The error of the part, if it is of this type.
    ///
    /// # Errors
    ///
    /// `self`, if it is of another.
    pub fn into_part<P: Error + 'static>(self) -> Result<P, Self> {
        let place = self.place;
        self.part.downcast().map(|part| *part).map_err(|part| Self { place, part })
    }
}

/// A tuple of parts, each named with its place.
macro_rules! gatherable_tuple {
    ($($part:ident $place:tt),+) => {
        impl<$($part),+> Gatherable for ($($part,)+)
        where
            $($part: Gatherable, $part::Error: Error + Send + Sync + 'static,)+
        {
            type Results = ($($part::Results,)+);
            type Outcomes = ($($part::Outcomes,)+);
            type Error = GatherError;

            fn count(&self) -> usize {
                [$(self.$place.count()),+].iter().sum()
            }

            fn watch(&self, watch: &Arc<dyn Watch>, first: usize) {
                let mut next = first;
                $(
                    self.$place.watch(watch, next);
                    next += self.$place.count();
                )+
                debug_assert_eq!(next - first, self.count());
            }

            fn into_outcomes(self) -> Self::Outcomes {
                ($(self.$place.into_outcomes(),)+)
            }

            fn into_results(self) -> Result<Self::Results, Self::Error> {
                Ok(($(self.$place.into_results().map_err(|part| GatherError::new($place, part))?,)+))
            }

            fn into_error(self, index: usize) -> Self::Error {
                let mut before = 0;
                $(
                    let count = self.$place.count();
                    if index - before < count {
                        return GatherError::new($place, self.$place.into_error(index - before));
                    }
                    before += count;
                )+
                debug_assert!(before <= index, "a call in no part of the tuple");
                Self::timed_out()
            }

            fn timed_out() -> Self::Error {
                GatherError { place: None, part: Box::new(CallError::<std::convert::Infallible>::Timeout) }
            }
        }
    };
}

gatherable_tuple!(A 0);
gatherable_tuple!(A 0, B 1);
gatherable_tuple!(A 0, B 1, C 2);
gatherable_tuple!(A 0, B 1, C 2, D 3);
gatherable_tuple!(A 0, B 1, C 2, D 3, E 4);
gatherable_tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
gatherable_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
gatherable_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
gatherable_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
gatherable_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
gatherable_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
gatherable_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
