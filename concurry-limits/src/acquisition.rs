//! [`LimitSetAcquisition`]: the guard that gives back what was acquired.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use concurry_core::clock::Timestamp;
use serde_json::Value;

use crate::remote::{GrantedItem, RemoteGrant, RemoteSet};
use crate::set::{Definition, Engine, Item, Items, Wish, config_of, items_of};
use crate::usage;
use crate::{Feedback, LimitError, Request};

/// What was acquired of a [`LimitSet`](crate::LimitSet): a guard that gives it back.
///
/// Tell the real usage of each rate with [`update`](Self::update) before the release. Dropping the guard releases too,
/// and logs a warning where [`release`](Self::release) would return an error; it does not while a panic unwinds.
///
/// # Examples
///
/// ```
/// use concurry_limits::{LimitSet, RateLimit, Window};
///
/// let set = LimitSet::builder().limit(RateLimit::new("tokens", 1_000, Window::MINUTE)).build()?;
/// let mut acquired = set.acquire([("tokens", 500)])?;
/// let reply = "four words of text"; // … ask the model …
/// acquired.update([("tokens", reply.split(' ').count() as u64)])?;
/// acquired.release()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping an acquisition releases it"]
pub struct LimitSetAcquisition {
    owner: Owner,
    items: Items,
    position: u32,
    released: bool,
}

enum Owner {
    Nothing(Option<Arc<Value>>),
    Local { engine: Arc<Engine>, taken_at: Timestamp, waited: Duration },
    Remote { set: Arc<RemoteSet>, grant: u64 },
}

impl Owner {
    fn definition(&self) -> Option<&Definition> {
        match self {
            Self::Nothing(_) => None,
            Self::Local { engine, .. } => Some(&engine.definition),
            Self::Remote { set, .. } => Some(&set.definition),
        }
    }
}

impl LimitSetAcquisition {
    /// Of a set without limits.
    #[inline]
    pub(crate) fn nothing(config: Option<Arc<Value>>, position: usize) -> Self {
        Self {
            owner: Owner::Nothing(config),
            items: Items::new(),
            position: narrow(position),
            released: false,
        }
    }

    /// Of a set of this process, taken at `taken_at`.
    pub(crate) fn local(engine: Arc<Engine>, items: Items, taken_at: Timestamp, position: usize) -> Self {
        let owner = Owner::Local { engine, taken_at, waited: Duration::ZERO };
        Self { owner, items, position: narrow(position), released: false }
    }

    /// Of one limit, in whose lane it was taken: when that was matters to nobody there.
    #[inline]
    pub(crate) fn in_lane(engine: Arc<Engine>, wish: Wish, position: usize) -> Self {
        Self::local(engine, items_of(&[wish]), Timestamp::default(), position)
    }

    /// The same, after a wait.
    pub(crate) fn after(mut self, wait: Duration) -> Self {
        if let Owner::Local { waited, .. } = &mut self.owner {
            *waited = wait;
        }
        self
    }

    pub(crate) fn remote(set: Arc<RemoteSet>, grant: &RemoteGrant, position: usize) -> Self {
        let items = grant.items.iter().map(|item| Item::new(item.index as usize, item.requested, item.named));
        Self {
            items: items.collect(),
            owner: Owner::Remote { set, grant: grant.id },
            position: narrow(position),
            released: false,
        }
    }

    /// Tells how much was really used, any time before the release; a later update of a key replaces an earlier one.
    /// Either the whole update holds or, after an error, nothing of it.
    ///
    /// # Errors
    ///
    /// * [`LimitError::NotAcquired`] for a key that is not held here (a lenient set skips keys that it does not have, and
    ///   the empty set any).
    /// * [`LimitError::UsageExceedsRequested`] when more was used than acquired, unless the limit makes that a debt.
    /// * [`LimitError::UnexpectedUsage`] for another usage than 1 of a call that was counted without being named.
    /// * [`LimitError::DuplicateKey`] for a key that is named twice; [`LimitError::Released`] after the release.
    pub fn update(&mut self, usage: impl Request) -> Result<(), LimitError> {
        if self.released {
            return Err(LimitError::Released);
        }
        let Some(definition) = self.owner.definition() else { return Ok(()) };
        let told = usage::read(definition, &self.items, &usage)?;
        usage::tell(&mut self.items, &told);
        Ok(())
    }

    /// Gives everything back: refunds what was not used, as far as each limit does. A second release does nothing.
    ///
    /// # Errors
    ///
    /// [`LimitError::MissingUpdate`] when a usage was never told that had to be. Everything was given back nevertheless,
    /// and the untold amounts count as used wholly.
    pub fn release(&mut self) -> Result<(), LimitError> {
        let missing = if self.released { Vec::new() } else { self.missing_updates() };
        self.settle(false);
        if missing.is_empty() { Ok(()) } else { Err(LimitError::MissingUpdate { keys: missing }) }
    }

