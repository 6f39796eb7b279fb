//! The parent's side of one child: its start, its calls, its end.
//!
//! Three threads a child: the pool's dispatcher, which owns this connection and waits; a writer, so that nobody who grants
//! a limit ever blocks on a child that does not read; and a reader, which completes promises, serves limits, and is the
//! first to see that the child is gone.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::Waker;
use std::thread::{self, JoinHandle};

use concurry_core::call::{CallError, NotSent, Panicked, WorkerDied};
use concurry_core::panics::{catch, contain};
use concurry_core::park::thread_waker;
use concurry_limits::{LimitPool, LimitSetAcquisition};
use crossbeam_channel::{Receiver, Sender, unbounded};

use super::answers::{Outbound, Reply};
use super::codec;
use super::frame::{AnswerKind, Failure, Frame, Hello, Kind, PROTOCOL};
use super::launch::{Launch, Launched, Life};
use super::limits_server::{LimitsServer, May};
use super::transport::{Sink, Source};
use crate::attempt::Ran;
use crate::error::InitError;
use crate::pool::serving;
use concurry_core::sync::lock;

/// One child.
pub(crate) struct Connection {
    life: Box<dyn Life>,
    outbox: Option<Sender<Frame>>,
    events: Receiver<Event>,
    running: Arc<Running>,
    /// The reader owns it: with the reader it lets go of the outbox.
    limits: Weak<LimitsServer>,
    threads: Vec<JoinHandle<()>>,
    next_id: u64,
}

/// What the reader sees and the dispatcher waits for.
enum Event {
    Ready(Result<(), Failure>),
    Answered(Ran),
    Gone,
}

/// What dispatcher and reader share.
struct Running {
    call: Mutex<Option<(u64, Box<dyn Reply>)>>,
    gone: AtomicBool,
    dispatcher: Waker,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The child answered it; after a panic it has made its worker anew.
    Answered(Ran),
    /// The child died.
    Died,
}

/// Why there is no worker at the other end.
pub(crate) enum Ended {
    /// It could not be started.
    Start(io::Error),
    /// It could not be told what it shall be.
    Unsent(NotSent),
    /// It said why it has no worker.
    Failed(Box<dyn std::error::Error + Send + Sync>),
    /// Its constructor panicked.
    Panicked(Panicked),
    /// It died.
    Died(WorkerDied),
}

impl Ended {
    /// As the error of `init` for `worker`.
    pub(crate) fn into_init_error(self, worker: &'static str) -> InitError {
        match self {
            Self::Start(source) => InitError::Start { what: "a worker's process", source },
            Self::Unsent(error) => InitError::Constructor { worker, source: Box::new(error) },
            Self::Failed(source) => InitError::Constructor { worker, source },
            Self::Panicked(panic) => InitError::ConstructorPanicked { worker, panic },
            Self::Died(died) => InitError::Died(died),
        }
    }
}

/// An error of another process: its text, and those of its sources as its sources.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct FarError {
    text: String,
    source: Option<Box<FarError>>,
}

impl FarError {
    fn chain(texts: Vec<String>) -> Self {
        let mut texts = texts.into_iter().rev();
        let innermost = Self { text: texts.next().unwrap_or_default(), source: None };
        texts.fold(innermost, |source, text| Self { text, source: Some(Box::new(source)) })
    }
}

impl Connection {
    /// Starts a child that serves worker `index` of type `worker` for `pool`, and waits until it is ready.
    pub(crate) fn open(
        launch: &dyn Launch,
        worker: &str,
        index: usize,
        args: Vec<u8>,
        limits: &LimitPool,
        pool: usize,
    ) -> Result<Self, Ended> {
        let hello = Hello {
            worker: worker.to_owned(),
            index: u32::try_from(index).unwrap_or(u32::MAX),
            args,
            sets: limits.sets().iter().map(concurry_limits::LimitSet::describe).collect(),
            balancing: limits.balancing(),
        };
        let hello = Frame::of(Kind::Hello, 0, PROTOCOL, &hello).map_err(Ended::Unsent)?;
        let Launched { life, sink, source } = launch.launch().map_err(Ended::Start)?;
        let (outbox, to_send) = unbounded();
        let (tell, events) = unbounded();
        let running = Arc::new(Running {
            call: Mutex::new(None),
            gone: AtomicBool::new(false),
            dispatcher: thread_waker(),
        });
        let limits = LimitsServer::new(limits.sets().to_vec(), outbox.clone(), May::Steer);
        let served = Arc::downgrade(&limits);
        let reader = {
            let running = Arc::clone(&running);
            move || {
                let _serving = serving::enter(pool, None);
                read(source, &running, &limits, &tell);
            }
        };
        let mut connection = Self {
            life,
            outbox: Some(outbox),
            events,
            running,
            limits: served,
            threads: Vec::new(),
            next_id: 0,
        };
        let writer =
            thread::Builder::new().name("concurry-writer".to_owned()).spawn(move || write(sink, &to_send));
        connection.threads.push(writer.map_err(Ended::Start)?);
        let reader = thread::Builder::new().name("concurry-reader".to_owned()).spawn(reader);
        connection.threads.push(reader.map_err(Ended::Start)?);
        connection.send(hello);
        match connection.events.recv() {
            Ok(Event::Ready(Ok(()))) => Ok(connection),
            Ok(Event::Ready(Err(Failure::Constructor(texts)))) => {
                Err(Ended::Failed(Box::new(FarError::chain(texts))))
            }
            Ok(Event::Ready(Err(Failure::Panicked(panic)))) => Err(Ended::Panicked(panic)),
            Ok(Event::Ready(Err(Failure::Unsuitable(text)))) => Err(Ended::Failed(text.into())),
            Ok(Event::Answered(_) | Event::Gone) | Err(_) => Err(Ended::Died(connection.bury())),
        }
    }

