//! [`ConnectLimits`].

use std::io;
use std::sync::{Arc, Mutex};
use std::thread;

use concurry_limits::LimitSet;
use concurry_limits::remote::RemoteSetInfo;

use super::stream::Stream;
use super::{LimitAddress, MOST_TOKEN};
use crate::process::frame::{Frame, Kind, PROTOCOL};
use crate::process::remote_limits::{NoLookout, Questions, RemoteConnection};
use crate::process::transport::{Sink, SocketSink, SocketSource, Source};

/// `LimitSet::connect`: a limit set that lives in another program.
pub trait ConnectLimits: Sized {
    /// Connects to the [`LimitServer`](super::LimitServer) at `address`. The set is used like any other: it waits in the
    /// server's one queue, and what it holds is given back when this program ends, however it ends.
    ///
    /// When the server is gone, requests fail with
    /// [`LimitError::Disconnected`](concurry_limits::LimitError::Disconnected), those that wait as well.
    ///
    /// # Errors
    ///
    /// What the system says of the address; [`io::ErrorKind::PermissionDenied`] when the server sends us away, with its
    /// reason; [`io::ErrorKind::InvalidData`] when whoever listens there is no limit server.
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
        if token.len() > MOST_TOKEN {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("a token has at most {MOST_TOKEN} bytes"),
            ));
        }
        let stream = Stream::connect(&address.into())?;
        let mut sink = SocketSink(stream.try_clone()?);
        let mut source = SocketSource::new(stream.try_clone()?);
        sink.send(&Frame::new(Kind::Login, 0, PROTOCOL, token.as_bytes().to_vec()))?;
        let Some(frame) = source.receive()? else { return Err(io::ErrorKind::ConnectionAborted.into()) };
        if frame.kind != Kind::Welcome {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "whoever listens there is no limit server",
            ));
        }
        let welcome: Result<RemoteSetInfo, String> = frame.open()?;
        let info = welcome.map_err(|reason| io::Error::new(io::ErrorKind::PermissionDenied, reason))?;
        let questions = Arc::<Questions>::default();
        let reader = Reader {
            source,
            questions: Arc::clone(&questions),
            reason: "its answers are read no more".to_owned(),
        };
        thread::Builder::new().name("concurry-limits".to_owned()).spawn(move || reader.run())?;
        let outbox = Arc::new(Mutex::new(sink));
        let connection = RemoteConnection::new(outbox, questions, Arc::new(NoLookout), ShutDown(stream));
        Ok(Self::remote(Arc::new(connection), 0, info))
    }
}

/// Reads the answers. It has the questions alone: with the last set, the stream is shut down, and it ends; and however it
/// does, whoever waits for an answer is told.
struct Reader {
    source: SocketSource<Stream>,
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
