//! The prompts: every text file under a folder.
//!
//! `target` and `.git` are left out, links are not followed, and no more of a file is read than a prompt can hold.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::client::Prompt;

/// A prompt holds 8,000 tokens of about 4 bytes, what is asked included; a longer file is cut.
const CONTEXT_BYTES: usize = 32_000;
const SKIPPED_FOLDERS: [&str; 2] = ["target", ".git"];

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) prompts: Vec<Prompt>,
    /// How many prompts hold only the beginning of their file.
    pub(crate) cut: usize,
    /// Files that are no prompts: not UTF-8 text, empty, not to be read.
    pub(crate) binary: usize,
    pub(crate) empty: usize,
    pub(crate) unreadable: usize,
}

/// Why there are no prompts.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPrompts {
    #[error("cannot read {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{} is neither a folder nor a file", path.display())]
    NoFile { path: PathBuf },
    #[error("there is no text file under {}: {binary} binary, {empty} empty and {unreadable} unreadable", path.display())]
    NoText { path: PathBuf, binary: usize, empty: usize, unreadable: usize },
}

/// At most `limit` prompts, from the files under `path` in the order of their names.
pub(crate) fn collect(path: &Path, limit: usize) -> Result<Batch, NoPrompts> {
    let unreadable = |error| NoPrompts::Unreadable { path: path.to_owned(), error };
    let kind = fs::metadata(path).map_err(unreadable)?;
    let mut batch = Batch::default();
    if kind.is_file() {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        batch.take(path, &name).map_err(unreadable)?;
    } else if kind.is_dir() {
        batch.walk(path, limit).map_err(unreadable)?;
    } else {
        return Err(NoPrompts::NoFile { path: path.to_owned() });
    }
    if batch.prompts.is_empty() {
        let Batch { binary, empty, unreadable, .. } = batch;
        return Err(NoPrompts::NoText { path: path.to_owned(), binary, empty, unreadable });
    }
    Ok(batch)
}

impl Batch {
    /// Takes the files of a folder and of those below it. Only the top folder has to be readable.
    fn walk(&mut self, top: &Path, limit: usize) -> io::Result<()> {
        let mut stack = sorted(top)?;
        while let Some(entry) = stack.pop() {
            if self.prompts.len() >= limit {
                break;
            }
            let path = entry.path();
            let outcome = match entry.file_type() {
                Ok(kind) if kind.is_dir() => {
                    let skipped = SKIPPED_FOLDERS.iter().any(|name| entry.file_name() == *name);
                    if skipped { Ok(()) } else { sorted(&path).map(|below| stack.extend(below)) }
                }
                Ok(kind) if kind.is_file() => {
                    self.take(&path, &path.strip_prefix(top).unwrap_or(&path).to_string_lossy())
                }
                // Links, sockets, pipes and the like.
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            };
            self.unreadable += usize::from(outcome.is_err());
        }
        Ok(())
    }

    /// Makes a prompt of a file, if it is text.
    fn take(&mut self, path: &Path, name: &str) -> io::Result<()> {
        let asked = format!("Summarise this file in one sentence.\n\nFile {name}:\n\n");
        let room = CONTEXT_BYTES.saturating_sub(asked.len());
        // One byte more tells whether it goes on.
        let mut bytes = Vec::new();
        File::open(path)?.take(room as u64 + 1).read_to_end(&mut bytes)?;
        let cut = bytes.len() > room;
        bytes.truncate(room);
        match text(&bytes, cut) {
            None => self.binary += 1,
            Some(text) if text.trim().is_empty() => self.empty += 1,
            Some(text) => {
                self.cut += usize::from(cut);
                self.prompts.push(Prompt { path: name.to_owned(), text: asked + text });
            }
        }
        Ok(())
    }
}

/// The entries of a folder, the last by name first, as a stack wants them.
fn sorted(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.file_name()));
    Ok(entries)
}

/// `bytes` as a text; when they were cut, the last character may be incomplete.
fn text(bytes: &[u8], cut: bool) -> Option<&str> {
    if bytes.contains(&0) {
        return None;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if cut && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}
