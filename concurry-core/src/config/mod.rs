//! Configuration: what an option of a pool, or of a limit, is when the program does not name it.
//!
//! Each level wins over those before it, option by option:
//!
//! | Level | Made by |
//! |---|---|
//! | the library's defaults | [`Config::defaults`] |
//! | the file `concurry.toml` | [`Config::load`] |
//! | the environment, `CONCURRY_…` | [`Config::load`] |
//! | the process | [`Config::global`]`().set(config)` |
//! | a scope of a thread | [`with_config`]`(config, \|\| …)` |
//! | the options of a pool | `Worker::options(…)`, then `.retry(…)` and the like |
//! | the attributes of a method | `#[retry(…)]` |
//!
//! Nothing is read before it is asked for: a program without `Config::load` has the library's defaults. On one level, the
//! section of a mode wins over the general one, `pool`. A level wins as a whole: what the environment says for all pools is
//! stronger than what the file says for those of one mode.
//!
//! * `pool`: [`PoolConfig`], what a section says.
//! * `levels`: the process's configuration, scopes, and what holds here and now.
//! * `load`: the file and the environment.
//! * `check`: values that cannot be.
//! * `error`: [`ConfigError`], which names the place.
//! * `fields`: one level over another.
//! * `time`: times as text.

mod check;
mod error;
mod fields;
mod levels;
#[cfg(feature = "config")]
mod load;
mod pool;
pub(crate) mod time;

use serde::{Deserialize, Serialize};

use crate::algorithm::RateLimitAlgorithm;
use crate::mode::ExecutionMode;
use crate::pool_balancing::LimitPoolBalancing;

pub use error::ConfigError;
pub(crate) use fields::field_by_field;
pub use levels::{GlobalConfig, with_config};
pub use pool::{PoolConfig, RestartLimit};

/// What the options of pools are that the program does not name: see the [module](self) for the levels.
///
/// A field that is not set leaves the option to the level below. As a file (every option is in [`Config::defaults`]):
///
/// ```toml
/// [pool]                       # pools of all modes
/// max_queued_calls = 10_000
/// when_full = "reject"
/// retry = { attempts = 5, wait = "200ms" }
///
/// [process]                    # those of mode process; likewise sync, thread, async, ray
/// max_workers = 4
/// max_restarts = { count = 10, within = "1min" }
///
/// [limits]
/// algorithm = "token_bucket"
///
/// [progress]
/// bars = false
/// ```
///
/// In the environment the same options have the prefix `CONCURRY_` and two underscores between section and option:
/// `CONCURRY_POOL__RETRY__ATTEMPTS=5`, `CONCURRY_PROCESS__MAX_WORKERS=4`.
///
/// # Examples
///
/// ```
/// use concurry_core::config::Config;
/// use concurry_core::mode::ExecutionMode;
///
/// let mut config = Config::default();
/// config.pool.max_queued_calls = Some(10_000);
/// config.process.max_workers = Some(4);
/// assert_eq!(config.of(ExecutionMode::Process).max_queued_calls, Some(10_000));
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use = "a configuration holds once it is given to `Config::global().set(…)`, or to `with_config`"]
#[non_exhaustive]
pub struct Config {
    /// Pools of all modes.
    pub pool: PoolConfig,
    /// Pools of mode sync, over `pool`. They have one worker, whatever `pool` says.
    pub sync: PoolConfig,
    /// Pools of mode thread, over `pool`.
    pub thread: PoolConfig,
    /// Pools of mode async, over `pool`.
    pub r#async: PoolConfig,
    /// Pools of mode process, over `pool`.
    pub process: PoolConfig,
    /// Pools of mode ray, over `pool`.
    pub ray: PoolConfig,
    /// Limits and pools of them.
    pub limits: LimitsConfig,
    /// Progress bars.
    pub progress: ProgressConfig,
}

