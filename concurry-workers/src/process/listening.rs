//! A child that hears its pool while a method runs: what comes beside calls reaches whom it is for, whoever has read it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::child::hear;
use super::frame::{Frame, Kind};
use super::hook;
use super::remote_limits::{Lookout, Questions};
use super::running::Running;
use super::transport::aside::Aside;

pub(super) struct Listening {
    pub(super) aside: Aside,
    pub(super) questions: Arc<Questions>,
    pub(super) running: Arc<Running>,
}

impl Listening {
    /// What the child's own thread does: it hears what comes while nobody looks.
    pub(super) fn listen(&self) -> ! {
        loop {
            let mut frames = Vec::new();
            let count = read(self.aside.listen(&mut |frame| frames.push(frame)));
            // Whoever is told something may run the user's code, so not while others cannot read.
            for frame in frames {
                hear(frame, &self.questions, &self.running);
            }
            read(self.aside.sleep(count));
        }
    }
}

impl Lookout for Listening {
    fn look(&self, id: u64) -> Option<Frame> {
        let (mut found, mut others) = (None, Vec::new());
        read(self.aside.look(&mut |frame| {
            let is_it = frame.id == id && frame.kind != Kind::Cancel;
            if is_it { found = Some(frame) } else { others.push(frame) }
        }));
        for frame in others {
            hear(frame, &self.questions, &self.running);
        }
        found
    }

    fn waited(&self, time: Duration) {
        self.aside.waited(time);
    }
}

/// A child that cannot hear its pool is of no use to it.
fn read<T>(outcome: io::Result<T>) -> T {
    outcome.unwrap_or_else(|error| {
        eprintln!("concurry: a worker's process cannot read from its pool: {error}");
        hook::vanish()
    })
}
