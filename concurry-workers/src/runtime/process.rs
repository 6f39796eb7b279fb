//! Mode process: a child process a worker, and for each a dispatcher thread here that takes calls from the pool's queue.
//!
//! A call is never run twice: when the child dies, the call that it ran is answered with
//! [`CallError::WorkerDied`], a new child takes its place, and the calls that
//! wait go on.

use std::sync::Arc;

use concurry_core::call::CallError;

use super::thread::{Ready, report_failure, report_ready, spawn_all};
use super::{Runtime, Setup, Shared};
use crate::admission::Admission;
use crate::error::InitError;
use crate::pool::{Counters, Popped};
use crate::process::{Connection, Ended, Fate, OwnExecutable};
use crate::worker::{Message, Worker};

/// Starts a child a worker, side by side, and returns when all have made their workers.
pub(crate) fn start<W: Worker>(setup: Setup<W>) -> Result<Arc<dyn Runtime<W>>, InitError> {
    spawn_all(Shared::new(setup), serve::<W>)
}

fn connect<W: Worker>(shared: &Shared<W>, index: usize) -> Result<Connection, InitError> {
    let worker = std::any::type_name::<W>();
    W::encode_args(&shared.args())
        .map_err(Ended::Unsent)
        .and_then(|args| Connection::open(&OwnExecutable, worker, index, args, &shared.limits_of(index)))
        .map_err(|ended| ended.into_init_error(worker))
}

fn serve<W: Worker>(shared: &Shared<W>, index: usize, ready: Ready) {
    let mut connection = match connect(shared, index) {
        Ok(connection) => connection,
        Err(error) => return report_failure(shared, index, &ready, error),
    };
    report_ready(ready);
    loop {
        let popped = shared.queue.pop(index, &|| connection.is_gone());
        if matches!(popped, Popped::Closed) {
            break;
        }
        // A call that was just taken has not been sent: it runs on the new child.
        if connection.is_gone() {
            match reconnect(shared, index, connection) {
                Ok(made) => connection = made,
                Err(error) => return lost(shared, index, popped, &error),
            }
        }
        if let Popped::Message(message) = popped {
            run(shared, index, &mut connection, message);
        }
    }
    connection.close();
    shared.worker_ended(index, None);
}

fn reconnect<W: Worker>(shared: &Shared<W>, index: usize, dead: Connection) -> Result<Connection, InitError> {
    drop(dead);
    Counters::add(&shared.counters.restarts);
    connect(shared, index)
}

/// No new child could be made: the call in hand is answered, and the worker ends.
fn lost<W: Worker>(shared: &Shared<W>, index: usize, popped: Popped<W::Message>, error: &InitError) {
    if let Popped::Message(message) = popped {
        W::refuse(message, CallError::WorkerLost { reason: error.to_string() });
        shared.call_ended(index, true);
    }
    shared.worker_ended(index, Some(error));
}

/// Runs one call.
fn run<W: Worker>(shared: &Shared<W>, index: usize, connection: &mut Connection, mut message: W::Message) {
    let acquired = match message.admission().map(|(_, admission)| admission.take()) {
        Some(Err(error)) => {
            W::refuse(message, error);
            return shared.call_ended(index, false);
        }
        // Taken back if the call turns out not to be wanted.
        Some(Ok(acquired)) => Some(Admission::granted(acquired)),
        None => None,
    };
    let Some(call) = W::encode(message) else { return shared.call_ended(index, false) };
    let acquired = acquired.and_then(|mut admission| admission.take().ok());
    match connection.call(call, acquired) {
        Fate::Answered { panicked: false } => shared.call_ended(index, false),
        Fate::Answered { panicked: true } => {
            Counters::add(&shared.counters.restarts);
            shared.call_ended(index, true);
        }
        Fate::Died => shared.call_ended(index, true),
    }
}
