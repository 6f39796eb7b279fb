//! [`ConnectLimits`].

use std::io;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use concurry_limits::LimitSet;
use concurry_limits::remote::RemoteSetInfo;

use super::stream::{Patient, Stream};
use super::{GRACE, LOGIN, LimitAddress, MOST_TOKEN};
use crate::process::frame::{Frame, Kind, PROTOCOL};
use crate::process::remote_limits::{NoLookout, Questions, RemoteConnection};
use crate::process::transport::{Sink, SocketSink, SocketSource, Source};

/// `LimitSet::connect`: a limit set that lives in another program.
pub trait ConnectLimits: Sized {
    /// Connects to the [`LimitServer`](super::LimitServer) at `address`. The set is used like any other: it waits in the
    /// server's one queue, and what it holds is given back when this program ends, however it ends.
    ///
    /// When the server is gone, requests fail with
    /// [`LimitError::Disconnected`](concurry_limits::LimitError::Disconnected), those that wait as well. So do those that name
    /// a time, and questions, when the server is there but says nothing: two seconds after that time, and two seconds after
    /// a question. A request that names no time waits for as long as the connection stands. A connection ends as well when the server
    /// reads nothing for ten seconds while more is sent than the system holds for it: whoever sends meanwhile waits for that, in async
    /// code too. A set whose connection has ended does not come back; connect anew.
    ///
    /// The token goes to whoever listens at `address`: a socket's folder is to be writable by your own user alone.
    ///
    /// # Errors
    ///
    /// What the system says of the address; [`io::ErrorKind::TimedOut`] when the server has not answered after ten seconds for each of
    /// the host's addresses; [`io::ErrorKind::PermissionDenied`] when the server sends us away, with its reason;
    /// [`io::ErrorKind::ConnectionAborted`] or [`io::ErrorKind::UnexpectedEof`] when it hangs up, as one does that has no room;
    /// [`io::ErrorKind::InvalidData`] when whoever listens there is no limit server, or when the set has a kind of limit that this
    /// program does not know.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use concurry_limits::LimitSet;
    /// use concurry_workers::limit_server::ConnectLimits;
    ///
    /// let account = LimitSet::connect("unix:/run/user/1000/limits", "a secret")?;
    /// let acquired = account.acquire([("tokens", 100)])?;
    /// # drop(acquired);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn connect(address: impl Into<LimitAddress>, token: &str) -> io::Result<Self>;
}

impl ConnectLimits for LimitSet {
    fn connect(address: impl Into<LimitAddress>, token: &str) -> io::Result<Self> {
        connect(&address.into(), token, LOGIN, GRACE)
    }
}

/// Connects within the time for a `login`, to a server that has answered when this `grace` is over.
fn connect(address: &LimitAddress, token: &str, login: Duration, grace: Duration) -> io::Result<LimitSet> {
    if token.len() > MOST_TOKEN {
        let text = format!("a token has at most {MOST_TOKEN} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let stream = Stream::connect(address, login)?;
    stream.set_write_timeout(Some(login))?;
    let mut sink = Whole(SocketSink(stream.try_clone()?));
    let mut source = SocketSource::new(Patient::new(stream.try_clone()?, login));
    sink.send(&Frame::new(Kind::Login, 0, PROTOCOL, token.as_bytes().to_vec()))?;
    let info = welcome(&mut source)?;
    source.stream().wait_forever()?;
    let questions = Arc::<Questions>::default();
    let reader = Reader {
        source,
        questions: Arc::clone(&questions),
        reason: "its answers are read no more".to_owned(),
    };
    thread::Builder::new().name("concurry-limits".to_owned()).spawn(move || reader.run())?;
    let outbox = Arc::new(Mutex::new(sink));
    let connection = RemoteConnection::new(outbox, questions, Arc::new(NoLookout), ShutDown(stream));
    Ok(LimitSet::remote(Arc::new(connection.with_grace(grace)), 0, info))
}

/// What the server says to the login.
fn welcome(source: &mut SocketSource<Patient>) -> io::Result<RemoteSetInfo> {
    let Some(frame) = source.receive()? else { return Err(io::ErrorKind::ConnectionAborted.into()) };
    if frame.kind != Kind::Welcome {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "whoever listens there is no limit server"));
    }
    let welcome: Result<RemoteSetInfo, String> = frame.open()?;
    welcome.map_err(|reason| io::Error::new(io::ErrorKind::PermissionDenied, reason))
}

