//! Mode process: a child process a worker, and for each a dispatcher thread here that takes calls from the pool's queue.
//!
//! A call is never run twice: when the child dies, the call that it ran is answered with
//! [`CallError::WorkerDied`], a new child takes its place, and the calls that
//! wait go on.

use std::sync::Arc;

use concurry_core::call::CallError;
use concurry_core::panics;

use super::thread::{Ready, spawn_all};
use super::{Runtime, Setup, Shared};
use crate::admission::Admission;
use crate::attempt::{Ran, refuse};
use crate::error::InitError;
use crate::pool::{Note, Noted, Popped};
use crate::process::{Connection, Ended, Fate, OwnExecutable};
use crate::worker::{Message, Worker};

/// Starts a child a worker, side by side, and returns when all have made their workers.
pub(crate) fn start<W: Worker>(setup: Setup<W>) -> Result<Arc<dyn Runtime<W>>, InitError> {
    spawn_all(Shared::new(setup), serve::<W>)
}

fn connect<W: Worker>(shared: &Shared<W>, index: usize) -> Result<Connection, InitError> {
    let worker = std::any::type_name::<W>();
    // A clone of the arguments is the user's code.
    panics::catch(|| W::encode_args(&shared.args()))
        .map_err(Ended::Panicked)
        .and_then(|args| args.map_err(Ended::Unsent))
        .and_then(|args| {
            Connection::open(
                &OwnExecutable,
                worker,
                index,
                args,
                &shared.limits_of(index),
                shared.queue.number(),
            )
        })
        .map_err(|ended| ended.into_init_error(worker))
}

fn serve<W: Worker>(shared: &Shared<W>, index: usize, ready: Ready) -> Result<(), InitError> {
    let Some(mut connection) = ready.report(connect(shared, index))? else { return Ok(()) };
    loop {
        let popped = shared.queue.pop(index, &|| connection.is_gone());
        if matches!(popped, Popped::Closed) {
            break;
        }
        // A call that was just taken has not been sent: it runs on the new child.
        if connection.is_gone() {
            connection = match reconnect(shared, index, connection) {
                Ok(made) => made,
                Err(error) => {
                    lost(shared, index, popped, &error);
                    return Err(error);
                }
            };
        }
        if let Popped::Message(message, noted) = popped {
            run(shared, index, &mut connection, (message, noted));
        }
    }
    connection.close();
    Ok(())
}

fn reconnect<W: Worker>(shared: &Shared<W>, index: usize, dead: Connection) -> Result<Connection, InitError> {
    drop(dead);
    shared.rebuild(|| connect(shared, index))
}

/// No new child could be made: the call in hand is answered.
fn lost<W: Worker>(shared: &Shared<W>, index: usize, popped: Popped<W::Message>, error: &InitError) {
    if let Popped::Message(message, noted) = popped {
        refuse::<W>(message, CallError::WorkerLost { reason: error.to_string() });
        shared.call_ended(index, Ran::Panicked, noted);
    }
}

/// Runs one call.
fn run<W: Worker>(
    shared: &Shared<W>,
    index: usize,
    connection: &mut Connection,
    (message, mut noted): (W::Message, Noted),
) {
    let fate = Note::within(&mut noted, || panics::contain("a call", || send::<W>(connection, message)));
    let ran = match fate {
        Some(None) => Ran::Returned,
        Some(Some(Fate::Answered(ran))) => ran,
        None | Some(Some(Fate::Died)) => Ran::Panicked,
    };
    if let Some(Some(Fate::Answered(Ran::Panicked))) = fate {
        shared.rebuilt_elsewhere();
    }
    shared.call_ended(index, ran, noted);
}

/// Sends one call, with what was acquired for it; `None` when it could not be sent, or nobody needs it.
fn send<W: Worker>(connection: &mut Connection, mut message: W::Message) -> Option<Fate> {
    let acquired = match message.admission().map(|(_, admission)| admission.take()) {
        Some(Err(error)) => {
            refuse::<W>(message, error);
            return Some(Fate::Answered(Ran::Failed));
        }
        // Taken back if the call turns out not to be wanted.
        Some(Ok(acquired)) => Some(Admission::granted(acquired)),
        None => None,
    };
    let call = W::encode(message)?;
    Some(connection.call(call, acquired.and_then(|mut admission| admission.take().ok())))
}
