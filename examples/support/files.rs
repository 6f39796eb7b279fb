//! The files under a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// All files under `folder`, in the order of their paths. Links are not followed; what was built (`target`) and what starts
/// with a dot, below it, is left out.
pub(crate) fn under(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (kind, name) = (entry.file_type()?, entry.file_name());
            if name == "target" || name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}
