//! The example `llm_batch` as a user meets it: a small job in two modes, a server that refuses, and bad input.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test is its own documentation, and may panic anywhere"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

/// Runs the example, which `cargo test` builds beside the tests; `cargo test --test llm_batch` alone does not.
fn llm_batch(arguments: &[&str]) -> Output {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let example = profile.join("examples").join(format!("llm_batch{}", std::env::consts::EXE_SUFFIX));
    let built = fs::metadata(&example).and_then(|built| built.modified());
    let is_current = built.is_ok_and(|built| newest(&sources()) <= built);
    assert!(is_current, "{} is not built: run `cargo build --example llm_batch` first", example.display());
    Command::new(example).args(arguments).env_remove("RUST_BACKTRACE").output().unwrap()
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/llm_batch")
}

/// When the last of the files in a folder was changed.
fn newest(folder: &Path) -> SystemTime {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let times = entries.map(|path| {
        if path.is_dir() { newest(&path) } else { fs::metadata(path).unwrap().modified().unwrap() }
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A folder for one test, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &[u8])]) -> Self {
        let folder = std::env::temp_dir().join(format!("llm_batch-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in files {
            let file = folder.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, bytes).unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Fails with one line on standard error that contains `part`, and with no report.
fn fails_with(output: &Output, part: &str) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(matches!(output.status.code(), Some(1 | 2)), "{:?}: {err}", output.status);
    assert_eq!(err.lines().count(), 1, "one line:\n{err}");
    assert!(err.starts_with("llm_batch: ") && err.contains(part), "`{part}` is not in: {err}");
    assert!(!out.contains("taken"), "{out}");
}

#[test]
fn a_small_job_answers_every_text_file() {
    for mode in ["thread", "process"] {
        let (long, cut) = ("word ".repeat(20_000), "\u{20ac}".repeat(20_000));
        let folder = Folder::new(
            mode,
            &[
                ("a.txt", b"first line\nsecond line".as_slice()),
                ("below/b.rs", b"fn main() {}"),
                ("below/long.txt", long.as_bytes()),
                ("below/cut_within_a_character.txt", cut.as_bytes()),
                ("binary", b"\0\x01"),
                ("latin-1", b"caf\xe9"),
                ("empty", b""),
                ("target/left_out.txt", b"no"),
                (".git/config", b"no"),
            ],
        );
        let (plot, answers) = (folder.path("plot.svg"), folder.path("answers.jsonl"));
        let arguments =
            ["--mode", mode, "--workers", "2", "--plot", &plot, "--answers", &answers, &folder.path("")];
        let output = llm_batch(&arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{out}{err}");
        assert_eq!(err, "", "nothing to complain about");
        assert!(out.contains("4 text files"), "{out}");
        assert!(out.contains("2 cut to the context window; left out: 2 binary, 1 empty\n"), "{out}");
        for region in ["us-east-1", "eu-west-1", "both"] {
            assert!(out.lines().any(|line| line.starts_with(region)), "{out}");
        }

        let answers = fs::read_to_string(answers).unwrap();
        assert_eq!(answers.lines().count(), 4);
        assert!(
            answers.contains(r#""answer":"A text of 2 lines which begins with: first line","file":"a.txt""#),
            "{answers}"
        );
        let plot = fs::read_to_string(plot).unwrap();
        assert!(
            plot.starts_with("<svg") && plot.trim_end().ends_with("</svg>") && plot.contains("us-east-1")
        );
    }
}

#[test]
fn the_limit_bounds_the_number_of_prompts() {
    let folder = Folder::new("limit", &[("a", b"one"), ("b", b"two"), ("c", b"three")]);
    let output = llm_batch(&["--limit", "1", "--mode", "async", &folder.path("")]);
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && out.contains("1 text file of"), "{out}");
}

/// Answers every request on one connection.
fn answer(stream: TcpStream, response: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length]).unwrap();
        stream.write_all(response.as_bytes()).unwrap();
    }
}

/// Answers every request with this status and body, until the test ends.
fn serve(status: &str, body: &str) -> String {
    let response = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let response = response.clone();
            std::thread::spawn(move || answer(stream.unwrap(), &response));
        }
    });
    url
}

const QUOTAS: [&str; 4] = ["--requests-per-minute", "100", "--tokens-per-minute", "10000"];