    /// Whether the child is gone. The dispatcher's thread is unparked when that becomes true.
    pub(crate) fn is_gone(&self) -> bool {
        self.running.gone.load(Ordering::SeqCst)
    }

    /// Has the child run one call, with what was acquired for it, and waits until it is answered.
    pub(crate) fn call(&mut self, call: Outbound, acquired: Option<LimitSetAcquisition>) -> Fate {
        self.next_id += 1;
        let frame = Frame::new(Kind::Call, self.next_id, u32::from(call.method), call.args);
        if let Err(error) = frame.header() {
            call.reply.fail(CallError::NotSent(error));
            return Fate::Answered(Ran::Failed);
        }
        *lock(&self.running.call) = Some((self.next_id, call.reply));
        if let Some(acquired) = acquired {
            // The child has it, as though it had acquired it itself.
            match self.limits.upgrade() {
                Some(limits) => limits.lend(self.next_id, acquired),
                None => acquired.undo(),
            }
        }
        self.send(frame);
        match self.events.recv() {
            Ok(Event::Answered(ran)) => Fate::Answered(ran),
            Ok(Event::Ready(_) | Event::Gone) | Err(_) => {
                let died = self.bury();
                let call = lock(&self.running.call).take();
                if let Some((_, reply)) = call {
                    reply.fail(CallError::WorkerDied(died));
                }
                Fate::Died
            }
        }
    }

    /// Lets the worker be dropped in the child, and waits for the child's end.
    pub(crate) fn close(mut self) {
        self.send(Frame::new(Kind::Stop, 0, 0, Vec::new()));
        self.life.end(false);
    }

    /// Makes sure that the child is gone; how it went.
    fn bury(&mut self) -> WorkerDied {
        self.life.end(true)
    }

    fn send(&self, frame: Frame) {
        if let Some(outbox) = &self.outbox {
            // When the writer has ended, the child is gone, and the reader says so.
            drop(outbox.send(frame));
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // With the child gone, the reader ends at the end of its stream; the writer ends with the last outbox.
        self.life.end(true);
        self.outbox = None;
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// The writer thread.
fn write(mut sink: Box<dyn Sink>, to_send: &Receiver<Frame>) {
    for frame in to_send {
        if sink.send(&frame).is_err() {
            return; // the child is gone; the reader says so
        }
    }
}

/// The reader thread.
fn read(mut source: Box<dyn Source>, running: &Running, limits: &Arc<LimitsServer>, tell: &Sender<Event>) {
    loop {
        let handled = match source.receive() {
            Ok(Some(frame)) => catch(|| receive(&frame, running, limits, tell))
                .unwrap_or_else(|panic| Err(io::Error::other(panic))),
            Ok(None) => break,
            Err(error) => Err(error),
        };
        if let Err(error) = handled {
            tracing::error!(%error, "a worker's process sent what cannot be read; it is taken for dead");
            break;
        }
    }
    contain("a limit", || limits.close());
    running.gone.store(true, Ordering::SeqCst);
    // The dispatcher waits here while a call runs, and in the pool's queue while none does.
    drop(tell.send(Event::Gone));
    running.dispatcher.wake_by_ref();
}

fn receive(
    frame: &Frame,
    running: &Running,
    limits: &Arc<LimitsServer>,
    tell: &Sender<Event>,
) -> io::Result<()> {
    let event = match frame.kind {
        Kind::Ready => Event::Ready(frame.open()?),
        Kind::Answer => {
            let reply = lock(&running.call).take_if(|(id, _)| *id == frame.id);
            let Some((_, reply)) = reply else {
                return Err(io::Error::other("an answer to a call that does not run"));
            };
            let ran = contain("the answer to a call", || answer(frame, reply)).unwrap_or(Ran::Failed);
            Event::Answered(ran)
        }
        _ => return limits.receive(frame),
    };
    drop(tell.send(event));
    Ok(())
}

/// Completes a promise; what became of the call.
fn answer(frame: &Frame, reply: Box<dyn Reply>) -> Ran {
    const PANICKED: u32 = AnswerKind::Panicked as u32;
    if frame.tag == AnswerKind::Returned as u32 {
        return reply.complete(&frame.body);
    }
    let decoded = match frame.tag {
        PANICKED => codec::decode("a panic", &frame.body).map(CallError::Panicked),
        _ => codec::decode("an error", &frame.body).map(CallError::NotSent),
    };
    reply.fail(decoded.unwrap_or_else(CallError::NotSent));
    if frame.tag == PANICKED { Ran::Panicked } else { Ran::Failed }
}
