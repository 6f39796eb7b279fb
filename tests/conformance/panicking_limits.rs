//! A limit of a user's own that panics: who asked for it is told, and no process dies of it.

use concurry::clock::Timestamp;
use concurry::prelude::*;
use concurry::{Limit, LimitSetError, LimitState, Overrun, Transport, UsageRule, Verdict, typetag};
use serde::{Deserialize, Serialize};

use super::workers::{Acquirer, TestError, amounts};

/// Panics when it is asked for this amount, and when this one is told as used.
const ASKED: u64 = 13;
const USED: u64 = 7;

/// Admits everything else.
#[derive(Debug, Serialize, Deserialize)]
struct Superstitious {
    key: String,
}

#[typetag::serde]
impl Limit for Superstitious {
    fn key(&self) -> &str {
        &self.key
    }

    fn capacity(&self) -> u64 {
        100
    }

    fn default_amount(&self) -> Option<u64> {
        None
    }

    fn usage_rule(&self) -> UsageRule {
        UsageRule::Reported(Overrun::Refuse)
    }

    fn validate(&self) -> Result<(), LimitSetError> {
        Ok(())
    }

    fn state(&self, _: Timestamp) -> Box<dyn LimitState> {
        Box::new(Superstition { in_use: 0 })
    }
}

struct Superstition {
    in_use: u64,
}

impl LimitState for Superstition {
    fn check(&mut self, amount: u64, _: Timestamp) -> Verdict {
        assert!(amount != ASKED, "of all numbers");
        Verdict::Granted
    }

    fn take(&mut self, amount: u64, _: Timestamp) {
        self.in_use += amount;
    }

    fn settle(&mut self, requested: u64, used: u64, _: Timestamp) {
        self.in_use -= requested;
        assert!(used != USED, "of all numbers");
    }

    fn undo(&mut self, amount: u64, _: Timestamp, _: Timestamp) {
        self.in_use -= amount;
    }

    fn set_capacity(&mut self, _: u64, _: Timestamp) {}

    fn in_use(&mut self, _: Timestamp) -> u64 {
        self.in_use
    }
}

#[test]
fn a_limit_that_panics_ends_no_process() {
    for transport in [Transport::Socket, Transport::default()] {
        let set = LimitSet::builder().limit(Superstitious { key: "luck".into() }).build().unwrap();
        let pool = Acquirer::options(ExecutionMode::Process, &set, 1).transport(transport).init().unwrap();
        let process = pool.process_id().result().unwrap();
        let luck = |amount| amounts([("luck", amount)]);
        for _ in 0..3 {
            match pool.acquire(luck(ASKED), luck(1)).result().unwrap_err() {
                CallError::Failed(TestError::Limit(LimitError::Disconnected { reason })) => {
                    assert!(reason.contains("of all numbers"), "{reason}");
                }
                other => panic!("{other:?}"),
            }
            pool.acquire(luck(USED + 1), luck(USED)).result().unwrap();
            pool.acquire(luck(2), luck(1)).result().unwrap();
        }
        assert_eq!(pool.process_id().result().unwrap(), process);
        assert_eq!(set.stats().limits[0].in_use, 0);
    }
}
