//! Limits that are shared with other programs: [`LimitServer`] serves a limit set, [`ConnectLimits`] uses it.
//!
//! The set lives in the serving program. Clients ask it by the frames that worker processes use, over a Unix socket or TCP,
//! and stand in the same queue as everybody. When a client is gone, however it went, what it held is given back.
//!
//! * `address`: where a server listens.
//! * `stream`: a connection of either kind.
//! * `listener`: where one listens, and the file of a socket.
//! * `full`: what to do when the system has no room for a client.
//! * `server`: accepts, checks the token, serves.
//! * `client`: connects and makes a set of the answer.

mod address;
mod client;
mod full;
mod listener;
mod server;
mod stream;

pub use address::LimitAddress;
pub use client::ConnectLimits;
pub use server::LimitServer;

use std::time::Duration;

/// Tokens are short: more is not read from a peer that has not shown one.
const MOST_TOKEN: usize = 4096;

/// Within this time a client has shown its token, and a server has answered; whoever has not is left.
const LOGIN: Duration = Duration::from_secs(10);

/// So long after the end of a wait that was asked for, or after a question, an answer may come: from a server that is
/// busy, or over a network that loses something.
const GRACE: Duration = Duration::from_secs(2);