#[test]
fn a_server_elsewhere_is_asked_under_the_quotas_that_were_given() {
    let folder = Folder::new("elsewhere", &[("a", b"one"), ("b", b"two")]);
    let url = serve(
        "200 OK",
        r#"{"choices": [{"message": {"content": "Short."}}], "usage": {"total_tokens": 17}, "more": true}"#,
    );
    let answers = folder.path("answers.jsonl");
    let at = format!("{url}/v1/");
    let output =
        llm_batch(&[&["--base-url", &at, "--answers", &answers, &folder.path("")], &QUOTAS[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers = fs::read_to_string(answers).unwrap();
    assert_eq!(answers.matches(r#""answer":"Short.""#).count(), 2, "{answers}");
    assert!(answers.contains(r#""tokens":17"#), "{answers}");
}

#[test]
fn a_429_is_reported_and_the_job_has_failed() {
    let folder = Folder::new("429", &[("a", b"one"), ("b", b"two")]);
    let url = serve("429 Too Many Requests\r\nretry-after: 3", "");
    let output = llm_batch(&[&["--base-url", &url, &folder.path("")], &QUOTAS[..]].concat());
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{out}{err}");
    assert_eq!(err, "llm_batch: a quota was broken: 2 of 2 calls were refused with 429\n");
    assert!(out.contains("both"), "the report is there all the same: {out}");
}

#[test]
fn a_server_that_does_not_take_the_key_is_known_before_the_batch() {
    let folder = Folder::new("key", &[("a", b"one")]);
    let url = serve("401 Unauthorized", r#"{"error": {"message": "no such key"}}"#);
    let output = llm_batch(&[&["--base-url", &url, &folder.path("")], &QUOTAS[..]].concat());
    fails_with(&output, "answered with 401: no such key");
}

#[test]
fn a_server_that_refuses_connections_is_known_before_the_batch() {
    let folder = Folder::new("refused", &[("a", b"one")]);
    // Bound and dropped: nobody listens there now.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{address}");
    let output = llm_batch(&[&["--base-url", &url, &folder.path("")], &QUOTAS[..]].concat());
    fails_with(&output, "cannot be reached: Connection refused");
}

#[test]
fn bad_input_gives_one_clear_line() {
    let folder = Folder::new("bad", &[("text", b"text"), ("below/binary", b"\0"), ("below/empty", b" \n")]);
    let (text, below) = (folder.path("text"), folder.path("below"));
    let nowhere = folder.path("nowhere/plot.svg");
    let cases: [(&[&str], &str); 17] = [
        (&["/no/such/folder"], "cannot read /no/such/folder: No such file"),
        (&[&below], "there is no text file"),
        (&["--mode", "fiber"], "unknown execution mode `fiber`: expected sync, thread"),
        (&["--mode", "sync", "--workers", "2", &text], "exactly 1 worker"),
        (&["--workers", "0"], "'--workers <N>': expected a whole number from 1"),
        (&["--workers", "many"], "'--workers <N>': expected a whole number from 1"),
        (&["--tokens-per-minute", "0"], "'--tokens-per-minute <N>': expected a whole number"),
        (&["--requests-per-minute", "1.5"], "'--requests-per-minute <N>': expected a whole number"),
        (&["--tokens-per-minute", "50", &text], "can never admit the largest prompt"),
        (&["--limit", "0"], "'--limit <N>': expected a whole number"),
        (&["--plot", &nowhere], "cannot write"),
        (&["--unknown"], "'--unknown'"),
        (&["--base-url", "http://127.0.0.1:1", &text], "needs --requests-per-minute and --tokens-per-minute"),
        (&["--api-key-env", "KEY"], "--api-key-env needs --base-url"),
        (&[&["--base-url", "somewhere"], &QUOTAS[..]].concat(), "--base-url somewhere is no URL"),
        (&[&["--base-url", "ftp://a"], &QUOTAS[..]].concat(), "expected http:// or https://"),
        (
            &[&["--base-url", "http://a", "--api-key-env", "CONCURRY_NO_SUCH_KEY"], &QUOTAS[..]].concat(),
            "CONCURRY_NO_SUCH_KEY of --api-key-env is not set",
        ),
    ];
    for (arguments, part) in cases {
        fails_with(&llm_batch(arguments), part);
    }
}

#[test]
fn help_is_no_failure() {
    let output = llm_batch(&["--help"]);
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("--tokens-per-minute")
    );
}
