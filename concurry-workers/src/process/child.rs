//! The child's side: reads what it shall be, constructs the worker, runs calls one after the other, answers.
//!
//! Three parties share the connection: this thread, which runs the worker; a reader thread, which hands out what comes while a
//! method runs; and any thread that acquires or releases, which writes, and in rings looks for its answer itself. When the
//! parent is gone, the process ends at once: nobody is left to work for.
//!
//! Calls come before the one that runs is done. Each is begun in the memory that is shared with the parent, unless it was
//! taken back there; and each answer is on its way before the next call begins, so that no death can take it along. That of a call
//! that panicked is so before the worker is made anew, which may take its time; the parent is told when there is one again.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use concurry_core::panics::{contain, discard};
use concurry_limits::remote::{RemoteGrant, RemoteLimits};
use concurry_limits::{LimitPool, LimitSet, LimitSetAcquisition};
use crossbeam_channel::{Sender, unbounded};

use super::answers::{Finished, not_sent};
use super::far_error::texts;
use super::frame::{AnswerKind, Failure, Frame, Hello, Kind, PROTOCOL};
use super::memory::Memory;
use super::registry::Registration;
use super::remote_limits::{Lookout, NoLookout, Questions, RemoteConnection};
use super::running::Running;
use super::transport::{Sink, SocketSink, SocketSource, Source, Transport, take};
use super::{codec, hook, registry, turns};
use crate::admission::Admission;
use crate::attempt::{Ran, contained};
use crate::construct::construct;
use crate::error::InitError;
use crate::worker::{Message, Worker};
use concurry_core::sync::lock;

/// The sending half, shared by all threads of the child.
pub(crate) type Outbox = Arc<Mutex<dyn Sink>>;

/// A child that knows what it shall be.
pub(super) struct Session {
    hello: Hello,
    line: Line,
}

/// The connection to the pool.
struct Line {
    outbox: Outbox,
    source: Box<dyn Source>,
    memory: Arc<Memory>,
    /// What comes another way than with everything else, if anything does.
    apart: Option<Apart>,
}

/// What comes by rings.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there are no rings"))]
struct Apart {
    calls: NextFrame,
    #[cfg(target_os = "linux")]
    aside: super::transport::aside::Aside,
}

/// Waits for the next frame for the worker; `None` when there is to be none.
type NextFrame = Box<dyn FnMut() -> Option<Frame>>;

/// Serves one worker over `stream`; the exit code.
pub(super) fn run(stream: UnixStream) -> i32 {
    match open(stream) {
        Ok((first, line)) => match what_to_be(&first) {
            Ok((hello, registration)) => (registration.serve)(Session { hello, line }),
            Err(failure) => report(&line.outbox, &Err(failure)),
        },
        Err(error) => {
            eprintln!("concurry: a worker's process cannot read from its pool: {error}");
            1
        }
    }
}

/// What the pool's first frame says that this process is to be, if it can be that.
fn what_to_be(first: &Frame) -> Result<(Hello, &'static Registration), Failure> {
    let another_build = |why: String| {
        Failure::Unsuitable(format!(
            "the executable that was started is not the one that runs, but of another build: {why}"
        ))
    };
    if first.kind != Kind::Hello || first.tag != PROTOCOL {
        return Err(another_build(format!("the pool speaks protocol {}, and it {PROTOCOL}", first.tag)));
    }
    let hello: Hello = first.open().map_err(|error| another_build(error.to_string()))?;
    let Some(registration) = registry::find(&hello.worker) else {
        return Err(Failure::Unsuitable(format!("this executable has no worker `{}`", hello.worker)));
    };
    if first.id != registration.build() {
        return Err(another_build(format!("its worker `{}` is not the same", hello.worker)));
    }
    hello.conditions.apply()?;
    Ok((hello, registration))
}

/// Takes what the pool gives; its first frame, and the connection.
fn open(stream: UnixStream) -> io::Result<(Frame, Line)> {
    let Some((what, file)) = take(&stream)? else { hook::vanish() };
    let Some(transport) = Transport::from_byte(what).filter(|transport| transport.is_there()) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the pool has a transport that is unknown here",
        ));
    };
    let memory = Arc::new(Memory::open(file, transport.memory())?);
    let mut source = SocketSource::new(stream.try_clone()?);
    let (outbox, apart) = ends(transport, stream, &memory);
    let Some(first) = source.receive()? else { hook::vanish() };
    Ok((first, Line { outbox, source: Box::new(source), memory, apart }))
}

