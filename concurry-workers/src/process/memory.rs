//! Memory that a pool and a child share: words, bytes, and sleeping until the other side changes a word.
//!
//! What one side has written is there for the other also after it was killed. The other side is not trusted: each offset is
//! checked against the size that this side knows, on Linux the memory can be neither shrunk nor grown, and bytes are copied out
//! before anybody looks at them. Elsewhere it has a name for as long as it takes to make it, and a child that shrinks it ends
//! both sides.
//!
//! This file holds all `unsafe` of shared memory.

#![allow(unsafe_code, reason = "see each block")]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64};

use rustix::mm::{MapFlags, ProtFlags};

/// Shared memory of a fixed size, mapped.
pub(super) struct Memory {
    base: NonNull<u8>,
    size: usize,
    file: OwnedFd,
}

// SAFETY: the mapping belongs to no thread; all access is by atomics, or by copies that its users keep apart.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// New memory, all zero.
    pub(super) fn create(size: usize) -> io::Result<Self> {
        Self::map(new_file(size)?, size)
    }

    /// Memory that another process has created with this size.
    pub(super) fn open(file: OwnedFd, size: usize) -> io::Result<Self> {
        let actual = rustix::fs::fstat(&file)?.st_size;
        if u64::try_from(actual).ok() != u64::try_from(size).ok() {
            let text = format!("the shared memory has {actual} bytes and should have {size}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Self::map(file, size)
    }

    fn map(file: OwnedFd, size: usize) -> io::Result<Self> {
        let (anywhere, protection) = (std::ptr::null_mut(), ProtFlags::READ | ProtFlags::WRITE);
        // SAFETY: a new mapping at a place that the system chooses touches nothing that exists.
        #[cfg(not(miri))]
        let base = unsafe { rustix::mm::mmap(anywhere, size, protection, MapFlags::SHARED, &file, 0)? };
        // SAFETY: the same. Miri maps no files; what it watches is all that is done with the memory.
        #[cfg(miri)]
        let base = unsafe { rustix::mm::mmap_anonymous(anywhere, size, protection, MapFlags::PRIVATE)? };
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("a mapping at address zero"))?;
        Ok(Self { base, size, file })
    }

    /// What the other side opens it by.
    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The address of `length` bytes from `offset` on, which are within the memory.
    fn at(&self, offset: usize, length: usize) -> *mut u8 {
        assert!(offset <= self.size && length <= self.size - offset, "within the shared memory");
        self.base.as_ptr().wrapping_add(offset)
    }

    /// The word at `offset`, a multiple of 8.
    pub(super) fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8), "words are aligned");
        // SAFETY: mapped for as long as `self` lives, aligned since mappings begin at a page, and used as an atomic only.
        unsafe { AtomicU64::from_ptr(self.at(offset, 8).cast()) }
    }
}

/// What rings do with it.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there are no rings"))]
impl Memory {
    /// The half word at `offset`, a multiple of 4.
    pub(super) fn half(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4), "words are aligned");
        // SAFETY: as in `word`.
        unsafe { AtomicU32::from_ptr(self.at(offset, 4).cast()) }
    }

    /// Copies `bytes` to `offset`.
    pub(super) fn write(&self, offset: usize, bytes: &[u8]) {
        let to = self.at(offset, bytes.len());
        // SAFETY: both are valid for that length and cannot overlap, since no slice of ours lies in the mapping. A peer that
        // breaks the rules of the ring and touches the bytes meanwhile changes what it reads, nothing else.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
    }

    /// Copies from `offset` to `bytes`.
    pub(super) fn read(&self, offset: usize, bytes: &mut [u8]) {
        let from = self.at(offset, bytes.len());
        // SAFETY: as in `write`; any byte is a valid `u8`.
        unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len()) };
    }

    /// Appends `length` bytes from `offset` on to `bytes`, without filling the place with zeros before.
    pub(super) fn append(&self, offset: usize, length: usize, bytes: &mut Vec<u8>) {
        let from = self.at(offset, length);
        bytes.reserve(length);
        // SAFETY: as in `read`; the place was just reserved, and is initialised by the copy before it counts.
        unsafe {
            std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr().add(bytes.len()), length);
            bytes.set_len(bytes.len() + length);
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this size, and every borrow of it ends with `self`.
        let unmapped = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.size) };
        debug_assert!(unmapped.is_ok(), "a mapping of ours can be unmapped");
    }
}

/// A file without a name, of this size.
#[cfg(all(target_os = "linux", not(miri)))]
fn new_file(size: usize) -> io::Result<OwnedFd> {
    use rustix::fs::{MemfdFlags, SealFlags};
    let file = rustix::fs::memfd_create("concurry", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let file = File::from(file);
    file.set_len(u64::try_from(size).unwrap_or(u64::MAX))?;
    // A child that made it smaller would have this process killed when it touches what is gone.
    rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file.into())
}

/// A file without a name, of this size.
#[cfg(any(not(target_os = "linux"), miri))]
fn new_file(size: usize) -> io::Result<OwnedFd> {
    use std::sync::atomic::Ordering;
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("concurry-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    file.set_len(u64::try_from(size).unwrap_or(u64::MAX))?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "it maps no files")]
    fn two_mappings_see_the_same() {
        let one = Memory::create(8192).unwrap();
        let two = Memory::open(one.file().try_clone_to_owned().unwrap(), 8192).unwrap();
        one.word(8).store(7, Ordering::SeqCst);
        one.write(100, b"abc");
        let mut bytes = vec![b'-'];
        two.append(100, 3, &mut bytes);
        assert_eq!((two.word(8).load(Ordering::SeqCst), bytes.as_slice()), (7, &b"-abc"[..]));
        let file = File::from(one.file().try_clone_to_owned().unwrap());
        if cfg!(target_os = "linux") {
            assert!(file.set_len(10).is_err(), "nobody takes it away from under us");
        }
        assert!(Memory::open(file.into(), 4096).is_err(), "the sizes differ");
    }

    #[test]
    #[should_panic(expected = "within the shared memory")]
    fn nothing_outside_of_it_is_touched() {
        Memory::create(4096).unwrap().write(4000, &[0; 97]);
    }
}
