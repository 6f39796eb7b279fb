//! [`LimitServer`].

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use concurry_core::clock;
use concurry_core::panics::{catch, contain};
use concurry_core::sync::lock;
use concurry_limits::LimitSet;
use concurry_limits::remote::RemoteSetInfo;
use crossbeam_channel::{Receiver, unbounded};

use super::full::{Full, is_full};
use super::listener::{Listener, SocketFile};
use super::stream::{Patient, Stream};
use super::{LOGIN, LimitAddress, MOST_TOKEN};
use crate::process::Helper;
use crate::process::child::body;
use crate::process::frame::{Frame, Kind, PROTOCOL};
use crate::process::limits_server::{LimitsServer, May};
use crate::process::transport::{Sink, SocketSink, SocketSource, Source};

/// Serves a limit set to other programs, until it is dropped: then its clients are told that their limits are gone.
///
/// Whoever shows the token may acquire, and tell what a server said; only this program can change capacities, pause and
/// resume. A Unix socket can be opened by its owner's user alone; over TCP the token and all
/// traffic travel as they are, so use it within a network that you trust.
///
/// # Examples
///
/// ```
/// use concurry_limits::{LimitSet, ResourceLimit};
/// use concurry_workers::limit_server::{ConnectLimits, LimitServer};
///
/// let set = LimitSet::builder().limit(ResourceLimit::new("licences", 2)).build()?;
/// let server = LimitServer::bind("127.0.0.1:0", "a secret", &set)?;
///
/// // … in another program:
/// let shared = LimitSet::connect(server.address(), "a secret")?;
/// let licence = shared.acquire(())?;
/// assert_eq!(set.stats().limit("licences").unwrap().in_use, 1);
/// # drop(licence);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping the server ends it"]
pub struct LimitServer {
    address: LimitAddress,
    listener: Arc<Listener>,
    file: Option<SocketFile>,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    set: LimitSet,
    token: Vec<u8>,
    closing: AtomicBool,
    clients: Mutex<Clients>,
}

#[derive(Default)]
struct Clients {
    next: u64,
    streams: HashMap<u64, Stream>,
    /// Those who have not shown the token yet, the oldest first.
    strangers: BTreeSet<u64>,
    threads: Vec<JoinHandle<()>>,
}

/// Who has not shown the token is sent away for another when there are so many: to show it takes a moment.
const MOST_STRANGERS: usize = 32;

impl LimitServer {
    /// Listens at `address` and serves `set` to everyone who shows `token`.
    ///
    /// # Errors
    ///
    /// What the system says of the address: in use, not there, not allowed. A Unix socket that a server left behind which
    /// is gone is replaced. An empty or over-long token is [`io::ErrorKind::InvalidInput`], and so is a private set: each client
    /// would have a state of its own.
    pub fn bind(address: impl Into<LimitAddress>, token: &str, set: &LimitSet) -> io::Result<Self> {
        if token.is_empty() || token.len() > MOST_TOKEN {
            let text = format!("a token has 1 to {MOST_TOKEN} bytes, not {}", token.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        if set.is_private() {
            let text = "a private limit set gives each of its users a state of its own, so it cannot be shared by a server: \
                        build it without `private`";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let (listener, address, file) = Listener::bind(address.into())?;
        let listener = Arc::new(listener);
        let shared = Arc::new(Shared {
            set: set.clone(),
            token: token.as_bytes().to_vec(),
            closing: AtomicBool::new(false),
            clients: Mutex::default(),
        });
        let acceptor = thread::Builder::new().name("concurry-limit-server".to_owned()).spawn({
            let (listener, shared) = (Arc::clone(&listener), Arc::clone(&shared));
            move || accept(&listener, &shared)
        })?;
        Ok(Self { address, listener, file, shared, acceptor: Some(acceptor) })
    }

    /// Where it listens; with the port that the system chose.
    pub fn address(&self) -> &LimitAddress {
        &self.address
    }

    /// How many clients are connected.
    pub fn clients(&self) -> usize {
        lock(&self.shared.clients).streams.len()
    }
}

impl fmt::Debug for LimitServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitServer")
            .field("address", &self.address)
            .field("clients", &self.clients())
            .finish_non_exhaustive()
    }
}

impl Drop for LimitServer {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        // The acceptor sleeps in the system until somebody connects, or it can listen no more. Where it cannot be told that, it
        // is connected to while its file is there, if that is not another server's.
        let is_ours = self.file.as_ref().is_none_or(SocketFile::is_there);
        let is_met = !cfg!(target_os = "linux") && is_ours && Stream::connect(&self.address, LOGIN).is_ok();
        // While it still listens there, so that nobody takes the file for a stale one.
        drop(self.file.take());
        let is_awake = self.listener.shut_down() || is_met;
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.thread().unpark(); // it may rest
            if is_awake {
                drop(acceptor.join());
            }
        }
        let (streams, threads) = {
            let mut clients = lock(&self.shared.clients);
            (std::mem::take(&mut clients.streams), std::mem::take(&mut clients.threads))
        };
        streams.values().for_each(Stream::shut_down);
        for thread in threads {
            drop(thread.join());
        }
    }
}

