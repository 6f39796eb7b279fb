//! What turns a started executable into a child, before its `main`.
//!
//! A pool starts the own executable with an environment variable set and a socket as standard input. A constructor function, which
//! the loader runs before `main`, sees the variable, serves the socket and exits: the user's `main` never runs in a child,
//! and needs no line for it.
//!
//! This file and `constructors` hold the `unsafe` of what a program may do before `main`, and how it leaves.

#![allow(unsafe_code, reason = "see each block")]

use std::os::unix::net::UnixStream;

use super::{child, constructors};

/// Set in a child's environment, and taken out of it again before any code of the user runs.
pub(super) const VARIABLE: &str = "CONCURRY_WORKER_PROCESS";

/// Serves a pool and exits, if this process was started as a child of one; returns at once otherwise.
///
/// It runs by itself before `main`. Calling it first thing in `main` does no harm.
///
/// # Examples
///
/// ```
/// concurry_workers::process::hook::run_worker_if_child(); // not a child: goes on
/// ```
pub fn run_worker_if_child() {
    if std::env::var_os(VARIABLE).is_none() {
        return;
    }
    // SAFETY: before `main` nothing of this process has started a thread that could read the environment meanwhile.
    unsafe { std::env::remove_var(VARIABLE) };
    // SAFETY: no handler is installed, only the disposition that Rust's runtime sets before `main`, which has not run.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    constructors::run_the_rest();
    match take_socket() {
        Ok(stream) => std::process::exit(child::run(stream)),
        Err(error) => {
            eprintln!("concurry: a worker's process has no connection to its pool: {error}");
            std::process::exit(1);
        }
    }
}

/// The socket that is standard input; standard input is empty from here on.
fn take_socket() -> std::io::Result<UnixStream> {
    let stdin = rustix::stdio::stdin();
    let socket = rustix::io::fcntl_dupfd_cloexec(stdin, 3)?;
    let empty = std::fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&empty)?;
    Ok(UnixStream::from(socket))
}

/// Leaves at once, whatever other threads do: the parent is gone, and nobody is left to work for.
pub(super) fn vanish() -> ! {
    // SAFETY: `_exit` has no preconditions; it runs no destructors and no handlers.
    unsafe { libc::_exit(0) }
}
