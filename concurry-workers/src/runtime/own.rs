//! The tokio runtime that concurry starts when there is none to use.

use std::future::Future;
use std::io;
use std::sync::OnceLock;

use concurry_core::park;
use tokio::runtime::{Builder, Handle, Runtime};

use super::here;

/// The shared runtime: started with the first use, with all drivers, and kept until the process ends.
///
/// # Errors
///
/// Those of the system, which has no threads or descriptors left.
pub(crate) fn handle() -> io::Result<&'static Handle> {
    static OWN: OnceLock<Runtime> = OnceLock::new();
    if let Some(own) = OWN.get() {
        return Ok(own.handle());
    }
    let own = Builder::new_multi_thread().enable_all().thread_name("concurry-tokio").build()?;
    // Of two that are started at once, the second ends again.
    Ok(OWN.get_or_init(|| own).handle())
}

/// Runs a future of a user's async method on this thread: its timers and sockets belong to our runtime, whose threads
/// drive them while this one sleeps. Unlike tokio's own `block_on`, it may be used on a thread of another runtime.
///
/// # Panics
///
/// When the system lets us start no runtime; that is the panic of the call.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let handle =
        handle().unwrap_or_else(|error| panic!("the system lets concurry start no runtime: {error}"));
    let _context = here::enter(handle);
    // Of what tokio lets the task do that this thread may run, the future takes nothing: when that is used up, tokio has what comes next
    // wait until the task has given way, which it does not before this has ended.
    park::block_on(tokio::task::unconstrained(future))
}
