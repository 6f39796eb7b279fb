//! Where a limit server listens: a socket of either kind, and the file of one that has a file.
//!
//! Several servers may start at one path at a time. Whether a socket that is there was left behind is only to be told by
//! asking who listens there, and between the question and what follows from it nobody else may make one: so servers take
//! turns, by a lock beside the socket that is there for as long as somebody starts.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use concurry_core::clock;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::stream::Stream;
use super::{LOGIN, LimitAddress};

pub(super) enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// The device and the number there of a file.
type Identity = (u64, u64);

/// The file of a socket; dropped, it is removed, unless another server has put its own in that place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: Identity,
}

impl Listener {
    /// Listens; where that is, and in which file.
    pub(super) fn bind(address: LimitAddress) -> io::Result<(Self, LimitAddress, Option<SocketFile>)> {
        match address {
            LimitAddress::Unix(path) => {
                let (listener, file) = bind_file(&path)?;
                Ok((Self::Unix(listener), LimitAddress::Unix(path), Some(file)))
            }
            LimitAddress::Tcp(address) => {
                let listener = TcpListener::bind(address.as_str())?;
                let bound = listener.local_addr()?;
                Ok((Self::Tcp(listener), LimitAddress::Tcp(bound.to_string()), None))
            }
        }
    }

    /// Waits for a client.
    pub(super) fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(listener) => listener.accept().map(|(stream, _)| Stream::Unix(stream)),
            Self::Tcp(listener) => listener.accept().and_then(|(stream, _)| Stream::tcp(stream)),
        }
    }

    /// Has whoever waits for a client wait no more, where the system can do that.
    pub(super) fn shut_down(&self) -> bool {
        let both = rustix::net::Shutdown::Both;
        let outcome = match self {
            Self::Unix(listener) => rustix::net::shutdown(listener, both),
            Self::Tcp(listener) => rustix::net::shutdown(listener, both),
        };
        cfg!(target_os = "linux") && outcome.is_ok()
    }
}

impl SocketFile {
    /// Whether what is there now is what was made.
    pub(super) fn is_there(&self) -> bool {
        identity_of(&self.path) == Some(self.identity)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_there() {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// A socket that only the owner's user can open.
fn bind_file(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let _turn = Turn::wait(path, LOGIN)?;
    let listener = listen(path).or_else(|error| replace_stale(path, error))?;
    let file = fs::symlink_metadata(path)?;
    let file = SocketFile { path: path.to_owned(), identity: identity(&file) };
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok((listener, file))
}

/// A socket that nobody listens at was left behind.
fn replace_stale(path: &Path, error: io::Error) -> io::Result<UnixListener> {
    // Linux answers who asks a file of another kind as it does for a socket that nobody listens at.
    let is_socket = || fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let nobody = || {
        Stream::connect(&LimitAddress::Unix(path.to_owned()), LOGIN)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    };
    if error.kind() != io::ErrorKind::AddrInUse || !is_socket() || !nobody() {
        return Err(error);
    }
    fs::remove_file(path)?;
    listen(path)
}

/// Listens at a path that nothing is at. On Linux nobody else can open it from the beginning.
#[cfg(target_os = "linux")]
fn listen(path: &Path) -> io::Result<UnixListener> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    rustix::fs::fchmod(&socket, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, MOST_PENDING)?;
    Ok(socket.into())
}

#[cfg(not(target_os = "linux"))]
fn listen(path: &Path) -> io::Result<UnixListener> {
    UnixListener::bind(path)
}

/// How many connections the system holds that were not accepted yet.
#[cfg(target_os = "linux")]
const MOST_PENDING: i32 = 128;
/// How often one who waits for the turn looks; it is a matter of microseconds, at the start of a server.
const PAUSE: Duration = Duration::from_millis(2);
/// The file is what is opened, and not what somebody has a link to it lead to.
const NO_LINK: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

/// The turn of a server that starts at a path; it ends when this is dropped, and with the process at the latest.
struct Turn {
    path: PathBuf,
    _locked: File,
}

impl Turn {
    /// Waits for so long at most: one who has the turn may have been stopped in it.
    fn wait(socket: &Path, time: Duration) -> io::Result<Self> {
        let mut path = OsString::from(socket);
        // A name that nobody else gives to a file of his own.
        path.push(".concurry-start");
        let path = PathBuf::from(path);
        let clock = clock::system();
        let until = clock.now() + time;
        loop {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(NO_LINK)
                .open(&path)?;
            match rustix::io::retry_on_intr(|| flock(&file, FlockOperation::NonBlockingLockExclusive)) {
                // Who had it before has removed it, and somebody else may have the next one already.
                Ok(()) if identity_of(&path) == Some(identity(&file.metadata()?)) => {
                    return Ok(Self { path, _locked: file });
                }
                Ok(()) | Err(Errno::WOULDBLOCK) => {}
                Err(error) => return Err(error.into()),
            }
            let now = clock.now();
            if now >= until {
                let text = format!("another server has been starting there for {time:?}");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            clock.park_until(Some((now + PAUSE).min(until)));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // While it is locked: whoever waits for it sees that it is not there any more, and makes the next one.
        drop(fs::remove_file(&self.path));
    }
}

fn identity_of(path: &Path) -> Option<Identity> {
    fs::symlink_metadata(path).ok().as_ref().map(identity)
}

fn identity(file: &Metadata) -> Identity {
    (file.dev(), file.ino())
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn of_servers_that_start_over_a_stale_socket_at_once_one_has_it() {
        let folder = std::env::temp_dir().join(format!("concurry-starts-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("socket");
        for _ in 0..50 {
            drop(UnixListener::bind(&path).unwrap()); // leaves its file
            let barrier = Barrier::new(4);
            let bound: Vec<_> = thread::scope(|scope| {
                let start = || {
                    barrier.wait();
                    Listener::bind(LimitAddress::Unix(path.clone()))
                };
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
                threads.into_iter().filter_map(|thread| thread.join().unwrap().ok()).collect()
            });
            let [(_, _, Some(file))] = &bound[..] else { panic!("{} listen", bound.len()) };
            assert!(file.is_there());
            drop(bound);
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "no lock is left behind");
        }
        fs::remove_dir(&folder).unwrap();
    }

    /// A folder of its own, which is removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("concurry-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn a_file_that_is_no_socket_stays_as_it_is() {
        let folder = Folder::new("no-socket");
        let path = folder.0.join("data");
        fs::write(&path, "precious").unwrap();
        let error = Listener::bind(LimitAddress::Unix(path.clone())).err().expect("there is a file");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn who_does_not_get_its_turn_gives_up_and_takes_nothing_away() {
        let folder = Folder::new("turns");
        let path = folder.0.join("socket");
        let turn = Turn::wait(&path, Duration::ZERO).unwrap();
        let error = Turn::wait(&path, Duration::from_millis(20)).err().expect("another one has it");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(turn.path.exists());
        drop(turn);
        drop(Turn::wait(&path, Duration::ZERO).unwrap());
        let target = folder.0.join("target");
        std::os::unix::fs::symlink(&target, folder.0.join("socket.concurry-start")).unwrap();
        assert!(Turn::wait(&path, Duration::from_millis(20)).is_err());
        assert!(!target.exists());
    }

    #[test]
    fn a_socket_that_cannot_be_made_leaves_no_lock() {
        let missing = std::env::temp_dir().join("concurry-missing").join("socket");
        let error = Listener::bind(LimitAddress::Unix(missing)).err().expect("there is no such folder");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
