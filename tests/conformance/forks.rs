//! A child that dies while something that it has forked lives on and holds its socket open: its end is seen all the same (SPEC §2).

#![allow(unsafe_code, reason = "a fork without an exec")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use concurry::Transport;
use concurry::prelude::*;

use super::eventually;

/// Forks, as a native library may.
#[worker]
#[derive(Default)]
pub struct Forking;

#[worker]
impl Forking {
    /// Leaves one behind that has all that this process had, notes which, and aborts with its limits held.
    pub fn forks_and_aborts(&mut self, note: PathBuf) {
        let _held = self.limits.acquire(()).unwrap();
        // SAFETY: what was forked calls nothing but what a signal handler may, and does not return.
        let forked = unsafe { libc::fork() };
        if forked == 0 {
            // SAFETY: as above. Where nobody ends it, the alarm does.
            unsafe {
                libc::setsid();
                libc::alarm(300);
                loop {
                    libc::pause();
                }
            }
        }
        std::fs::write(note, forked.to_string()).unwrap();
        std::process::abort()
    }

    pub fn works(&self) -> bool {
        true
    }
}

/// Ends what was left behind.
struct Forked<'a>(&'a Path);

impl Drop for Forked<'_> {
    fn drop(&mut self) {
        if let Ok(forked) = std::fs::read_to_string(self.0) {
            let _ended = Command::new("kill").args(["-9", &forked]).status();
            let _removed = std::fs::remove_file(self.0);
        }
    }
}

fn a_death_is_seen(transport: Transport) {
    let doors = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).build().unwrap();
    let path = std::env::temp_dir().join(format!("concurry-forked-{}-{transport}", std::process::id()));
    let _forked = Forked(&path);
    let pool =
        Forking::options(ExecutionMode::Process, doors.clone(), 1).transport(transport).init().unwrap();
    let died = pool.forks_and_aborts(path.clone()).result_timeout(Duration::from_secs(60));
    assert!(matches!(&died, Err(CallError::WorkerDied(_))), "{died:?}");
    eventually(|| doors.stats().limits[0].in_use == 0);
    assert!(pool.works().result().unwrap());
    pool.stop();
}

#[test]
#[cfg(target_os = "linux")]
fn the_death_of_a_process_is_seen_though_what_it_forked_lives_on() {
    a_death_is_seen(Transport::Ring);
}

#[test]
#[cfg(target_os = "linux")]
fn the_death_of_a_process_is_seen_though_what_it_forked_lives_on_over_the_socket() {
    a_death_is_seen(Transport::Socket);
}
