//! What can go wrong.
//!
//! * [`LimitError`]: a request, an update or a release.
//! * [`LimitSetError`]: the building of a set.

mod limit;
mod set;

pub use limit::LimitError;
pub use set::LimitSetError;