/// What limits and pools of them are that are made without a word about it.
///
/// # Examples
///
/// ```
/// use concurry_core::algorithm::RateLimitAlgorithm;
/// use concurry_core::config::Config;
///
/// let mut config = Config::default();
/// config.limits.algorithm = Some(RateLimitAlgorithm::TokenBucket);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LimitsConfig {
    /// How a rate is counted; `"sliding_window"` by default.
    pub algorithm: Option<RateLimitAlgorithm>,
    /// How a pool of limit sets picks one; `"round_robin"` by default.
    pub load_balancing: Option<LimitPoolBalancing>,
}

impl LimitsConfig {
    fn defaults() -> Self {
        Self {
            algorithm: Some(RateLimitAlgorithm::default()),
            load_balancing: Some(LimitPoolBalancing::default()),
        }
    }

    fn over(&self, below: &Self) -> Self {
        Self {
            algorithm: self.algorithm.or(below.algorithm),
            load_balancing: self.load_balancing.or(below.load_balancing),
        }
    }

    /// This section of [`Config::current`], without the others: a limit that is made asks for nothing else.
    #[doc(hidden)]
    pub fn current() -> Self {
        levels::current_limits()
    }
}

/// How progress is shown.
///
/// # Examples
///
/// ```
/// use concurry_core::config::Config;
///
/// let mut quiet = Config::default();
/// quiet.progress.bars = Some(false);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ProgressConfig {
    /// Whether bars are drawn, in terminals; true by default. Callbacks are called in any case.
    pub bars: Option<bool>,
    /// How many characters wide the bar itself is, 1 to 1000; 30 by default.
    pub width: Option<u16>,
}

impl Config {
    /// The library's defaults: every option that has one.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::config::Config;
    ///
    /// assert_eq!(Config::defaults().sync.max_workers, Some(1));
    /// ```
    pub fn defaults() -> Self {
        let workers = |count| PoolConfig { max_workers: Some(count), ..PoolConfig::default() };
        let cpus = num_cpus::get();
        Self {
            pool: PoolConfig::defaults(),
            sync: workers(1),
            thread: workers(cpus),
            r#async: workers(1),
            process: workers(cpus),
            ray: workers(1),
            limits: LimitsConfig::defaults(),
            progress: ProgressConfig { bars: Some(true), width: Some(30) },
        }
    }

    /// What holds on this thread, here and now: the scopes that it is in, over the process's configuration, over the
    /// library's defaults.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::config::{Config, with_config};
    ///
    /// let mut config = Config::default();
    /// config.pool.max_queued_calls = Some(7);
    /// let inside = with_config(config, Config::current);
    /// assert_eq!(inside.pool.max_queued_calls, Some(7));
    /// ```
    pub fn current() -> Self {
        levels::current()
    }

    /// What this says of pools of a mode: the mode's own section, over `pool`.
    pub fn of(&self, mode: ExecutionMode) -> PoolConfig {
        match mode {
            ExecutionMode::Sync => self.sync.over(&self.pool_of_sync()),
            ExecutionMode::Thread => self.thread.over(&self.pool),
            ExecutionMode::Async => self.r#async.over(&self.pool),
            ExecutionMode::Process => self.process.over(&self.pool),
            ExecutionMode::Ray => self.ray.over(&self.pool),
        }
    }

    /// What `pool` says of mode sync: the caller runs the one worker there is, so a number for all modes is not meant for it.
    fn pool_of_sync(&self) -> PoolConfig {
        PoolConfig { max_workers: None, ..self.pool.clone() }
    }

    /// This level over the one below: the value of a mode there gives way to the general one here.
    pub(crate) fn over(&self, below: &Self) -> Self {
        let mode = |mine: &PoolConfig, below: &PoolConfig| mine.over(&below.without(&self.pool));
        Self {
            pool: self.pool.over(&below.pool),
            sync: self.sync.over(&below.sync.without(&self.pool_of_sync())),
            thread: mode(&self.thread, &below.thread),
            r#async: mode(&self.r#async, &below.r#async),
            process: mode(&self.process, &below.process),
            ray: mode(&self.ray, &below.ray),
            limits: self.limits.over(&below.limits),
            progress: ProgressConfig {
                bars: self.progress.bars.or(below.progress.bars),
                width: self.progress.width.or(below.progress.width),
            },
        }
    }
}
