//! What a child is given besides its socket: the memory that it shares with its pool, as the first byte on the socket comes.
//!
//! It is not inherited: a descriptor that could be inherited would leak to whatever is started at the same moment.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::io::FdFlags;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};

/// Has what is taken not be inherited, where a system can be told so with the taking.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
const NOT_INHERITED: RecvFlags = RecvFlags::CMSG_CLOEXEC;
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
)))]
const NOT_INHERITED: RecvFlags = RecvFlags::empty();

/// Gives `file` to the other side, with a byte that says what it is for.
pub(in crate::process) fn give(stream: &UnixStream, what: u8, file: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let files = [file];
    if !ancillary.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::Error::other("there is no space for a descriptor"));
    }
    rustix::net::sendmsg(stream, &[IoSlice::new(&[what])], &mut ancillary, SendFlags::empty())?;
    Ok(())
}

/// Takes what [`give`] gave; `None` when the other side is gone.
pub(in crate::process) fn take(stream: &UnixStream) -> io::Result<Option<(u8, OwnedFd)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut what = [0];
    let received =
        rustix::net::recvmsg(stream, &mut [IoSliceMut::new(&mut what)], &mut ancillary, NOT_INHERITED)?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let file = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    let Some(file) = file else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the pool gave no memory to share"));
    };
    if NOT_INHERITED.is_empty() {
        rustix::io::fcntl_setfd(&file, FdFlags::CLOEXEC)?;
    }
    Ok(Some((what[0], file)))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};

    use super::*;
    use crate::process::memory::Memory;

    #[test]
    fn a_file_arrives_with_its_byte_is_not_inherited_and_nothing_else_is_taken() {
        let (mut here, mut there) = UnixStream::pair().unwrap();
        let memory = Memory::create(4096).unwrap();
        let mut file = std::fs::File::from(memory.file().try_clone_to_owned().unwrap());
        file.write_all(b"shared").unwrap();
        give(&here, b'x', memory.file()).unwrap();
        here.write_all(b"rest").unwrap();
        let (what, taken) = take(&there).unwrap().unwrap();
        assert!(rustix::io::fcntl_getfd(&taken).unwrap().contains(FdFlags::CLOEXEC));
        let (mut taken, mut text, mut rest) = (std::fs::File::from(taken), [0; 6], [0; 4]);
        taken.rewind().unwrap();
        taken.read_exact(&mut text).unwrap();
        there.read_exact(&mut rest).unwrap();
        assert_eq!((what, &text, &rest), (b'x', b"shared", b"rest"));
        drop(here);
        assert!(take(&there).unwrap().is_none());
    }
}
