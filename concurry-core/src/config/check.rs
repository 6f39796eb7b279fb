//! Values that cannot be, whoever set them.

use super::{Config, PoolConfig};

/// A value that cannot be.
pub(super) struct Impossible {
    /// The keys on the way to it.
    pub(super) path: Vec<&'static str>,
    /// What is wrong.
    pub(super) problem: String,
}

type Checked = Result<(), Impossible>;

fn refuse(condition: bool, path: &[&'static str], problem: impl FnOnce() -> String) -> Checked {
    if condition { Err(Impossible { path: path.to_vec(), problem: problem() }) } else { Ok(()) }
}

impl Config {
    /// The first value that cannot be.
    pub(super) fn check(&self) -> Checked {
        let sections = [
            ("pool", &self.pool),
            ("sync", &self.sync),
            ("thread", &self.thread),
            ("async", &self.r#async),
            ("process", &self.process),
            ("ray", &self.ray),
        ];
        sections.into_iter().try_for_each(|(name, section)| section.check(name))?;
        let in_place = [("sync", &self.sync), ("thread", &self.thread), ("async", &self.r#async)];
        in_place.into_iter().try_for_each(|(name, section)| section.check_recycling(name))?;
        let workers = self.sync.max_workers.filter(|workers| *workers != 1);
        refuse(workers.is_some(), &["sync", "max_workers"], || {
            format!(
                "is {}; mode sync runs in the caller and has exactly 1 worker",
                workers.unwrap_or_default()
            )
        })?;
        let width = self.progress.width.unwrap_or(1);
        refuse(!(1..=1_000).contains(&width), &["progress", "width"], || {
            format!("is {width}; expected 1 to 1000")
        })
    }
}

impl PoolConfig {
    /// Of a mode whose workers do not give way to new ones.
    fn check_recycling(&self, section: &'static str) -> Checked {
        let keys = [
            ("max_calls_per_worker", self.max_calls_per_worker.is_some()),
            ("max_worker_age", self.max_worker_age.is_some()),
            ("max_worker_memory", self.max_worker_memory.is_some()),
            ("kill_grace", self.kill_grace.is_some()),
            ("start_timeout", self.start_timeout.is_some()),
        ];
        keys.into_iter().try_for_each(|(key, is_set)| {
            refuse(is_set, &[section, key], || {
                "is for mode process: workers of other modes neither start for long, nor give way to new ones, nor are killed"
                    .to_owned()
            })
        })
    }

    fn check(&self, section: &'static str) -> Checked {
        let zero = |key, is_zero: bool, expected: &str| {
            refuse(is_zero, &[section, key], || format!("is 0; expected {expected}"))
        };
        zero("max_workers", self.max_workers == Some(0), "at least one worker")?;
        zero(
            "max_queued_calls",
            self.max_queued_calls == Some(0),
            "at least 1, since a call must be able to wait",
        )?;
        zero("restart_tries", self.restart_tries == Some(0), "at least one try")?;
        let some = "more than 0";
        zero("max_calls_per_worker", self.max_calls_per_worker == Some(0), some)?;
        zero("max_worker_age", self.max_worker_age.is_some_and(|age| age.is_zero()), some)?;
        zero("max_worker_memory", self.max_worker_memory == Some(0), some)?;
        zero("start_timeout", self.start_timeout.is_some_and(|timeout| timeout.is_zero()), some)?;
        let within = self.max_restarts.map(|restarts| restarts.within);
        refuse(within.is_some_and(|within| within.is_zero()), &[section, "max_restarts", "within"], || {
            "is 0, in which there is no restart to count; expected more than 0".to_owned()
        })?;
        let retry = &self.retry;
        refuse(retry.attempts == Some(0), &[section, "retry", "attempts"], || {
            "is 0; a call is tried at least once".to_owned()
        })?;
        let jitter = retry.jitter.unwrap_or_default();
        refuse(!(0.0..=1.0).contains(&jitter), &[section, "retry", "jitter"], || {
            format!("is {jitter}; expected 0 (none) to 1 (full)")
        })
    }
}
