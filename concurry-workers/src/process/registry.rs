//! Which workers this executable can serve, by name.
//!
//! `#[worker]` registers each type through the inventory crate, before `main`. The name is the compiler's own name of the
//! type, which both ends, being the same executable, spell alike.

use crate::process::build;
use crate::process::child::{self, Session};
use crate::worker::Worker;

/// A worker type that a child of this executable can serve.
pub struct Registration {
    name: fn() -> &'static str,
    pub(super) serve: fn(Session) -> i32,
    build: fn(usize) -> u64,
}

impl Registration {
    /// The registration of `W`.
    pub const fn of<W: Worker>() -> Self {
        Self { name: std::any::type_name::<W>, serve: child::serve::<W>, build: build::fingerprint::<W> }
    }

    /// The fingerprint of the worker in this build. Both ends ask here: a function that is compiled in several places lies in several.
    pub(super) fn build(&'static self) -> u64 {
        (self.build)(std::ptr::from_ref(self).addr())
    }
}

inventory::collect!(Registration);

pub(super) fn find(name: &str) -> Option<&'static Registration> {
    inventory::iter::<Registration>().find(|registration| (registration.name)() == name)
}
