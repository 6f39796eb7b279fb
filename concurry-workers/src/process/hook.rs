//! What turns a started executable into a child, before its `main`.
//!
//! A pool starts the own executable with an environment variable set and a socket as standard input. A constructor function, which
//! the loader runs before `main`, sees the variable, serves the socket and exits: the user's `main` never runs in a child,
//! and needs no line for it.
//!
//! This file and `constructors` hold the `unsafe` of what a program may do before `main`, and how it leaves.

#![allow(unsafe_code, reason = "see each block")]

use std::os::unix::net::UnixStream;

use super::{build, child, constructors};

/// Set in a child's environment, and taken out of it again before any code of the user runs.
pub(super) const VARIABLE: &str = "CONCURRY_WORKER_PROCESS";

/// What it says to a child that is to be served before `main`, and to one whose `main` calls [`run_worker_if_child`].
pub(super) const BEFORE_MAIN: &str = "before main";
pub(super) const IN_MAIN: &str = "in main";

/// Serves a pool and exits, if this process was started as a child of one; returns at once otherwise.
///
/// It runs by itself before `main`, and calling it there does no harm. Children of a pool with
/// [`ProcessOptions::serve_in_main`](super::ProcessOptions::serve_in_main) are served by this call alone. Call it first thing in
/// `main`: before any other thread is started, and before the arguments are looked at.
///
/// # Examples
///
/// ```
/// concurry_workers::process::hook::run_worker_if_child(); // not a child: goes on
/// ```
pub fn run_worker_if_child() {
    if is_child() {
        serve(|| ());
    }
}

/// Whether this process is the child of a pool, and was not served as yet.
pub(super) fn is_child() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// What the loader runs before `main`.
pub(super) fn before_main() {
    // Later, another one may have taken its place.
    build::own_file();
    if std::env::var_os(VARIABLE).is_some_and(|when| when != IN_MAIN) {
        serve(constructors::run_the_rest);
    }
}

fn serve(prepare: impl FnOnce()) {
    // SAFETY: before `main`, and first thing in it, nothing of this process has started a thread that could read the environment
    // meanwhile.
    unsafe { std::env::remove_var(VARIABLE) };
    // SAFETY: no handler is installed, only the disposition that Rust's runtime sets before `main`, which has not run.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    prepare();
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
