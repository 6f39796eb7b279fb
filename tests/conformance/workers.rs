//! The workers that the suite uses.

use std::time::Duration;

use concurry::prelude::*;
use serde::{Deserialize, Serialize};

/// An error of a method that can travel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum TestError {
    #[error("{0}")]
    Own(String),
    #[error(transparent)]
    Limit(#[from] LimitError),
}

/// Counts, fails, panics.
#[worker]
pub struct Counter {
    step: u64,
    count: u64,
    log: Vec<u64>,
}

#[worker]
impl Counter {
    pub fn new(step: u64) -> Self {
        Self { step, count: 0, log: Vec::new() }
    }

    /// Adds the step and returns the count.
    pub fn add(&mut self) -> u64 {
        self.count += self.step;
        self.count
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    pub async fn add_async(&mut self, times: u64) -> u64 {
        for _ in 0..times {
            self.count += self.step;
            tokio::task::yield_now().await;
        }
        self.count
    }

    pub async fn count_async(&self) -> u64 {
        tokio::task::yield_now().await;
        self.count
    }

    pub fn note(&mut self, entry: u64) {
        self.log.push(entry);
    }

    pub fn noted(&self) -> Vec<u64> {
        self.log.clone()
    }

    pub fn fail(&self, text: String) -> Result<u64, TestError> {
        Err(TestError::Own(text))
    }

    pub async fn fail_async(&self, text: String) -> Result<u64, TestError> {
        tokio::task::yield_now().await;
        Err(TestError::Own(text))
    }

    pub fn panic(&self, text: String) -> u64 {
        panic!("{text}")
    }

    pub async fn panic_async(&mut self, text: String) -> Result<u64, TestError> {
        self.count += 1;
        tokio::task::yield_now().await;
        panic!("{text}")
    }

    pub fn process_id(&self) -> u32 {
        std::process::id()
    }

    pub fn thread(&self) -> String {
        format!("{:?}", std::thread::current().id())
    }

    /// Many arguments of many types, to see that all arrive.
    pub fn all_of(&self, a: (u8, i64), b: Option<Vec<String>>, c: f64, d: char, e: [u16; 3]) -> String {
        format!("{a:?} {b:?} {c:?} {d:?} {e:?}")
    }

    #[allow(dead_code)]
    fn private(&self) {}
}

/// Acquires what it is told to.
#[worker]
#[derive(Default)]
pub struct Acquirer {
    runs: u64,
}

pub type Amounts = Vec<(String, u64)>;

#[worker]
impl Acquirer {
    /// Acquires, tells the usage, and returns the region of the set that admitted it.
    pub fn acquire(&mut self, amounts: Amounts, used: Amounts) -> Result<String, TestError> {
        let mut acquired = self.limits.acquire(amounts)?;
        if !used.is_empty() {
            acquired.update(used)?;
        }
        self.runs += 1;
        let region = acquired.config()["region"].as_str().unwrap_or_default().to_owned();
        acquired.release()?;
        Ok(region)
    }

    pub async fn acquire_async(&self, amounts: Amounts, used: Amounts) -> Result<String, TestError> {
        let mut acquired = self.limits.acquire_async(amounts).await?;
        if !used.is_empty() {
            acquired.update(used)?;
        }
        let region = acquired.config()["region"].as_str().unwrap_or_default().to_owned();
        acquired.release()?;
        Ok(region)
    }

    pub fn try_acquire(&self, amounts: Amounts) -> Result<(), TestError> {
        drop(self.limits.try_acquire(amounts)?);
        Ok(())
    }

    pub fn acquire_timeout(&self, amounts: Amounts, timeout: Duration) -> Result<(), TestError> {
        drop(self.limits.acquire_timeout(amounts, timeout)?);
        Ok(())
    }

    /// Acquires `held`, and then waits for `gate` while it holds that.
    pub fn hold(&self, held: Amounts, gate: Amounts) -> Result<(), TestError> {
        let _held = self.limits.acquire(held)?;
        let _gate = self.limits.acquire(gate)?;
        Ok(())
    }

