//! What a set is made of: the part that never changes, and that travels.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::remote::{Notice, RemoteLimits};
use crate::{Limit, LimitSetError, UsageRule};
use concurry_core::sync::lock;

/// The number of limits a set may have: one bit each in the mask of a request.
const MOST_LIMITS: usize = 128;
/// How many unknown keys a set remembers to have warned of.
const MOST_WARNINGS: usize = 1_024;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Definition {
    #[serde(default, deserialize_with = "super::reading::limits")]
    pub(crate) limits: Vec<Box<dyn Limit>>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) config: Value,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) lenient: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) private: bool,
    /// What is asked of each limit again and again.
    #[serde(skip)]
    pub(super) known: OnceLock<Vec<Known>>,
    #[serde(skip)]
    pub(crate) warned: Arc<Warned>,
    /// Who logs what is noticed of this set, and how it calls it; without one, it is logged here.
    #[serde(skip)]
    pub(super) owner: OnceLock<(Arc<dyn RemoteLimits>, u32)>,
}

/// The keys of limits that are not there, of which a warning was given; sets may share it.
#[derive(Debug, Default)]
pub(crate) struct Warned {
    /// In requests and usages.
    asked: Mutex<BTreeSet<String>>,
    /// By a server.
    told: Mutex<BTreeSet<String>>,
}

/// What a limit says of itself, which never changes.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) key: Box<str>,
    pub(crate) default_amount: Option<u64>,
    /// As it was built.
    pub(super) capacity: u64,
    /// Its kind, as in configuration.
    pub(super) kind: &'static str,
    rule: UsageRule,
}

impl Definition {
    /// Asked for when a set is made, and so while nothing is locked: the limits may be a user's own.
    pub(crate) fn known(&self) -> &[Known] {
        self.known.get_or_init(|| {
            let known = self.limits.iter().map(|limit| Known {
                key: limit.key().into(),
                default_amount: limit.default_amount(),
                capacity: limit.capacity(),
                kind: limit.typetag_name(),
                rule: limit.usage_rule(),
            });
            known.collect()
        })
    }

    /// Whether a set can be made of this.
    pub(crate) fn validate(&self) -> Result<(), LimitSetError> {
        let count = self.limits.len();
        if count > MOST_LIMITS {
            return Err(LimitSetError::TooManyLimits { count });
        }
        let mut keys = BTreeSet::new();
        for limit in &self.limits {
            limit.validate()?;
            if !keys.insert(limit.key()) {
                return Err(LimitSetError::DuplicateKey { key: limit.key().to_owned() });
            }
        }
        Ok(())
    }

    pub(crate) fn index(&self, key: &str) -> Option<usize> {
        self.known().iter().position(|limit| *limit.key == *key)
    }

    /// The key of a limit by its index; empty for an index that another version of the set may have had.
    pub(crate) fn key(&self, index: usize) -> &str {
        self.known().get(index).map_or("", |limit| &limit.key)
    }

    pub(crate) fn rule(&self, index: usize) -> UsageRule {
        self.known().get(index).map_or(UsageRule::Held, |limit| limit.rule)
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.limits.iter().map(|limit| limit.key().to_owned()).collect()
    }

    /// What is noticed of this set from now on is logged by its owner.
    pub(super) fn logged_by(&self, owner: Arc<dyn RemoteLimits>, id: u32) {
        // It comes from there, and goes nowhere else.
        self.owner.get_or_init(|| (owner, id));
    }

    /// Warns that a lenient set skips `key`: once a key.
    pub(crate) fn warn_unknown(&self, key: &str) {
        if is_first_warning(&self.warned.asked, key) {
            self.say(&Notice::Unknown(key.to_owned()));
        }
    }

    /// Warns that a server limits what this set does not: once a key.
    pub(super) fn warn_unlimited(&self, key: &str) {
        if is_first_warning(&self.warned.told, key) {
            self.say(&Notice::Unlimited(key.to_owned()));
        }
    }

    /// Warns that a usage of these keys had to be told and was not.
    #[cold]
    pub(crate) fn warn_untold(&self, keys: Vec<String>) {
        self.say(&Notice::Untold(keys));
    }

    /// Logs what was noticed elsewhere: a key once, wherever it is named.
    pub(crate) fn log(&self, notice: &Notice) {
        match notice {
            Notice::Untold(_) => self.say(notice),
            Notice::Unknown(key) => self.warn_unknown(key),
            Notice::Unlimited(key) => self.warn_unlimited(key),
        }
    }

    fn say(&self, notice: &Notice) {
        if let Some((owner, id)) = self.owner.get() {
            return owner.notice(*id, notice.clone());
        }
        match notice {
            Notice::Untold(keys) => {
                tracing::warn!(
                    ?keys,
                    "limits were released without an update of their usage: all of it counts as used"
                );
            }
            Notice::Unknown(key) => {
                tracing::warn!(key, known = ?self.keys(), "this lenient limit set has no limit of that key and skips it");
            }
            Notice::Unlimited(key) => {
                tracing::warn!(key, known = ?self.keys(), "a server told of a limit of that key, and this limit set has none");
            }
        }
    }
}

/// Whether nobody was warned of `key` yet. Of one key too many, a last warning says that of further ones there is none.
fn is_first_warning(warned: &Mutex<BTreeSet<String>>, key: &str) -> bool {
    let count = {
        let mut warned = lock(warned);
        if warned.len() > MOST_WARNINGS || !warned.insert(key.to_owned()) {
            return false;
        }
        warned.len()
    };
    if count > MOST_WARNINGS {
        tracing::warn!(
            key,
            count,
            "a limit set was told of too many keys that it has no limit of: it warns of no more"
        );
    }
    count <= MOST_WARNINGS
}
