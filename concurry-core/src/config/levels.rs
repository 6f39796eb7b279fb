//! The levels that a running program sets: the process's configuration, and scopes of a thread.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use super::{Config, LimitsConfig};
use crate::sync::lock;

static GLOBAL: GlobalConfig = GlobalConfig { config: Mutex::new(None) };

thread_local! {
    /// What the scopes that this thread is in say: of each, with those around it below.
    static SCOPES: RefCell<Vec<Arc<Config>>> = const { RefCell::new(Vec::new()) };
}

/// The process's configuration, from [`Config::global`].
#[derive(Debug)]
pub struct GlobalConfig {
    config: Mutex<Option<Arc<Config>>>,
}

impl GlobalConfig {
    /// Sets it, for the pools that are started from now on. It replaces what was set before.
    ///
    /// # Examples
    ///
    /// ```standalone_crate
    /// use concurry_core::config::Config;
    ///
    /// let mut config = Config::default();
    /// config.pool.max_queued_calls = Some(1_000);
    /// Config::global().set(config);
    /// assert_eq!(Config::global().get().pool.max_queued_calls, Some(1_000));
    /// ```
    pub fn set(&self, config: Config) {
        *lock(&self.config) = Some(Arc::new(config));
    }

    /// What was set last; nothing is set in it when nothing was.
    pub fn get(&self) -> Config {
        lock(&self.config).as_deref().cloned().unwrap_or_default()
    }
}

impl Config {
    /// The process's configuration: `Config::global().set(Config::load()?)` at the start of `main`. A worker's process
    /// has no `main`, so it has none.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_core::config::Config;
    ///
    /// # fn main() -> Result<(), concurry_core::config::ConfigError> {
    /// Config::global().set(Config::load()?);
    /// # Ok(()) }
    /// ```
    pub fn global() -> &'static GlobalConfig {
        &GLOBAL
    }
}

/// Runs `body`, with `config` over all that holds around it, for the pools that this thread starts meanwhile.
///
/// It holds for the thread that calls this, not for others that `body` starts; pools keep what they were started with. It
/// ends with `body`, also when that panics. A scope in a scope is over the one around it.
///
/// # Examples
///
/// ```
/// use concurry_core::config::{Config, with_config};
///
/// let mut config = Config::default();
/// config.progress.bars = Some(false);
/// let answer = with_config(config, || 6 * 7); // a batch that shows no bars
/// assert_eq!(answer, 42);
/// ```
pub fn with_config<R>(config: Config, body: impl FnOnce() -> R) -> R {
    SCOPES.with_borrow_mut(|scopes| {
        let whole = match scopes.last() {
            Some(around) => config.over(around),
            None => config,
        };
        scopes.push(Arc::new(whole));
    });
    let _scope = Scope(PhantomData);
    body()
}

/// The innermost scope of this thread, until it is dropped.
struct Scope(PhantomData<*const ()>);

impl Drop for Scope {
    fn drop(&mut self) {
        SCOPES.with_borrow_mut(Vec::pop);
    }
}

pub(super) fn current() -> Config {
    let global = lock(&GLOBAL.config).clone();
    // A thread that is being torn down is in no scope.
    let scope = SCOPES.try_with(|scopes| scopes.borrow().last().cloned()).unwrap_or_default();
    let levels = [global, scope];
    levels.into_iter().flatten().fold(Config::defaults(), |below, level| level.over(&below))
}

/// The limits of [`current`].
pub(super) fn current_limits() -> LimitsConfig {
    let of = |level: &Arc<Config>| level.limits.clone();
    let scope = SCOPES.try_with(|scopes| scopes.borrow().last().map(of)).unwrap_or_default();
    let global = lock(&GLOBAL.config).as_ref().map(of);
    let levels = [global, scope];
    levels.into_iter().flatten().fold(LimitsConfig::defaults(), |below, level| level.over(&below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::RateLimitAlgorithm;
    use crate::pool_balancing::LimitPoolBalancing;

    #[test]
    fn the_limits_alone_are_those_of_the_whole() {
        let same = || assert_eq!(LimitsConfig::current(), Config::current().limits);
        same();
        let mut outer = Config::default();
        outer.limits.algorithm = Some(RateLimitAlgorithm::Gcra);
        let mut inner = Config::default();
        inner.limits.load_balancing = Some(LimitPoolBalancing::Random);
        with_config(outer, || {
            same();
            with_config(inner, same);
            assert_eq!(LimitsConfig::current().algorithm, Some(RateLimitAlgorithm::Gcra));
        });
    }
}
