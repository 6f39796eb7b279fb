//! How workers end (SPEC §2): what they do as they are dropped.

use std::sync::mpsc;
use std::time::Duration;

use concurry::prelude::*;

use super::every_mode_of_closures;

/// Ends its own pool when it is dropped.
#[worker]
#[derive(Default)]
pub struct Ender {
    own: Option<(EnderHandle, mpsc::Sender<bool>)>,
}

#[worker]
impl Ender {
    pub fn keep(&mut self, own: EnderHandle, tell: mpsc::Sender<bool>) {
        self.own = Some((own, tell));
    }
}

impl Drop for Ender {
    fn drop(&mut self) {
        if let Some((own, tell)) = self.own.take() {
            own.stop();
            tell.send(own.drain(Duration::MAX)).unwrap();
        }
    }
}

every_mode_of_closures! {
    fn a_worker_may_end_its_own_pool_as_it_is_dropped(mode: ExecutionMode) {
        let pool = Ender::options(mode, (), 1).init().unwrap();
        let (tell, told) = mpsc::channel();
        pool.keep(pool.clone(), tell).result().unwrap();
        pool.stop();
        assert!(!told.recv().unwrap(), "it waits for nobody");
    }
}
