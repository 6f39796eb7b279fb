//! Mode process: a child process a worker, and for each an owner thread here.
//!
//! Promises: a call is never run twice. When the child dies, the call that it ran is answered with
//! [`CallError::WorkerDied`](concurry_core::call::CallError::WorkerDied), a new child takes its place, and what it had not begun
//! goes back to its place in the queue.
//!
//! * `connecting`: starts a child.
//! * `ending`: ends a child for the sake of one call.
//! * `driver`: gives a child its calls, several ahead.
//! * `sending`: those calls on their way.
//! * `returns`: what becomes of them.
//! * `standing_in`: the answer to a call that is waited for, read by who waits.
//! * `flight`: the calls that a child has.
//! * `window`: how many those may be.
//! * `patience`: how long they wait for the one that runs.
//! * `recycling`: a child that has run enough gives way to a new one.
//! * `resident`: how much memory a child has.
//!
//! The owner thread waits for what comes from the child, for nudges, and until calls have waited for long enough. Calls are sent by
//! whoever knows of them first: by the thread that submits one to a child with room for it, or by the owner when an answer has made
//! room.
//!
//! What is run with an answer (a callback of [`Call::on_done`](concurry_core::call::Call::on_done), a waker, the decoding of a result) is
//! run by the owner, who reads nothing meanwhile: it must not wait for another call of the child, or for a limit that the child
//! holds.

mod connecting;
mod driver;
mod ending;
mod flight;
mod patience;
mod recycling;
mod resident;
mod returns;
mod sending;
mod standing_in;
mod window;

use std::sync::Arc;

use super::thread::{Ready, spawn_all};
use super::{Runtime, Setup, Shared};
use crate::error::InitError;
use crate::process::{Connection, Event};
use crate::worker::Worker;
use connecting::connect;
use driver::Driver;
use recycling::Recycler;
use returns::Ended;

pub(super) use driver::submitting;

/// Starts a child a worker, side by side, and returns when all have made their workers.
pub(crate) fn start<W: Worker>(setup: Setup<W>) -> Result<Arc<dyn Runtime<W>>, InitError> {
    spawn_all(Shared::new(setup), serve::<W>)
}

/// The owner thread of worker `index`.
fn serve<W: Worker>(shared: &Arc<Shared<W>>, index: usize, ready: Ready) -> Result<(), InitError> {
    let Some((mut connection, link)) = ready.report(connect(shared, index, &drop))? else { return Ok(()) };
    let driver = Driver::new(shared, index);
    driver.connected(link);
    let mut recycler = Recycler::new(&driver, &connection);
    loop {
        if own(&driver, &mut connection, &mut recycler) {
            driver.wait_for_answers();
            driver.disconnected();
            connection.close();
            return Ok(());
        }
        let died = connection.bury();
        let was_ended = driver.died(died, connection.take_waited());
        drop(connection);
        if !shared.queue.needs(index) {
            driver.wait_for_answers();
            return Ok(());
        }
        let connect = || recycler.replacement().map_or_else(|| connect(shared, index, &drop), Ok);
        let made = if was_ended { shared.make_anew(connect) } else { shared.rebuild(connect) };
        let (made, link) = made.inspect_err(|_| driver.answer_refused())?;
        connection = made;
        driver.connected(link);
        recycler.is_new(&connection);
    }
}

/// Deals with what comes from a child until that is gone; whether it was told to go.
fn own<W: Worker>(driver: &Arc<Driver<W>>, connection: &mut Connection, recycler: &mut Recycler<W>) -> bool {
    /// Answers that are taken in one go before more calls are sent.
    const BATCH: usize = 64;
    /// Those that are taken under one lock.
    const AT_ONCE: usize = 8;
    driver.pump();
    let (mut ended, mut answers) = (Ended::default(), Vec::with_capacity(AT_ONCE));
    // A nudge was put off because more was at hand.
    let mut is_nudged = false;
    loop {
        let event = match connection.next(&|| driver.patience()) {
            Event::Answer(frame, waited) => {
                answers.push((frame, waited));
                None
            }
            event => Some(event),
        };
        let is_due = event.is_some() || answers.len() >= AT_ONCE || !connection.has_more();
        if is_due && let Err(reason) = driver.answered(&mut answers, &mut ended) {
            tracing::error!(reason, "a worker's process is taken for dead");
            connection.bury();
        }
        if event.is_some() {
            // Not only after a sleep: one that says something all the time has its owner never sleep.
            driver.look_at_time(connection.has_more());
        }
        match event {
            Some(Event::Nudge) => is_nudged = true,
            Some(Event::Ready) => {
                driver.has_worker();
                is_nudged = true;
            }
            Some(Event::Served) if ended.calls() == 0 && !is_nudged => continue,
            Some(Event::Gone) => break,
            Some(Event::Served | Event::Late | Event::Answer(..)) | None => {}
        }
        // To tell the queue and to send more costs as much as to take an answer: while the child has enough to do, several are
        // waited for.
        let goes_on = || connection.has_more() || (ended.leaves_enough() && connection.has_more_soon());
        if ended.calls() >= BATCH || !goes_on() {
            is_nudged = false;
            driver.settle(&mut ended);
            recycler.look(connection);
            driver.pump();
        }
    }
    driver.settle(&mut ended);
    driver.is_closing()
}