    pub async fn hold_async(&self, held: Amounts, gate: Amounts) -> Result<(), TestError> {
        let _held = self.limits.acquire_async(held).await?;
        let _gate = self.limits.acquire_async(gate).await?;
        Ok(())
    }

    pub fn panic_while_holding(&self, held: Amounts) -> u64 {
        let _held = self.limits.acquire(held).unwrap();
        panic!("while holding")
    }

    pub fn fail_while_holding(&self, held: Amounts) -> Result<u64, TestError> {
        let _held = self.limits.acquire(held)?;
        Err(TestError::Own("while holding".into()))
    }

    pub fn update_unknown(&self, held: Amounts) -> Result<(), TestError> {
        let mut acquired = self.limits.acquire(held)?;
        acquired.update([("nobody acquired this", 1)])?;
        Ok(())
    }

    pub fn update_after_release(&self, held: Amounts) -> Result<(), TestError> {
        let mut acquired = self.limits.acquire(held.clone())?;
        drop(acquired.release());
        acquired.release()?; // once more does nothing
        acquired.update(held)?;
        Ok(())
    }

    /// How many sets the worker's pool has, and its number.
    pub fn pool(&self) -> (usize, usize) {
        (self.limits.sets().len(), self.limits.worker_index())
    }

    pub fn in_use(&self, key: String) -> Option<u64> {
        self.limits.sets().iter().find_map(|set| set.stats().limit(&key).map(|limit| limit.in_use))
    }

    /// Acquires, hears what a server says, and releases.
    pub fn hear(&mut self, held: Amounts, said: Feedback) -> Result<(), TestError> {
        let mut acquired = self.limits.acquire(held.clone())?;
        acquired.feedback(said);
        acquired.update(held)?;
        acquired.release()?;
        Ok(())
    }

    /// Hears what a server says after the release.
    pub async fn hear_late(&self, held: Amounts, said: Feedback) -> Result<(), TestError> {
        let mut acquired = self.limits.acquire_async(held.clone()).await?;
        acquired.update(held)?;
        acquired.release()?;
        acquired.feedback(said);
        Ok(())
    }

    /// Pauses a limit, asks about it, resumes it and changes its capacity; what `would_admit` said before and after.
    pub fn steer(&self, key: String, capacity: u64) -> Result<(String, String), TestError> {
        let set = &self.limits.sets()[0];
        set.pause(&key, Duration::from_secs(60))?;
        let before = format!("{:?}", set.would_admit([(&key, 1)]));
        set.resume(&key)?;
        set.set_capacity(&key, capacity)?;
        Ok((before, format!("{:?}", set.would_admit([(&key, 1)]))))
    }

    /// Drops a pending acquire in the middle, then tells whether the next one gets through.
    pub async fn abandon(&self, amounts: Amounts) -> bool {
        let pending = self.limits.acquire_async(amounts);
        let mut pending = std::pin::pin!(pending);
        let polled = std::future::poll_fn(|context| {
            std::task::Poll::Ready(std::future::Future::poll(pending.as_mut(), context).is_ready())
        });
        polled.await
    }

    /// Whether one gets in while there is a future that was never polled.
    pub async fn beside_one_unpolled(&self, amounts: Amounts) -> bool {
        let unpolled = self.limits.acquire_async(amounts.clone());
        let gets_in = self.limits.try_acquire(amounts).is_ok();
        drop(unpolled);
        gets_in
    }

    /// Holds one set of its pool, and then waits for another.
    pub fn hold_and_wait(&self) -> Result<(), TestError> {
        let _held = self.limits[0].acquire(())?;
        let _gate = self.limits[1].acquire(())?;
        Ok(())
    }

    pub fn process_id(&self) -> u32 {
        std::process::id()
    }
}

pub fn amounts<const N: usize>(amounts: [(&str, u64); N]) -> Amounts {
    amounts.into_iter().map(|(key, amount)| (key.to_owned(), amount)).collect()
}

pub fn none() -> Amounts {
    Vec::new()
}
