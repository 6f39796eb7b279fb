//! What a child is given besides its socket: the memory that it shares with its pool, as the first byte on the socket comes.
//!
//! It is not inherited: a descriptor that could be inherited would leak to whatever is started at the same moment.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};

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
    let received = rustix::net::recvmsg(
        stream,
        &mut [IoSliceMut::new(&mut what)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let file = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    match file {
        Some(file) => Ok(Some((what[0], file))),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "the pool gave no memory to share")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};

    use super::*;

    #[test]
    fn a_file_arrives_with_its_byte_and_nothing_else_is_taken() {
        let (mut here, mut there) = UnixStream::pair().unwrap();
        let mut file =
            std::fs::File::from(rustix::fs::memfd_create("t", rustix::fs::MemfdFlags::CLOEXEC).unwrap());
        file.write_all(b"shared").unwrap();
        give(&here, b'x', std::os::fd::AsFd::as_fd(&file)).unwrap();
        here.write_all(b"rest").unwrap();
        let (what, taken) = take(&there).unwrap().unwrap();
        let (mut taken, mut text, mut rest) = (std::fs::File::from(taken), String::new(), [0; 4]);
        taken.rewind().unwrap();
        taken.read_to_string(&mut text).unwrap();
        there.read_exact(&mut rest).unwrap();
        assert_eq!((what, text.as_str(), &rest), (b'x', "shared", b"rest"));
        drop(here);
        assert!(take(&there).unwrap().is_none());
    }
}
