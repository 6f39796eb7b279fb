//! A connection between a limit server and a client, of either kind.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use concurry_core::clock::{self, Timestamp};
#[cfg(target_os = "linux")]
use rustix::io::Errno;
#[cfg(target_os = "linux")]
use rustix::net::sockopt::{Timeout, set_socket_timeout};
#[cfg(target_os = "linux")]
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

use super::LimitAddress;
use crate::process::transport::{WriteBoth, send_both};

/// A peer whose machine went away without a word is noticed by probes of TCP's keep-alive: after this idle time …
const IDLE: Duration = Duration::from_secs(10);
/// … this often …
const INTERVAL: Duration = Duration::from_secs(5);
/// … and so many of them without an answer.
const PROBES: u32 = 3;

#[derive(Debug)]
pub(super) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// A stream that is read until an instant: what is not there by then is an error, however little comes at a time.
pub(super) struct Patient {
    stream: Stream,
    until: Option<Timestamp>,
}

#[cfg(target_os = "linux")]
fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// Connects to a socket with a file; other systems bound that by themselves, or not.
#[cfg(not(target_os = "linux"))]
fn connect_file(path: &Path, _: Duration) -> io::Result<UnixStream> {
    UnixStream::connect(path)
}

/// Connects to a socket with a file. A server that accepts nobody, with as many in line as there may be, is waited for as long.
#[cfg(target_os = "linux")]
fn connect_file(path: &Path, time: Duration) -> io::Result<UnixStream> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Send, Some(time))?;
    let address = SocketAddrUnix::new(path)?;
    rustix::io::retry_on_intr(|| rustix::net::connect(&socket, &address)).map_err(|error| match error {
        Errno::AGAIN => io::Error::new(io::ErrorKind::TimedOut, "the server accepts nobody"),
        error => error.into(),
    })?;
    set_socket_timeout(&socket, Timeout::Send, None)?;
    Ok(socket.into())
}

impl Stream {
    /// Tries for this time; over a network, each address of a host.
    pub(super) fn connect(address: &LimitAddress, time: Duration) -> io::Result<Self> {
        match address {
            LimitAddress::Unix(path) => connect_file(path, time).map(Self::Unix),
            LimitAddress::Tcp(address) => {
                let mut outcome = Err(io::Error::new(io::ErrorKind::InvalidInput, "it has no address"));
                for address in address.to_socket_addrs()? {
                    outcome = outcome.or_else(|_| TcpStream::connect_timeout(&address, time));
                }
                Self::tcp(outcome?)
            }
        }
    }

    /// A TCP connection that sends at once and notices a peer that is gone.
    pub(super) fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        rustix::net::sockopt::set_socket_keepalive(&stream, true)?;
        rustix::net::sockopt::set_tcp_keepidle(&stream, IDLE)?;
        rustix::net::sockopt::set_tcp_keepintvl(&stream, INTERVAL)?;
        rustix::net::sockopt::set_tcp_keepcnt(&stream, PROBES)?;
        // While something is on its way there are no probes; it is given up after as long.
        #[cfg(target_os = "linux")]
        rustix::net::sockopt::set_tcp_user_timeout(&stream, millis(IDLE + INTERVAL * PROBES))?;
        Ok(Self::Tcp(stream))
    }

    pub(super) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Unix(stream) => stream.try_clone().map(Self::Unix),
            Self::Tcp(stream) => stream.try_clone().map(Self::Tcp),
        }
    }

    pub(super) fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_read_timeout(timeout),
            Self::Tcp(stream) => stream.set_read_timeout(timeout),
        }
    }

    pub(super) fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_write_timeout(timeout),
            Self::Tcp(stream) => stream.set_write_timeout(timeout),
        }
    }

    /// Ends both directions: readers of either side see the end.
    pub(super) fn shut_down(&self) {
        // An error says that the connection has ended already.
        drop(match self {
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
        });
    }
}

impl Patient {
    /// What comes within this time is read.
    pub(super) fn new(stream: Stream, time: Duration) -> Self {
        Self { stream, until: Some(clock::system().now() + time) }
    }

    /// From now on whatever comes is read.
    pub(super) fn wait_forever(&mut self) -> io::Result<()> {
        self.until = None;
        self.stream.set_read_timeout(None)
    }
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(until) = self.until else { return self.stream.read(buffer) };
        let late = || io::Error::new(io::ErrorKind::TimedOut, "the other side takes too long");
        let left = until - clock::system().now();
        if left.is_zero() {
            return Err(late());
        }
        self.stream.set_read_timeout(Some(left))?;
        // What the system says of a time that is over differs.
        self.stream.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => late(),
            _ => error,
        })
    }
}

impl WriteBoth for Stream {
    fn write_both(&mut self, header: &[u8], body: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => send_both(stream, header, body),
            Self::Tcp(stream) => send_both(stream, header, body),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // nothing is buffered here
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_a_little_again_and_again_is_left_in_time() {
        let (here, mut there) = UnixStream::pair().unwrap();
        let talker = std::thread::spawn(move || while there.write_all(&[0]).is_ok() {});
        let mut patient = Patient::new(Stream::Unix(here), Duration::from_millis(50));
        let error = (0..).find_map(|_| patient.read(&mut [0]).err()).unwrap();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(patient);
        talker.join().unwrap();
    }

    #[test]
    fn who_says_nothing_is_left_in_time_and_later_waited_for() {
        let (here, mut there) = UnixStream::pair().unwrap();
        let mut patient = Patient::new(Stream::Unix(here), Duration::from_millis(5));
        for _ in 0..2 {
            assert_eq!(patient.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
        patient.wait_forever().unwrap();
        there.write_all(&[7]).unwrap();
        assert_eq!(patient.read(&mut [0]).unwrap(), 1);
    }
}