    /// Tells the set that granted this what a server said: it holds for everyone who uses the set, wherever they are.
    ///
    /// It is about the set and not about what is held here, so it can be told after the release as well. A key that the
    /// set does not have is skipped, with one warning a key.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use concurry_limits::{CallLimit, FeedbackHeaders, LimitSet, Window};
    ///
    /// let account = LimitSet::builder().limit(CallLimit::new(500, Window::MINUTE)).build()?;
    /// let acquired = account.acquire(())?;
    /// let headers = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "1.5s")]; // the server's answer
    /// let said = FeedbackHeaders::openai().read(headers, SystemTime::now());
    /// acquired.feedback(said.unwrap_or_else(|odd| odd.understood().clone()));
    /// assert!(account.try_acquire(()).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn feedback(&self, feedback: Feedback) {
        match &self.owner {
            Owner::Nothing(_) => {}
            Owner::Local { engine, .. } => engine.hear(&feedback),
            Owner::Remote { set, .. } => set.connection.feedback(set.id, feedback),
        }
    }

    /// The amount that was acquired of a limit, named or not; `None` if nothing was.
    pub fn requested(&self, key: &str) -> Option<u64> {
        let index = self.owner.definition()?.index(key)?;
        self.items.iter().find(|item| item.index() == index).map(|item| item.requested)
    }

    /// The free-form data of the set that granted this; null without any.
    pub fn config(&self) -> &Value {
        match &self.owner {
            Owner::Nothing(config) => config_of(config.as_ref()),
            Owner::Local { engine, .. } => &engine.definition.config,
            Owner::Remote { set, .. } => &set.definition.config,
        }
    }

    /// The position of the set that granted this in the pool that was asked; 0 for a set alone.
    pub fn set_index(&self) -> usize {
        self.position as usize
    }

    /// For the answer to a worker elsewhere.
    #[doc(hidden)]
    pub fn export(&self) -> Vec<GrantedItem> {
        let items = self.items.iter().map(|item| GrantedItem {
            index: u32::try_from(item.index()).unwrap_or(u32::MAX),
            requested: item.requested,
            named: item.named,
        });
        items.collect()
    }

    /// Releases with the usages that a worker elsewhere told and had checked; what it did not tell is used wholly, and is
    /// logged, if `warn`, where it had to be told.
    #[doc(hidden)]
    pub fn settle_with(mut self, usage: impl IntoIterator<Item = (u32, u64)>, warn: bool) {
        for (index, used) in usage {
            let item = self.items.iter_mut().find(|item| u32::try_from(item.index()) == Ok(index));
            if let (Some(item), Some(definition)) = (item, self.owner.definition()) {
                item.tell(definition.rule(item.index()).clamp(item.requested, used));
            }
        }
        self.settle(warn);
    }

    /// Takes everything back as though it had never been acquired: the grant never reached the one who asked.
    #[doc(hidden)]
    pub fn undo(mut self) {
        if std::mem::replace(&mut self.released, true) {
            return;
        }
        match &self.owner {
            Owner::Nothing(_) => {}
            Owner::Local { engine, taken_at, waited } => {
                engine.undo(self.items.iter().map(Item::wish), *taken_at, *waited);
            }
            Owner::Remote { set, grant } => set.connection.undo(*grant),
        }
    }

    /// Releases for a worker that died: what it did not tell is used wholly.
    #[doc(hidden)]
    pub fn give_back(mut self) {
        self.settle(false);
    }

    fn missing_updates(&self) -> Vec<String> {
        self.owner.definition().map_or_else(Vec::new, |definition| usage::missing(definition, &self.items))
    }

    /// Gives everything back, once. Whose usage was never told is logged, if `warn`, in the process that owns the set:
    /// one that only uses it may have no log.
    fn settle(&mut self, warn: bool) {
        if std::mem::replace(&mut self.released, true) {
            return;
        }
        match &self.owner {
            Owner::Nothing(_) => {}
            Owner::Local { engine, .. } => {
                engine.settle(&self.items);
                if warn {
                    usage::warn_of(&engine.definition, usage::missing(&engine.definition, &self.items));
                }
            }
            Owner::Remote { set, grant } => set.connection.settle(*grant, self.told(), warn),
        }
    }

    fn told(&self) -> Vec<(u32, u64)> {
        let told =
            self.items.iter().filter_map(|item| Some((u32::try_from(item.index()).ok()?, item.told()?)));
        told.collect()
    }
}

/// A position in a pool, in four bytes: guards are moved often.
fn narrow(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

impl Drop for LimitSetAcquisition {
    #[inline]
    fn drop(&mut self) {
        if matches!(self.owner, Owner::Nothing(_)) {
            return;
        }
        self.settle(!std::thread::panicking());
    }
}

impl fmt::Debug for LimitSetAcquisition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        if let Some(definition) = self.owner.definition() {
            map.entries(self.items.iter().map(|item| (definition.key(item.index()), item.requested)));
        }
        map.finish()
    }
}
