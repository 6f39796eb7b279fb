//! [`PoolConfig`]: what a section says of pools.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fields::field_by_field;
use super::time;
use crate::balancing::LoadBalancing;
use crate::retry::{Retry, RetryOverrides};
use crate::when_full::WhenFull;

/// What the options of a pool are that `Worker::options(…)` does not name. Times are texts with their unit: `"200ms"`,
/// `"1min 30s"`.
///
/// # Examples
///
/// ```
/// use concurry_core::balancing::LoadBalancing;
/// use concurry_core::config::Config;
///
/// let mut config = Config::default();
/// config.thread.max_workers = Some(8);
/// config.thread.load_balancing = Some(LoadBalancing::RoundRobin);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PoolConfig {
    /// How many workers a pool has that is given `Workers::Default`, 1 or more. By default 1 in modes sync and async, and as
    /// many as this process may use processors in modes thread and process.
    pub max_workers: Option<usize>,
    /// How calls are spread over the workers; `"shared_queue"` by default.
    pub load_balancing: Option<LoadBalancing>,
    /// How many calls may wait, 1 or more; no bound by default.
    pub max_queued_calls: Option<usize>,
    /// What a full queue does with a call: `"wait"` (the default), `"reject"` or `"drop_oldest"`.
    pub when_full: Option<WhenFull>,
    /// Workers come when calls come, and go when none has come for so long; by default all are there all the time.
    #[serde(with = "time::optional")]
    pub on_demand: Option<Duration>,
    /// How often workers may be made anew; no bound by default.
    pub max_restarts: Option<RestartLimit>,
    /// How often a worker's constructor is tried when the worker is made anew, 1 or more, before the worker is lost; 3 by
    /// default.
    pub restart_tries: Option<u32>,
    /// The wait between the first two of those tries, which doubles with each; 50 ms by default.
    #[serde(with = "time::optional")]
    pub restart_wait: Option<Duration>,
    /// After how many calls a worker gives way to a new one, 1 or more; never by default. This and the next four are for pools of
    /// mode process: in `pool` too they say nothing of others, and in the section of another mode they are an error.
    pub max_calls_per_worker: Option<u64>,
    /// At which age a worker gives way to a new one, more than zero; never by default.
    #[serde(with = "time::optional")]
    pub max_worker_age: Option<Duration>,
    /// With how many bytes in memory a worker gives way to a new one, 1 or more; never by default.
    pub max_worker_memory: Option<u64>,
    /// How long a process that `cancel_hard` ends has from `SIGTERM` to `SIGKILL`; a second by default. Of mode process, as the
    /// three before.
    #[serde(with = "time::optional")]
    pub kill_grace: Option<Duration>,
    /// How long a process may take to start, more than zero; no bound by default. Of mode process too.
    #[serde(with = "time::optional")]
    pub start_timeout: Option<Duration>,
    /// How failed calls are tried again. With `attempts`, methods that return a `Result` are, as though each pool had a
    /// `.retry(…)`; without, the other fields are what a `#[retry(…)]` leaves out. A pool with a `.retry(…)` of its own has
    /// all of it from there.
    pub retry: RetryOverrides,
}

/// How often the workers of a pool may be made anew.
///
/// # Examples
///
/// ```
/// use concurry_core::config::RestartLimit;
/// use std::time::Duration;
///
/// let limit = RestartLimit { count: 10, within: Duration::from_secs(60) };
/// # let _ = limit;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestartLimit {
    /// So often,
    pub count: usize,
    /// in any time as long as this.
    #[serde(with = "time")]
    pub within: Duration,
}

impl PoolConfig {
    /// The library's defaults, as far as they are the same in all modes.
    pub(super) fn defaults() -> Self {
        Self {
            max_workers: None,
            load_balancing: Some(LoadBalancing::default()),
            max_queued_calls: None,
            when_full: Some(WhenFull::default()),
            on_demand: None,
            max_restarts: None,
            restart_tries: Some(3),
            restart_wait: Some(Duration::from_millis(50)),
            max_calls_per_worker: None,
            max_worker_age: None,
            max_worker_memory: None,
            kill_grace: Some(Duration::from_secs(1)),
            start_timeout: None,
            retry: RetryOverrides { attempts: None, ..RetryOverrides::all_of(Retry::default()) },
        }
    }
}

field_by_field! {
    PoolConfig: max_workers, load_balancing, max_queued_calls, when_full, on_demand, max_restarts, restart_tries, restart_wait,
        max_calls_per_worker, max_worker_age, max_worker_memory, kill_grace, start_timeout;
    parts: retry
}
