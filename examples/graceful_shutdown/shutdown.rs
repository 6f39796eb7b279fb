//! What the first and the second Ctrl-C do.

use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use concurry::prelude::*;
use tokio::sync::mpsc::UnboundedSender;

use super::LineCounterHandle;
use super::tally::End;

/// What the program waits for, beside Ctrl-C.
pub(crate) enum Event {
    /// A call was answered.
    Answered(End),
    /// The deadline of the shutdown is over.
    Overdue,
}

impl Event {
    pub(crate) fn answered(file: &Path, outcome: &Outcome<u64, io::Error>) -> Self {
        Self::Answered(match outcome {
            Ok(lines) => End::Done(*lines),
            Err(CallError::Stopped) => End::Stopped,
            Err(CallError::Cancelled) => End::CutOff,
            Err(error) => End::Failed(format!("{}: {error}", file.display())),
        })
    }
}

/// The pool, and how far its shutdown is.
pub(crate) struct Shutdown {
    pool: LineCounterHandle,
    deadline: Duration,
    tell: UnboundedSender<Event>,
    interrupts: usize,
}

impl Shutdown {
    pub(crate) fn new(pool: LineCounterHandle, deadline: Duration, tell: UnboundedSender<Event>) -> Self {
        Self { pool, deadline, tell, interrupts: 0 }
    }

    /// Does what this Ctrl-C asks for, without waiting; says what that is.
    pub(crate) fn interrupt(&mut self, calls: &[Call<u64, io::Error>]) -> Result<String, String> {
        self.interrupts += 1;
        if self.interrupts == 1 {
            let (pool, deadline, tell) = (self.pool.clone(), self.deadline, self.tell.clone());
            // Both block: so on a thread of its own, which the end of the program does not wait for.
            let shutdown = move || {
                if !pool.drain(deadline) {
                    // What waited is stopped by now. That nobody listens any more means that all is over.
                    drop(tell.send(Event::Overdue));
                    pool.stop();
                }
            };
            let thread = thread::Builder::new().name("shutdown".to_owned()).spawn(shutdown);
            thread.map_err(|error| format!("no thread can be started for the shutdown: {error}"))?;
            return Ok(format!(
                "Ctrl-C: what was submitted has {:?}; once more ends it at once",
                self.deadline
            ));
        }
        // Without time, `drain` stops what waits and does not wait for what runs.
        self.pool.drain(Duration::ZERO);
        let cut_off = calls.iter().filter(|call| call.cancel()).count();
        Ok(format!("Ctrl-C again: {cut_off} that run are cut off"))
    }
}
