//! `crawler`: each page once, each link of its own hosts, and an end.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use super::support::{ends_well_when_nobody_reads, fails, run};

/// The lines of pages: what stands before the empty line, sorted.
fn pages(out: &str) -> Vec<&str> {
    let mut pages: Vec<_> = out.lines().take_while(|line| !line.is_empty()).collect();
    pages.sort_unstable();
    pages
}

#[test]
fn the_site_inside_is_crawled_wholly_and_no_page_twice() {
    for limits in [&[][..], &["--per-second", "1000", "--connections", "1"]] {
        let out = run("crawler", limits).good();
        let summary: Vec<_> = out.lines().skip_while(|line| !line.is_empty()).skip(1).collect();
        assert_eq!(
            summary[..4],
            [
                "books.test: 14 pages; 12 with 200, 1 with 301, 1 with 404",
                "maps.test: 14 pages; 12 with 200, 1 with 301, 1 with 404",
                "news.test: 14 pages; 12 with 200, 1 with 301, 1 with 404",
                "42 pages of 3 hosts; 0 links left out",
            ]
        );
        let (saw, most) = summary[4].split_once(" pages twice, and ").unwrap();
        let most: usize = most.split(' ').next().unwrap().parse().unwrap();
        let allowed = if limits.is_empty() { 2 } else { 1 };
        assert!(saw == "the site saw 0" && (1..=allowed).contains(&most), "{}", summary[4]);
        let pages = pages(&out);
        assert!(pages.len() == 42 && pages.contains(&"301 http://maps.test/old, 1 links"), "{out}");
        assert!(pages.contains(&"404 http://news.test/missing, 0 links"), "{out}");
    }
}

#[test]
fn it_stops_at_the_most_pages() {
    let out = run("crawler", &["--most-pages", "5"]).good();
    assert_eq!(pages(&out).len(), 5);
    assert!(out.contains("\n5 pages of 3 hosts; "), "{out}");
}

/// Serves pages by their paths; how often each was asked for.
fn serve(pages: &'static [(&str, &str)]) -> (String, Arc<Mutex<HashMap<String, usize>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    let counts = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let path = request.next().unwrap().split(' ').nth(1).unwrap().to_owned();
            request.find(String::is_empty).unwrap();
            let page = pages.iter().find(|(of, _)| *of == path).map_or("", |(_, page)| page);
            *counts.lock().unwrap().entry(path).or_default() += 1;
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/html; charset=utf-8";
            write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{page}", page.len()).unwrap();
        }
    });
    (url, asked)
}

#[test]
fn a_site_elsewhere_is_followed_within_its_host() {
    let (url, asked) = serve(&[
        ("/", "<a href=one>1</a> <A HREF='/one#part'>1</A> <a href='?q=1&amp;r=2'>q</a> <a>no link</a>"),
        (
            "/one",
            "<a href='/'>back</a> <a href='http://127.0.0.1:1/'>another host</a> <a href='http://['>no URL</a>",
        ),
    ]);
    let out = run("crawler", &[&url]).good();
    let host = url.strip_prefix("http://").unwrap();
    assert!(
        out.ends_with(&format!("{host}: 3 pages; 3 with 200\n3 pages of 1 hosts; 0 links left out\n")),
        "{out}"
    );
    let expected = [("/", 1), ("/one", 1), ("/?q=1&r=2", 1)];
    let expected: HashMap<_, _> = expected.map(|(path, times)| (path.to_owned(), times)).into();
    assert_eq!(*asked.lock().unwrap(), expected);
}

#[test]
fn bad_input_is_one_line() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // Bound and dropped: nobody listens there now.
    let nobody = format!("http://{address}/");
    let cases: [(&[&str], &str); 6] = [
        (&[&nobody], "1 pages did not answer; http://127.0.0.1:"),
        (&["somewhere"], "relative URL without a base"),
        (&["ftp://a.example/"], "expected http:// or https://"),
        (&["--per-second", "0"], "call_count"),
        (&["--connections", "0"], "connections"),
        (&["--most-pages", "many"], "'--most-pages <N>'"),
    ];
    for (arguments, part) in cases {
        fails("crawler", arguments, part);
    }
}

#[test]
fn nobody_needs_to_read_it() {
    ends_well_when_nobody_reads("crawler", &[]);
}
