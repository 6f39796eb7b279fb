//! The example `llm_batch` as a user meets it: a small job in two modes, servers that refuse and fail, and bad input.

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
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, SystemTime};

use concurry::clock::{self, Timestamp};

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

/// Answers every request on one connection with what `next` says.
fn answer(stream: TcpStream, next: impl Fn() -> String) {
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
        stream.write_all(next().as_bytes()).unwrap();
    }
}

fn response(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Answers every request with this status and body, until the test ends.
fn serve(status: &str, body: &str) -> String {
    let response = response(status, body);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let response = response.clone();
            std::thread::spawn(move || answer(stream.unwrap(), || response.clone()));
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
fn what_is_refused_to_the_last_attempt_is_reported_and_the_job_has_failed() {
    let folder = Folder::new("429", &[("a", b"one"), ("b", b"two")]);
    let url = serve("429 Too Many Requests\r\nretry-after: 0", "");
    for (attempts, first, refused) in [
        ("1", "calls failed; the first: ", "2"),
        ("3", "calls failed; the first: `complete` failed in 3 attempts and there are no more", "6"),
    ] {
        let arguments = ["--base-url", &url, "--attempts", attempts, &folder.path("")];
        let output = llm_batch(&[&arguments[..], &QUOTAS[..]].concat());
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{out}{err}");
        assert!(err.starts_with(&format!("llm_batch: 2 of 2 {first}")), "{err}");
        assert!(
            err.ends_with("refused with 429 (too many requests), to be tried again after 0ns\n"),
            "{err}"
        );
        assert_eq!(refused_of(&out, "both"), refused, "the report is there all the same: {out}");
    }
}

/// The number of 429s in the table.
fn refused_of<'a>(out: &'a str, region: &str) -> &'a str {
    let line = out.lines().find(|line| line.starts_with(region)).unwrap();
    line.split_whitespace().nth(3).unwrap()
}

/// Refuses the first request with 429 and a second to wait, and answers the others; when each was answered.
fn refuse_once() -> (String, Receiver<Timestamp>) {
    let completion = r#"{"choices": [{"message": {"content": "Short."}}], "usage": {"total_tokens": 9}}"#;
    let refusal = response("429 Too Many Requests\r\nretry-after: 1", "");
    let answers = [refusal, response("200 OK", completion)];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let requests = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for stream in listener.incoming() {
                let (tell, answers, requests) = (tell.clone(), &answers, &requests);
                scope.spawn(move || {
                    answer(stream.unwrap(), || {
                        let _: Result<_, _> = tell.send(clock::system().now());
                        let earlier = requests.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        // The first request asks whether the server is there.
                        answers[usize::from(earlier != 2)].clone()
                    });
                });
            }
        });
    });
    (url, told)
}

#[test]
fn a_refusal_is_tried_again_when_the_server_says() {
    let folder = Folder::new("retry-after", &[("a", b"one")]);
    let (url, times) = refuse_once();
    let output =
        llm_batch(&[&["--base-url", &url, "--mode", "process", &folder.path("")], &QUOTAS[..]].concat());
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert_eq!(refused_of(&out, "both"), "1", "{out}");
    assert!(out.ends_with("What had failed was tried again, with 1 more attempt.\n"), "{out}");
    let times: Vec<_> = times.try_iter().collect();
    let [.., refused, answered] = times.as_slice() else { panic!("{times:?}") };
    assert!(*answered - *refused >= Duration::from_secs(1), "not before the server said: {times:?}");
}

#[test]
fn the_same_seed_fails_the_same_requests_in_every_mode() {
    let files: Vec<_> = (0..12).map(|n| (format!("file-{n}"), format!("this is text {n}"))).collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    let folder = Folder::new("seed", &files);
    let told = std::thread::scope(|scope| {
        let runs = ["sync", "thread", "async", "process"].map(|mode| {
            let (path, answers) = (folder.path(""), folder.path(&format!(".git/{mode}.jsonl")));
            fs::create_dir_all(folder.path(".git")).unwrap();
            let wide = ["--requests-per-minute", "1000", "--tokens-per-minute", "100000"];
            let failing = ["--failures", "0.4", "--seed", "7", "--attempts", "40", "--mode", mode];
            scope.spawn(move || {
                let output = llm_batch(&[&failing[..], &wide[..], &["--answers", &answers, &path]].concat());
                let (out, err) =
                    (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
                assert!(output.status.success() && err.is_empty(), "{mode}: {out}{err}");
                let answers = fs::read_to_string(answers).unwrap();
                assert_eq!(answers.matches(r#""answer":"A text of 1 lines"#).count(), 12, "{answers}");
                let lines: Vec<_> = out.lines().rev().take(2).map(str::to_owned).collect();
                lines
            })
        });
        runs.map(|run| run.join().unwrap())
    });
    assert!(told[0][1].starts_with("On purpose, the server failed "), "{told:?}");
    let numbers =
        told[0].iter().flat_map(|line| line.split_whitespace()).filter_map(|word| word.parse::<u64>().ok());
    let [more, errors, _, busy] = numbers.collect::<Vec<_>>()[..] else { panic!("{told:?}") };
    assert!(errors > 0 && busy > 0 && more == errors + busy, "{told:?}");
    assert!(told.iter().all(|lines| *lines == told[0]), "{told:?}");
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
    let cases: [(&[&str], &str); 22] = [
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
        (&["--attempts", "0"], "'--attempts <N>': 0 is not in 1..=1000"),
        (&["--failures", "2"], "'--failures <RATE>': expected a share from 0 to 1"),
        (&["--failures", "some"], "'--failures <RATE>': expected a share from 0 to 1"),
        (&["--failures", "0.1", "--base-url", "http://a"], "cannot be used with '--base-url <URL>'"),
        (&["--seed", "3"], "not provided: --failures <RATE>"),
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
