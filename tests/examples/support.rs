//! Running an example as a user does: as a process, with its own input.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

/// The example `name`, which `cargo test` builds beside the tests; `cargo test --test examples` alone does not.
pub(crate) fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let examples = test.parent().and_then(Path::parent).unwrap().join("examples");
    let example = examples.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let is_current = changed(&example)
        .zip(sources(&examples.join(format!("{name}.d"))))
        .is_some_and(|(built, sources)| sources.iter().all(|source| changed(source) <= Some(built)));
    assert!(is_current, "{} is not built: run `cargo build --examples` first", example.display());
    let mut command = Command::new(example);
    command.env_remove("RUST_BACKTRACE");
    command
}

/// What an example was built from, as cargo has noted: `example: source source …`, with a backslash before each space of a
/// path.
fn sources(note: &Path) -> Option<Vec<PathBuf>> {
    let note = fs::read_to_string(note).ok()?;
    let (_, sources) = note.lines().next()?.split_once(": ")?;
    let sources = sources.replace("\\ ", "\0");
    Some(sources.split(' ').map(|source| PathBuf::from(source.replace('\0', " "))).collect())
}

/// When a file was changed; none when it is not there.
fn changed(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|file| file.modified()).ok()
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// It succeeded and had nothing to complain about; what it printed.
    pub(crate) fn good(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", self.out);
        self.out
    }
}

pub(crate) fn run(name: &str, arguments: &[&str]) -> Ran {
    example(name).args(arguments).output().unwrap().into()
}

/// Fails with one line on standard error that contains `part`.
pub(crate) fn fails(name: &str, arguments: &[&str], part: &str) {
    let ran = run(name, arguments);
    assert!(matches!(ran.code, Some(1 | 2)), "{arguments:?}: {ran:?}");
    assert_eq!(ran.err.lines().count(), 1, "one line for {arguments:?}:\n{}", ran.err);
    let is_told = ran.err.starts_with(&format!("{name}: ")) && ran.err.contains(part);
    assert!(is_told, "`{part}` is not in: {}", ran.err);
}

/// Nobody reads what it prints, from the start: it ends well and in silence. A full disk is another matter.
pub(crate) fn ends_well_when_nobody_reads(name: &str, arguments: &[&str]) {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let ran: Ran = example(name).args(arguments).stdout(writer).output().unwrap().into();
    assert_eq!(ran.good(), "");
}

/// A folder for one test, removed with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("concurry-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// The path of a new file.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let file = self.0.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, bytes).unwrap();
        self.path(name)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}
