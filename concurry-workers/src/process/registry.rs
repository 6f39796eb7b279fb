//! Which workers this executable can serve, by name.
//!
//! `#[worker]` registers each type through the inventory crate, before `main`. The name is the compiler's own name of the
//! type, which both ends, being the same executable, spell alike.

use crate::process::child::{self, Session};
use crate::worker::Worker;

/// A worker type that a child of this executable can serve.
pub struct Registration {
    name: fn() -> &'static str,
    pub(super) serve: fn(Session) -> i32,
}

impl Registration {
    /// The registration of `W`.
    pub const fn of<W: Worker>() -> Self {
        Self { name: std::any::type_name::<W>, serve: child::serve::<W> }
    }
}

inventory::collect!(Registration);

pub(super) fn find(name: &str) -> Option<&'static Registration> {
    inventory::iter::<Registration>().find(|registration| (registration.name)() == name)
}