/// Where answers go, and what does not come by the socket.
fn ends(transport: Transport, stream: UnixStream, memory: &Arc<Memory>) -> (Outbox, Option<Apart>) {
    #[cfg(target_os = "linux")]
    if transport == Transport::Ring {
        use super::transport::ring::{ChildEnd, child_end};
        let ChildEnd { sink, mut source, aside } = child_end(memory);
        let next = move || {
            let next = source.receive();
            next.inspect_err(|error| eprintln!("concurry: a worker's process cannot read its calls: {error}"))
                .ok()
        };
        return (Arc::new(Mutex::new(sink)), Some(Apart { calls: Box::new(next), aside }));
    }
    let _ = (transport, memory);
    (Arc::new(Mutex::new(SocketSink(stream))), None)
}

/// Has heard what comes while a method runs, by threads of its own; where calls come from, and who looks for answers.
fn listen(
    source: Box<dyn Source>,
    apart: Option<Apart>,
    questions: &Arc<Questions>,
    running: &Arc<Running>,
) -> Result<(NextFrame, Arc<dyn Lookout>), Failure> {
    let (to_worker, inbox) = unbounded();
    let reader = (Arc::clone(questions), Arc::clone(running));
    beside(move || read(source, &reader.0, &reader.1, &to_worker))?;
    #[cfg(target_os = "linux")]
    if let Some(Apart { calls, aside }) = apart {
        let (questions, running) = (Arc::clone(questions), Arc::clone(running));
        let listening = Arc::new(super::listening::Listening { aside, questions, running });
        let lookout = Arc::clone(&listening);
        beside(move || listening.listen())?;
        return Ok((calls, lookout));
    }
    drop(apart);
    Ok((Box::new(move || inbox.recv().ok()), Arc::new(NoLookout)))
}

/// Runs `body` by a thread of its own. A child that has no room for that could not hear its pool.
fn beside<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> Result<(), Failure> {
    let started = std::thread::Builder::new().spawn(body);
    started.map(drop).map_err(|error| Failure::Refused(format!("a thread that hears its pool: {error}")))
}

/// Tells the parent whether there is a worker; the exit code.
fn report(outbox: &Outbox, outcome: &Result<(), Failure>) -> i32 {
    let sent = Frame::of(Kind::Ready, 0, 0, outcome).map(|frame| lock(outbox).send(&frame));
    i32::from(outcome.is_err() || !matches!(sent, Ok(Ok(()))))
}

/// Serves `W`; the exit code.
pub(super) fn serve<W: Worker>(session: Session) -> i32 {
    let Session { hello, line: Line { outbox, source, memory, apart } } = session;
    let args = match W::decode_args(&hello.args) {
        Ok(args) => args,
        Err(error) => return report(&outbox, &Err(Failure::Unsuitable(error.to_string()))),
    };
    let (running, questions) = (Arc::<Running>::default(), Arc::<Questions>::default());
    let (mut next, lookout) = match listen(source, apart, &questions, &running) {
        Ok(heard) => heard,
        Err(failure) => return report(&outbox, &Err(failure)),
    };
    let remote = Arc::new(RemoteConnection::new(Arc::clone(&outbox), questions, lookout, ()));
    let limits = limit_pool(hello, &remote);

    let mut worker: W = match construct(|| args.clone(), limits.clone()) {
        Ok(worker) => worker,
        Err(error) => return report(&outbox, &Err(failure(error))),
    };
    if report(&outbox, &Ok(())) != 0 {
        hook::vanish();
    }
    while let Some((frame, lent)) = next_call(&mut next, &memory) {
        let acquired = lent.and_then(|grant| limits.adopt(&grant));
        let (answer, ran) = answer(&mut worker, &frame, acquired, &running);
        let answer = to_send(frame.id, answer);
        codec::put_aside(frame.body);
        if lock(&outbox).send(&answer).is_err() {
            hook::vanish();
        }
        codec::put_aside(answer.body);
        if ran == Ran::Panicked {
            lock(&outbox).is_busy();
            discard(worker);
            // A constructor that fails now is run again by the parent in a new process, which then reports why.
            let Ok(made) = construct(|| args.clone(), limits.clone()) else { return 1 };
            worker = made;
            if report(&outbox, &Ok(())) != 0 {
                hook::vanish();
            }
        }
    }
    discard(worker);
    0
}

