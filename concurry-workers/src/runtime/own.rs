//! The tokio runtime that concurry starts when there is none to use.

use std::future::Future;
use std::sync::OnceLock;

use concurry_core::park;
use tokio::runtime::{Builder, Handle, Runtime};

/// The shared runtime: started with the first use, with all drivers, and kept until the process ends.
///
/// # Panics
///
/// When the system can start no threads at all; nothing async can run then.
pub(crate) fn handle() -> &'static Handle {
    static OWN: OnceLock<Runtime> = OnceLock::new();
    OWN.get_or_init(|| {
        Builder::new_multi_thread()
            .enable_all()
            .thread_name("concurry-tokio")
            .build()
            .expect("the system lets concurry start a tokio runtime")
    })
    .handle()
}

/// Runs a future of a user's async method on this thread: its timers and sockets belong to our runtime, whose threads
/// drive them while this one sleeps. Unlike tokio's own `block_on`, it may be used on a thread of another runtime.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let _context = handle().enter();
    park::block_on(future)
}
