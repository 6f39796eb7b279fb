//! The walls of the house: the arrows between the crates, the size of files, where `unsafe` may stand.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test is its own documentation, and may fail")]

use std::fs;
use std::path::{Path, PathBuf};

/// Which crates of ours each crate may use.
const ARROWS: [(&str, &[&str]); 5] = [
    ("concurry-core", &[]),
    ("concurry-limits", &["concurry-core"]),
    ("concurry-workers", &["concurry-core", "concurry-limits"]),
    ("concurry-macros", &[]),
    (".", &["concurry-core", "concurry-limits", "concurry-workers", "concurry-macros"]),
];

/// The only files that may hold `unsafe`, each with its reasons in it.
const FENCED: [&str; 6] = [
    "concurry-core/src/clock/counter.rs",
    "concurry-core/src/prefetch.rs",
    "concurry-workers/src/process/hook.rs",
    "concurry-workers/src/process/constructors.rs",
    "concurry-workers/src/process/memory.rs",
    "concurry-workers/src/tasks/map/places.rs",
];

/// What reads the wall clock, or begins to.
const WALL_CLOCK: [&str; 6] = [
    "SystemTime::now",
    "UNIX_EPOCH",
    "UtcDateTime::now",
    "OffsetDateTime::now",
    "Realtime",
    "CLOCK_REALTIME",
];

/// The only lines that may name one of these: the time is an argument of what they stand in, and all that is asked of it is how
/// long it has been since 1970, which is how headers tell when a quota is full again.
const OF_HEADERS: [(&str, &str); 1] = [(
    "concurry-limits/src/feedback/time.rs",
    "now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()",
)];

const MOST_LINES: usize = 400;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All source files of the crates, as paths from the root.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = ARROWS.iter().map(|(name, _)| root().join(name).join("src")).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    assert!(found.len() > 50, "the walk finds the sources: {found:?}");
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The lines of a file before its tests.
fn code_lines(path: &Path) -> usize {
    let text = read(path);
    text.find("\n#[cfg(test)]\nmod ").map_or(&text[..], |tests| &text[..tests]).lines().count()
}

#[test]
fn each_crate_uses_only_the_crates_it_may() {
    for (name, allowed) in ARROWS {
        let manifest: toml::Table = read(&Path::new(name).join("Cargo.toml")).parse().unwrap();
        for section in ["dependencies", "build-dependencies"] {
            let Some(section) = manifest.get(section) else { continue };
            for dependency in section.as_table().unwrap().keys().filter(|key| key.starts_with("concurry")) {
                assert!(allowed.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
            }
        }
    }
}

#[test]
fn a_file_can_be_read_in_one_sitting() {
    let long: Vec<_> = sources().into_iter().filter(|path| code_lines(path) > MOST_LINES).collect();
    assert!(long.is_empty(), "files over {MOST_LINES} lines: {long:?}");
}

#[test]
fn each_file_says_what_it_promises() {
    for path in sources() {
        let text = read(&path);
        let first = text.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("//!") || first.starts_with("#![doc"),
            "{} has no module documentation",
            path.display()
        );
    }
}

#[test]
fn unsafe_stands_behind_a_fence_and_has_a_reason() {
    for path in sources() {
        let text = read(&path);
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let has_unsafe = code.clone().any(|line| line.contains("unsafe {") || line.contains("unsafe impl"));
        let fenced = FENCED.iter().any(|fenced| Path::new(fenced) == path);
        assert!(!has_unsafe || fenced, "{} must not hold unsafe code", path.display());
        if has_unsafe {
            let blocks = code.filter(|line| line.contains("unsafe {")).count();
            assert!(text.matches("SAFETY:").count() >= blocks, "{}: a reason a block", path.display());
        }
    }
}

#[test]
fn nothing_reads_the_wall_clock_so_it_may_step() {
    let mut allowed = Vec::new();
    for path in sources() {
        let text = read(&path);
        let code = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
        for line in code.filter(|line| WALL_CLOCK.iter().any(|clock| line.contains(clock))) {
            let is_of_headers =
                |(file, of_headers): &(&str, &str)| Path::new(file) == path && *of_headers == line;
            assert!(OF_HEADERS.iter().any(is_of_headers), "{}: {line}", path.display());
            allowed.push(path.clone());
        }
    }
    assert_eq!(allowed.len(), OF_HEADERS.len(), "the exceptions are those that there are: {allowed:?}");
}

#[test]
fn nothing_is_exported_by_a_glob() {
    for path in sources() {
        for line in read(&path).lines().map(str::trim).filter(|line| line.starts_with("pub use")) {
            assert!(!line.contains('*'), "{}: {line}", path.display());
        }
    }
}

#[test]
fn macros_emit_paths_of_the_facade_alone() {
    for path in sources().into_iter().filter(|path| path.starts_with("concurry-macros")) {
        let text = read(&path);
        for name in ["concurry_core", "concurry_limits", "concurry_workers"] {
            assert!(!text.contains(name), "{} names {name}", path.display());
        }
    }
}
