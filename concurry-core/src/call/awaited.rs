//! Who waits for a call, be it directly or through calls that are made of it: for pools that look whether a worker waits for
//! what only that worker could run.
//!
//! The way leads from the call to what hangs on it, link by link, and never back; at its end stands a waker.

/// Whether whoever is woken by a certain waker waits for a call.
///
/// # Examples
///
/// ```
/// use concurry_core::call::{Awaited, channel};
/// use std::convert::Infallible;
/// use std::pin::Pin;
/// use std::task::{Context, Waker};
///
/// let (promise, call) = channel::<u64, Infallible>();
/// let mut doubled = call.map(|value| 2 * value);
/// assert_eq!(promise.awaited_by(Waker::noop()), Awaited::No);
/// let _ = Pin::new(&mut doubled).poll(&mut Context::from_waker(Waker::noop()));
/// assert_eq!(promise.awaited_by(Waker::noop()), Awaited::Needed);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// No, or that is not known.
    No,
    /// Yes, and it goes on only once this call is done.
    Needed,
    /// Yes, and it goes on once any one of so many calls is done.
    OneOf(usize),
}
