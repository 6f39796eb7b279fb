//! Child processes: the own executable, started again, that serves one worker over frames.
//!
//! * `frame`: what travels, and its encoding.
//! * `codec`: values to bytes and back.
//! * `transport`: how frames travel: traits, a socket pair, rings in shared memory.
//! * `memory`: what a pool and a child share.
//! * `turns`: which calls a child has begun.
//! * `life`: how a child is ended, and waited for.
//! * [`ProcessOptions`]: how processes are to be.
//! * `conditions`: what a child does for itself before its worker is made.
//! * `output`: what children write, with their names before each line.
//! * `settings`: what of a pool's options is about processes.
//! * `launch`: how a child is started: a trait, and the own executable.
//! * [`registry`]: which workers this executable can serve, by name.
//! * `build`: what tells a build of this program from another one.
//! * [`hook`]: what turns a started executable into a child, before its `main`.
//! * `constructors`: the loader's list of what runs before `main`, and our place in it.
//! * `child`: the child's side: constructs, runs, answers.
//! * `listening`: the child's side of what comes while a method runs.
//! * `running`: the child's side of a cancellation.
//! * `remote_limits`: the child's side of limits: asks their owner.
//! * `connection`: the parent's side of one child: its calls and its end.
//! * `limits_server`: the parent's side of limits: answers, and takes back what a dead child held.
//! * `answers`: a result on its way from the child's method to the caller's promise.
//! * `io_errors`: results with an `io::Error`, which serde does not know.

mod answers;
mod build;
pub(crate) mod child;
pub(crate) mod codec;
mod conditions;
pub(crate) mod connection;
mod constructors;
mod far_error;
pub(crate) mod frame;
#[cfg(all(any(fuzzing, test), target_os = "linux"))]
pub(crate) mod fuzzing;
mod helper;
pub mod hook;
mod io_errors;
mod launch;
mod life;
pub(crate) mod limits_server;
#[cfg(target_os = "linux")]
mod listening;
mod memory;
mod options;
mod output;
pub mod registry;
pub(crate) mod remote_limits;
mod running;
mod settings;
mod standing_in;
pub(crate) mod transport;
mod turns;

pub use answers::{Answer, Answered, Encoded, Finished, NoAnswers, PlainAnswers, ResultAnswers, not_decoded};
pub(crate) use codec::put_aside;
pub(crate) use connection::{Connection, Ended, Event, Link, answered, has_panicked, is_not_sent};
pub(crate) use frame::{Frame, Hello};
pub(crate) use helper::Helper;
pub use io_errors::{IoAnswers, TravelsAsIo};
pub(crate) use launch::OwnExecutable;
pub(crate) use life::Group;
pub use options::ProcessOptions;
pub(crate) use settings::{Asked, Recycling, Settings};
pub(crate) use standing_in::StandIn;
pub use transport::{Transport, UnknownTransport};