/// The next call, which has begun, and what was acquired for it; `None` when there is to be none.
fn next_call(next: &mut NextFrame, memory: &Memory) -> Option<(Frame, Option<RemoteGrant>)> {
    let mut lent = None;
    loop {
        let frame = next()?;
        match frame.kind {
            Kind::Lend => lent = Some(frame.open().ok()?),
            Kind::Call if turns::begin(memory, frame.id) => return Some((frame, lent)),
            // It was taken back, and so was what was acquired for it; it runs elsewhere, or later.
            Kind::Call => lent = None,
            _ => return None,
        }
    }
}

/// The answer to a call as a frame; one that is too long for that is answered by an error.
fn to_send(id: u64, Finished { tag, body }: Finished) -> Frame {
    Frame::new(Kind::Answer, id, tag, body).sendable().unwrap_or_else(|error| {
        let Finished { tag, body } = not_sent(&error);
        Frame::new(Kind::Answer, id, tag, body)
    })
}

/// An answer without a body is one that the parent cannot read, and says so.
fn unreadable() -> Finished {
    Finished { tag: AnswerKind::NotSent as u32, body: Vec::new() }
}

fn answer<W: Worker>(
    worker: &mut W,
    frame: &Frame,
    acquired: Option<LimitSetAcquisition>,
    running: &Running,
) -> (Finished, Ran) {
    let method = u16::try_from(frame.tag).unwrap_or(u16::MAX);
    match contain("a call", || worker.serve(method, &frame.body)) {
        Some(Some(served)) => return served,
        Some(None) => {}
        // What it has done nobody knows.
        None => return (unreadable(), Ran::Panicked),
    }
    match W::decode(method, &frame.body) {
        Ok((mut message, answer)) => {
            if let (Some((_, admission)), Some(acquired)) = (message.admission(), acquired) {
                *admission = Admission::granted(acquired);
            }
            running.begins(frame.id, answer.canceller());
            let ran = contained(|| worker.run(message));
            running.ends();
            let finished = contain("the answer to a call", || answer.finish());
            (finished.unwrap_or_else(unreadable), ran)
        }
        Err(error) => (not_sent(&error), Ran::Returned),
    }
}

/// The pool of limits that the parent described, each set a proxy of the parent's.
fn limit_pool(hello: Hello, remote: &Arc<RemoteConnection>) -> LimitPool {
    let sets = hello.sets.into_iter().zip(0..).map(|(info, id)| {
        let connection: Arc<dyn RemoteLimits> = Arc::clone(remote) as _;
        LimitSet::remote(connection, id, info)
    });
    LimitPool::new(sets).load_balancing(hello.balancing).with_worker_index(hello.index as usize)
}

fn failure(error: InitError) -> Failure {
    match error {
        InitError::ConstructorPanicked { panic, .. } => Failure::Panicked(panic),
        InitError::Constructor { source, .. } => Failure::Constructor(texts(&*source)),
        other => Failure::Unsuitable(other.to_string()),
    }
}

/// The thread that reads from the socket.
fn read(mut source: Box<dyn Source>, questions: &Questions, running: &Running, calls: &Sender<Frame>) {
    loop {
        match source.receive() {
            Ok(Some(frame)) => match frame.kind {
                Kind::Call | Kind::Lend | Kind::Stop => drop(calls.send(frame)),
                _ => hear(frame, questions, running),
            },
            Ok(None) => hook::vanish(),
            Err(error) => {
                eprintln!("concurry: a worker's process cannot read from its pool: {error}");
                hook::vanish();
            }
        }
    }
}

/// What a pool says beside calls reaches whom it is for.
pub(super) fn hear(frame: Frame, questions: &Questions, running: &Running) {
    match frame.kind {
        Kind::Cancel => running.cancel(frame.id),
        _ => questions.answered(frame),
    }
}

/// A message of our own as bytes: nothing when it cannot be encoded, which the other side reports as such.
pub(crate) fn body<T: serde::Serialize>(value: &T) -> Vec<u8> {
    codec::encode("a message of concurry", value).unwrap_or_default()
}

#[cfg(test)]
#[path = "child_tests.rs"]
mod tests;
