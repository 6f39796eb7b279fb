//! When the system has no room for one more client: how long a server rests before it asks again.

use std::io;
use std::time::Duration;

use rustix::io::Errno;

/// The first rest; each further one is twice as long …
const LEAST: Duration = Duration::from_millis(10);
/// … and none longer than this.
const MOST: Duration = Duration::from_secs(1);

/// What the system says then: too many open files, here or everywhere, or no memory.
const ERRORS: [Errno; 4] = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];

pub(super) fn is_full(error: &io::Error) -> bool {
    Errno::from_io_error(error).is_some_and(|error| ERRORS.contains(&error))
}

/// A streak of refusals.
#[derive(Default)]
pub(super) struct Full {
    rest: Option<Duration>,
}

impl Full {
    /// One more; how long to rest. The first is logged.
    pub(super) fn rest(&mut self, error: &io::Error) -> Duration {
        if self.rest.is_none() {
            tracing::warn!(%error, "a limit server has no room for another client, and waits for some");
        }
        let rest = self.rest.map_or(LEAST, |rest| (2 * rest).min(MOST));
        *self.rest.insert(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_from_10_milliseconds_to_a_second() {
        let (mut full, error) = (Full::default(), io::Error::from(Errno::MFILE));
        let rests: Vec<_> = (0..9).map(|_| full.rest(&error).as_millis()).collect();
        assert_eq!(rests, [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]);
    }

    #[test]
    fn only_a_system_without_room_has_a_server_rest() {
        assert!(ERRORS.into_iter().all(|error| is_full(&error.into())));
        assert!(!is_full(&Errno::CONNABORTED.into()) && !is_full(&io::ErrorKind::TimedOut.into()));
    }
}
