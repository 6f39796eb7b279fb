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