/// Sends whole frames: when one cannot be sent, half of it may be on its way, and the connection ends.
struct Whole(SocketSink<Stream>);

impl Sink for Whole {
    fn send(&mut self, frame: &Frame) -> io::Result<()> {
        let sent = self.0.send(frame);
        // Of a frame that is too long nothing was sent.
        sent.inspect_err(|error| {
            if error.kind() != io::ErrorKind::InvalidInput {
                self.0.0.shut_down();
            }
        })
    }
}

/// Reads the answers. It has the questions alone: with the last set, the stream is shut down, and it ends; and however it
/// does, whoever waits for an answer is told.
struct Reader {
    source: SocketSource<Patient>,
    questions: Arc<Questions>,
    reason: String,
}

impl Reader {
    fn run(mut self) {
        self.reason = loop {
            match self.source.receive() {
                Ok(Some(frame)) => self.questions.answered(frame),
                Ok(None) => break "the limit server has ended".to_owned(),
                Err(error) => break error.to_string(),
            }
        };
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.questions.end(&self.reason);
    }
}

/// Ends the connection when it is dropped.
struct ShutDown(Stream);

impl Drop for ShutDown {
    fn drop(&mut self) {
        self.0.shut_down();
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    use concurry_limits::{Admission, LimitError, ResourceLimit};

    use super::*;
    use crate::process::child::body;

    const SOON: Duration = Duration::from_millis(20);
    const LATE: Duration = Duration::from_secs(3_600);

    fn listener() -> (TcpListener, LimitAddress) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there are ports");
        let address = listener.local_addr().expect("it has one");
        (listener, LimitAddress::Tcp(address.to_string()))
    }

    /// A set of a server that says no more than its welcome.
    fn silent() -> (LimitSet, TcpStream) {
        let (listener, address) = listener();
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().expect("somebody comes");
            let mut source = SocketSource::new(stream.try_clone().expect("it can be shared"));
            assert_eq!(source.receive().expect("it can be read").expect("it is there").kind, Kind::Login);
            let set = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).build().expect("it is valid");
            let welcome: Result<RemoteSetInfo, String> = Ok(set.describe());
            let welcome = Frame::new(Kind::Welcome, 0, PROTOCOL, body(&welcome));
            let answers = stream.try_clone().expect("it can be shared");
            SocketSink(Stream::Tcp(answers)).send(&welcome).expect("it can be written");
            stream
        });
        let set = connect(&address, "a token", LATE, SOON).expect("it is welcome");
        (set, server.join().expect("it says its welcome"))
    }

    #[test]
    fn a_server_that_says_nothing_is_waited_for_no_longer_than_was_asked_for() {
        let (set, server) = silent();
        for outcome in [set.try_acquire(()), set.acquire_timeout((), SOON)] {
            assert!(matches!(outcome, Err(LimitError::Disconnected { .. })), "{outcome:?}");
        }
        assert!(set.stats().unreachable.is_some());
        assert!(matches!(set.would_admit(()), Admission::Unknown(_)));
        // What was not waited for is not wanted any more.
        let mut source = SocketSource::new(server);
        let kinds: Vec<_> = (0..6).map_while(|_| source.receive().ok()?.map(|frame| frame.kind)).collect();
        let asked = [Kind::Acquire, Kind::CancelAcquire, Kind::Acquire, Kind::CancelAcquire];
        assert_eq!(kinds[..4], asked);
        assert_eq!(kinds[4..], [Kind::StatsRequest, Kind::Steer]);
    }

    #[test]
    fn a_server_that_does_not_answer_a_login_is_not_waited_for() {
        let (_listener, address) = listener();
        let error = connect(&address, "a token", SOON, SOON).expect_err("nobody answers");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn what_cannot_be_sent_in_time_ends_the_connection() {
        let (here, _there) = UnixStream::pair().expect("there is room");
        here.set_write_timeout(Some(SOON)).expect("it is a time");
        let mut sink = Whole(SocketSink(Stream::Unix(here)));
        let large = Frame::new(Kind::Feedback, 0, 0, vec![0; 50_000_000]);
        assert_ne!(sink.send(&large).expect_err("nobody reads").kind(), io::ErrorKind::BrokenPipe);
        let small = Frame::new(Kind::Feedback, 0, 0, Vec::new());
        assert_eq!(sink.send(&small).expect_err("it has ended").kind(), io::ErrorKind::BrokenPipe);
    }
}
