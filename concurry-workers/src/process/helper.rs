//! A thread beside a connection.

use std::io;
use std::thread::{self, JoinHandle};

/// A thread that is waited for when this is dropped.
pub(crate) struct Helper(Option<JoinHandle<()>>);

impl Helper {
    pub(crate) fn start(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        thread::Builder::new().name(name.to_owned()).spawn(run).map(|thread| Self(Some(thread)))
    }

    /// Whether it has ended by itself.
    pub(crate) fn is_done(&self) -> bool {
        self.0.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        drop(self.0.take().map(JoinHandle::join));
    }
}
