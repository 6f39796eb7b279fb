//! Tuples of different calls, and the error that can be any of theirs.

use std::any::TypeId;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::gatherable::{GatherResults, Gatherable};
use crate::call::{CallError, Watch};

type BoxError = Box<dyn Error + Send + Sync>;

/// Which part of a tuple failed, and how. The parts may have different errors, so theirs is boxed here.
///
/// A method's error may be whatever becomes a box of an error: all that is one, `String`, `&str`, `anyhow::Error`. Who wants
/// the calls' own errors by type, or has others, takes [`outcomes`](super::Gather::outcomes).
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
/// assert_eq!(error.failed::<io::Error>().unwrap().kind(), io::ErrorKind::NotFound);
/// let CallError::Failed(own) = error.into_part::<CallError<io::Error>>().unwrap() else { panic!() };
/// assert_eq!(own.kind(), io::ErrorKind::NotFound);
/// ```
#[derive(Debug)]
pub struct GatherError {
    place: Option<usize>,
    part: Part,
}

/// The error of a part.
#[derive(Debug)]
#[doc(hidden)]
pub enum Part {
    /// Of a call, or of a collection of calls, whose own error was of type `own`.
    Call { error: CallError<Own>, own: TypeId },
    /// Of a tuple.
    Tuple(Box<GatherError>),
}

/// A method's own error. It may be one that is no [`Error`] until it is boxed, so it is kept as that.
#[doc(hidden)]
pub struct Own(BoxError);

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Own {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl GatherError {
    /// The place in the tuple of what failed, from 0; `None` when the wait as a whole timed out.
    pub fn place(&self) -> Option<usize> {
        self.place
    }

    /// Whether the wait timed out.
    pub fn is_timeout(&self) -> bool {
        self.place.is_none()
    }

    /// The error that the part's method returned, if that is what happened and it is of this type. Of a tuple in the tuple, its
    /// part's.
    pub fn failed<E: Error + 'static>(&self) -> Option<&E> {
        match &self.part {
            Part::Call { error: CallError::Failed(own), .. } => own.0.downcast_ref(),
            Part::Call { .. } => None,
            Part::Tuple(error) => error.failed(),
        }
    }

    /// The error of the part, if it is of this type: of a call the [`CallError`] of its method's error, of a tuple another
    /// `GatherError`.
    ///
    /// # Errors
    ///
    /// `self`, if it is of another.
    pub fn into_part<P: FromPart>(self) -> Result<P, Self> {
        let place = self.place;
        P::from_part(self.part).map_err(|part| Self { place, part })
    }
}

impl fmt::Display for GatherError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place {
            write!(f, "part {place} of the tuple: ")?;
        }
        match &self.part {
            Part::Call { error, .. } => error.fmt(f),
            Part::Tuple(error) => error.fmt(f),
        }
    }
}

impl Error for GatherError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.part {
            // Itself, so that who looks for its type among the sources finds it.
            Part::Call { error: CallError::Failed(own), .. } => Some(own.0.as_ref()),
            Part::Call { error, .. } => Some(error),
            Part::Tuple(error) => Some(error),
        }
    }
}

/// What the error of a part is taken out as.
#[doc(hidden)]
pub trait FromPart: Sized {
    fn from_part(part: Part) -> Result<Self, Part>;
}

impl<E: Error + Send + Sync + 'static> FromPart for CallError<E> {
    fn from_part(part: Part) -> Result<Self, Part> {
        match part {
            Part::Call { error, own } if own == TypeId::of::<E>() => Ok(error.map_failed(|own| {
                // An error becomes a box by being put into one.
                own.0.downcast().map_or_else(|_| unreachable!("the error was boxed as another"), |own| *own)
            })),
            other => Err(other),
        }
    }
}

impl FromPart for GatherError {
    fn from_part(part: Part) -> Result<Self, Part> {
        match part {
            Part::Tuple(error) => Ok(*error),
            call @ Part::Call { .. } => Err(call),
        }
    }
}

/// What can be the error of a part.
#[diagnostic::on_unimplemented(
    message = "`{Self}` of a part of a tuple cannot become the error of the whole",
    label = "a method's error in it is neither an `Error` nor a `String`, `&str` or `anyhow::Error`",
    note = "`outcomes()` takes any error; `map_err` of a call makes its error another"
)]
#[doc(hidden)]
pub trait PartError {
    fn into_part(self) -> Part;
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError> + 'static> PartError for CallError<E> {
    fn into_part(self) -> Part {
        Part::Call { error: self.map_failed(|own| Own(own.into())), own: TypeId::of::<E>() }
    }
}

impl PartError for GatherError {
    fn into_part(self) -> Part {
        Part::Tuple(Box::new(self))
    }
}

fn failed(place: usize, part: impl PartError) -> GatherError {
    GatherError { place: Some(place), part: part.into_part() }
}

/// A tuple of parts, each named with its place.
macro_rules! gatherable_tuple {
    ($($part:ident $place:tt),+) => {
        impl<$($part: Gatherable),+> Gatherable for ($($part,)+) {
            type Outcomes = ($($part::Outcomes,)+);

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
        }

        impl<$($part),+> GatherResults for ($($part,)+)
        where
            $($part: GatherResults, $part::Error: PartError,)+
        {
            type Results = ($($part::Results,)+);
            type Error = GatherError;

            fn into_results(self) -> Result<Self::Results, Self::Error> {
                Ok(($(self.$place.into_results().map_err(|part| failed($place, part))?,)+))
            }

            fn into_error(self, index: usize) -> Self::Error {
                let mut before = 0;
                $(
                    let count = self.$place.count();
                    if index - before < count {
                        return failed($place, self.$place.into_error(index - before));
                    }
                    before += count;
                )+
                debug_assert!(before <= index, "a call in no part of the tuple");
                Self::timed_out()
            }

            fn timed_out() -> Self::Error {
                GatherError { place: None, part: CallError::<Infallible>::Timeout.into_part() }
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