fn accept(listener: &Listener, shared: &Arc<Shared>) {
    let (clock, mut refusals) = (clock::system(), Full::default());
    while !shared.closing.load(Ordering::SeqCst) {
        let stream = listener.accept();
        if shared.closing.load(Ordering::SeqCst) {
            return;
        }
        match stream.and_then(|stream| admit(stream, shared)) {
            Ok(()) => refusals = Full::default(),
            // Who is not accepted still waits, so the next question would be answered as soon, and the same.
            Err(error) if is_full(&error) => clock.park_until(Some(clock.now() + refusals.rest(&error))),
            Err(error) => tracing::warn!(%error, "a limit server could not serve a client"),
        }
    }
}

/// Gives a client a thread, which is listed so that the server's end reaches it.
fn admit(stream: Stream, shared: &Arc<Shared>) -> io::Result<()> {
    let mut clients = lock(&shared.clients);
    clients.threads.retain(|thread| !thread.is_finished());
    let number = clients.next;
    clients.next += 1;
    clients.streams.insert(number, stream.try_clone()?);
    clients.strangers.insert(number);
    if clients.strangers.len() > MOST_STRANGERS
        && let Some(oldest) = clients.strangers.pop_first()
    {
        clients.streams.get(&oldest).inspect(|stream| stream.shut_down());
    }
    let thread = thread::Builder::new().name("concurry-limit-client".to_owned()).spawn({
        let shared = Arc::clone(shared);
        move || {
            let listed = Listed { shared, number };
            if let Err(error) = serve(stream, &listed) {
                tracing::warn!(%error, "a client of a limit server was sent away");
            }
        }
    });
    match thread {
        Ok(thread) => clients.threads.push(thread),
        Err(error) => {
            drop(clients.streams.remove(&number));
            clients.strangers.remove(&number);
            return Err(error);
        }
    }
    Ok(())
}

fn serve(stream: Stream, Listed { shared, number }: &Listed) -> io::Result<()> {
    stream.set_write_timeout(Some(LOGIN))?;
    let mut sink = SocketSink(stream.try_clone()?);
    let mut source = SocketSource::new(Patient::new(stream.try_clone()?, LOGIN));
    let Some(login) = source.receive_at_most(MOST_TOKEN)? else { return Ok(()) };
    let welcome: Result<RemoteSetInfo, String> = if login.kind != Kind::Login || login.tag != PROTOCOL {
        Err(format!("this server speaks protocol {PROTOCOL}"))
    } else if !same(&login.body, &shared.token) {
        Err("the token is wrong".to_owned())
    } else {
        Ok(shared.set.describe())
    };
    if welcome.is_ok() {
        lock(&shared.clients).strangers.remove(number);
    }
    sink.send(&Frame::new(Kind::Welcome, 0, PROTOCOL, body(&welcome)))?;
    if let Err(reason) = welcome {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
    }
    source.stream().wait_forever()?;
    stream.set_write_timeout(None)?;
    let (outbox, to_send) = unbounded();
    let limits = LimitsServer::new(vec![shared.set.clone()], Box::new(outbox), May::Use);
    let writer = Helper::start("concurry-limit-writer", move || write(sink, &to_send))?;
    Serving { limits, stream, _writer: writer }.read(&mut source)
}

/// A client in the list of a server; dropped, it is in there no more.
struct Listed {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        let stream = {
            let mut clients = lock(&self.shared.clients);
            clients.strangers.remove(&self.number);
            clients.streams.remove(&self.number)
        };
        stream.inspect(Stream::shut_down);
    }
}

/// A client that is served. Dropped, what it held is given back, and the connection ends, however its thread does.
struct Serving {
    limits: Arc<LimitsServer>,
    stream: Stream,
    /// It ends with the last outbox, which is that of the limits; so it is the last one here.
    _writer: Helper,
}

impl Serving {
    fn read(&self, source: &mut SocketSource<Patient>) -> io::Result<()> {
        while let Some(frame) = source.receive()? {
            catch(|| self.limits.receive(&frame)).unwrap_or_else(|panic| Err(io::Error::other(panic)))?;
        }
        Ok(())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        contain("a limit", || self.limits.close());
        self.stream.shut_down();
    }
}

fn write(mut sink: SocketSink<Stream>, to_send: &Receiver<Frame>) {
    for frame in to_send {
        if sink.send(&frame).is_err() {
            return; // the client is gone; the reader says so
        }
    }
}

/// Compares in a time that does not tell where the two differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}
