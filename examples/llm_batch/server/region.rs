//! A region: admits a call at its arrival or refuses it, all quotas at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::bucket::Bucket;
use crate::quotas::{CONNECTIONS, Quotas};

/// What is left of a region's quotas.
pub(super) struct Region {
    state: Mutex<State>,
}

struct State {
    requests: Bucket,
    tokens: Bucket,
    connections: usize,
    /// How many calls came too early.
    refused: u64,
}

/// A call that was admitted holds one of the region's connections.
pub(super) struct Slot {
    region: Arc<Region>,
}

/// A call that was not.
pub(super) struct Refusal {
    pub(super) quota: &'static str,
    pub(super) retry_after: Duration,
}

impl Region {
    pub(super) fn new(quotas: &Quotas) -> Arc<Self> {
        let now = Instant::now();
        let state = State {
            requests: Bucket::full(quotas.requests_per_minute, now),
            tokens: Bucket::full(quotas.tokens_per_minute, now),
            connections: 0,
            refused: 0,
        };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// Admits a call that takes so many tokens, or takes nothing of it.
    pub(super) fn admit(self: &Arc<Self>, tokens: u64) -> Result<Slot, Refusal> {
        let now = Instant::now();
        let mut state = self.lock();
        let waits = [
            ("requests per minute", state.requests.wait_for(1, now)),
            ("tokens per minute", state.tokens.wait_for(tokens, now)),
            (
                "connections",
                if state.connections < CONNECTIONS { Duration::ZERO } else { Duration::from_secs(1) },
            ),
        ];
        if let Some((quota, retry_after)) = waits.into_iter().find(|(_, wait)| !wait.is_zero()) {
            state.refused += 1;
            return Err(Refusal { quota, retry_after });
        }
        state.requests.take(1);
        state.tokens.take(tokens);
        state.connections += 1;
        Ok(Slot { region: Arc::clone(self) })
    }

    /// How many calls were refused, since a quota was used up.
    pub(super) fn refused(&self) -> u64 {
        self.lock().refused
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.region.lock().connections -= 1;
    }
}
