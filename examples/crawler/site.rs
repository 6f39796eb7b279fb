//! A site of three hosts inside the example, which link to each other; it watches how it is crawled.
//!
//! The pages of a host are a tree, each with links back to the first page, to itself, and to the next host. Each host has a
//! page that has moved, and a link to one that is missing.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{HOST, LOCATION};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};

/// The hosts.
pub(crate) const HOSTS: [&str; 3] = ["books.test", "maps.test", "news.test"];

/// The pages of a host.
const PAGES: usize = 12;

/// How long a page takes.
const LATENCY: Duration = Duration::from_millis(15);

/// How the site was crawled.
#[derive(Default)]
struct Watched {
    /// How often each page was asked for, of each host.
    asked: BTreeMap<(usize, String), usize>,
    now: [usize; HOSTS.len()],
    most: [usize; HOSTS.len()],
}

/// The site while it runs.
#[derive(Clone, Default)]
pub(crate) struct Site(Arc<Mutex<Watched>>);

impl Site {
    /// Serves it on the runtime that this is called on; where it listens for all of its hosts.
    pub(crate) async fn start() -> io::Result<(Self, SocketAddr)> {
        let site = Self::default();
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(page).with_state(site.clone());
        // It ends with the runtime. Should it end before, the crawl fails and says so.
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok((site, address))
    }

    /// How many pages were asked for more than once, and how many of one host were asked for at the same time at most.
    pub(crate) fn watched(&self) -> (usize, usize) {
        let watched = self.lock();
        let again = watched.asked.values().filter(|times| **times > 1).count();
        (again, watched.most.into_iter().max().unwrap_or_default())
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn page(State(site): State<Site>, headers: HeaderMap, uri: Uri) -> Response {
    let name = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let Some(host) = HOSTS.iter().position(|host| *host == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    {
        let mut watched = site.lock();
        *watched.asked.entry((host, uri.path().to_owned())).or_default() += 1;
        watched.now[host] += 1;
        watched.most[host] = watched.most[host].max(watched.now[host]);
    }
    tokio::time::sleep(LATENCY).await;
    site.lock().now[host] -= 1;
    answer(host, uri.path())
}

fn answer(host: usize, path: &str) -> Response {
    let number = match path {
        "/" => 1,
        "/old" => return (StatusCode::MOVED_PERMANENTLY, [(LOCATION, "/3")]).into_response(),
        _ => match path[1..].parse() {
            Ok(number) if (2..=PAGES).contains(&number) => number,
            _ => return (StatusCode::NOT_FOUND, "there is no such page").into_response(),
        },
    };
    let below = [2 * number, 2 * number + 1].into_iter().filter(|page| *page <= PAGES);
    let mut links: Vec<String> = below.map(|page| page.to_string()).collect();
    links.extend(["/#top".to_owned(), format!("{path}#here")]);
    if number % 5 == 0 {
        let next = HOSTS[(host + 1) % HOSTS.len()];
        links.extend([format!("http://{next}/"), "missing".to_owned(), "/old".to_owned()]);
    }
    links.extend(["mailto:someone@books.test".to_owned(), "http://elsewhere.test/".to_owned()]);
    let links: Vec<String> =
        links.iter().map(|link| format!("<li><a class=x href='{link}'>{link}</a>")).collect();
    let title = format!("Page {number} of {}", HOSTS[host]);
    let html = format!(
        "<!doctype html><title>{title}</title><!-- <a href='/comment'> --><h1>{title}</h1><ul>{}</ul>",
        links.concat()
    );
    Html(html).into_response()
}
