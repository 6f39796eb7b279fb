//! `many_accounts`: each call goes to an account that admits it, and the table says to which.

use super::support::{Folder, ends_well_when_nobody_reads, fails, run};

/// So much an hour that a test never waits for more.
fn accounts(calls: [u64; 2], characters: [u64; 2]) -> String {
    let set = |name: &str, calls: u64, characters: u64| {
        format!(
            r#"{{
                "config": {{ "account": "{name}" }},
                "limits": [
                    {{ "kind": "CallLimit", "capacity": {calls}, "window": "hour" }},
                    {{ "kind": "RateLimit", "key": "characters", "capacity": {characters}, "window": "hour" }}
                ]
            }}"#
        )
    };
    let (small, large) = (set("small", calls[0], characters[0]), set("large", calls[1], characters[1]));
    format!(r#"{{ "sets": [{small}, {large}], "balancing": "earliest_available" }}"#)
}

/// The line of the table that begins with `name`, as words.
fn row(table: &str, name: &str) -> Vec<String> {
    let line = table.lines().rfind(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn bare_it_translates_a_licence_over_three_accounts() {
    let table = run("many_accounts", &[]).good();
    let calls = |name| row(&table, name)[1].parse::<u64>().unwrap();
    let by_account = ["free", "team", "company"].map(calls);
    assert_eq!(by_account.iter().sum::<u64>(), calls("all"), "{table}");
    assert!(by_account.iter().all(|calls| *calls > 0) && calls("all") == 150, "{table}");
    assert!(table.ends_with("picked by earliest_available\n"), "{table}");
}

#[test]
fn every_mode_uses_up_both_accounts_before_it_would_wait() {
    let folder = Folder::new("accounts");
    let accounts = folder.file("accounts.json", accounts([3, 5], [100, 100]));
    let text = folder.file("text", "sos\n".repeat(8));
    for mode in ["sync", "thread", "async", "process"] {
        let table = run("many_accounts", &["--accounts", &accounts, "--mode", mode, &text]).good();
        assert_eq!(row(&table, "small")[..2], ["small", "3"], "{mode}: {table}");
        assert_eq!(row(&table, "small")[3..8], ["3", "of", "3", "100", "%"], "{mode}: {table}");
        assert_eq!(row(&table, "large")[..2], ["large", "5"], "{mode}: {table}");
        assert_eq!(row(&table, "all")[1], "8");
    }
}

#[test]
fn a_line_that_one_account_can_never_take_goes_to_the_other() {
    let folder = Folder::new("long-lines");
    let accounts = folder.file("accounts.json", accounts([9, 9], [5, 1_000]));
    let text = folder.file("text", "much too long\n\n  and this too\n");
    let out = run("many_accounts", &["--accounts", &accounts, "--show", &text]).good();
    let shown: Vec<_> = out.lines().take(2).collect();
    assert_eq!(
        shown,
        [
            "large: -- ..- -.-. .... / - --- --- / .-.. --- -. --.",
            "large: .- -. -.. / - .... .. ... / - --- ---"
        ]
    );
    assert_eq!(row(&out, "small")[1], "0");

    let balancing = ["--balancing", "round_robin", "--mode", "sync"];
    let ran = run("many_accounts", &[&["--accounts", &accounts, &text], &balancing[..]].concat());
    assert_eq!(ran.code, Some(1), "in turns, the small account gets one of them: {ran:?}");
    assert!(ran.err.starts_with("many_accounts: 1 of 2 calls failed; line 1 of the text: "), "{}", ran.err);
    assert!(ran.out.ends_with("picked by round_robin\n"), "{}", ran.out);
}

#[test]
fn bad_input_is_one_line() {
    let folder = Folder::new("bad-accounts");
    let set = |config: &str| {
        format!("[[sets]]\n{config}limits = [{{ kind = \"CallLimit\", capacity = 1, window = \"hour\" }}]\n")
    };
    let nameless = folder.file("nameless.toml", set(""));
    let named = set("config = { account = \"a\" }\n");
    let twice = folder.file("twice.toml", format!("{named}{named}"));
    let broken = folder.file("broken.toml", "balancing = \"random\"\nsets = [1, 2\n");
    let window = folder.file("window.toml", named.replace("hour", "fortnight"));
    let empty = folder.file("empty.json", r#"{"sets": []}"#);
    let binary = folder.file("binary", b"\xff\xfe");
    let cases: [(&[&str], &str); 13] = [
        (&["/no/such/text"], "cannot read /no/such/text: No such file"),
        (&[&binary], "binary: stream did not contain valid UTF-8"),
        (&["--accounts", "/no/such.toml"], "/no/such.toml: No such file"),
        (&["--accounts", &binary], "from a .toml or a .json file"),
        (&["--accounts", &nameless], "set 1 has no name"),
        (&["--accounts", &twice], "two accounts with the name `a`"),
        (&["--accounts", &broken], "at line 2"),
        (&["--accounts", &window], "fortnight"),
        (&["--accounts", &empty], "needs at least one limit set"),
        (&["--balancing", "best"], "use round_robin, random or earliest_available"),
        (&["--mode", "fiber"], "unknown execution mode `fiber`"),
        (&["--workers", "0"], "at least one worker"),
        (&["--mode", "sync", "--workers", "2"], "exactly 1 worker"),
    ];
    for (arguments, part) in cases {
        fails("many_accounts", arguments, part);
    }
}

#[test]
fn nobody_needs_to_read_it() {
    ends_well_when_nobody_reads("many_accounts", &["--show"]);
}
