//! The worker: fetches pages side by side, as many of a host as its limits admit.

use concurry::prelude::*;
use concurry::{KeyedLimits, LimitSetError};
use html5gum::{Token, Tokenizer};
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Client, StatusCode, Url};

use super::frontier::host;

/// More of a page is not read.
const MOST_BYTES: usize = 2_000_000;

/// What came of a page.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    /// Where it leads to.
    pub(crate) links: Vec<Url>,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error(transparent)]
    Limit(#[from] LimitError),
    #[error("{0}")]
    Http(String),
}

/// What each host admits.
pub(crate) fn hosts(per_second: u64, connections: u64) -> Result<KeyedLimits<String>, LimitSetError> {
    let pages = CallLimit::new(per_second, Window::SECOND).algorithm(RateLimitAlgorithm::Gcra);
    let template = LimitSet::builder().limit(pages).limit(ResourceLimit::new("connections", connections));
    KeyedLimits::builder(template).build()
}

/// Fetches pages.
#[worker]
pub(crate) struct Fetcher {
    http: Client,
    hosts: KeyedLimits<String>,
}

#[worker]
impl Fetcher {
    pub(crate) fn new(http: Client, hosts: KeyedLimits<String>) -> Self {
        Self { http, hosts }
    }

    /// Waits for the page's host alone: pages of others are fetched meanwhile.
    pub(crate) async fn fetch(&self, url: Url) -> Result<Page, FetchError> {
        let _connection = self.hosts.acquire_async(&host(&url), ()).await?;
        let mut response = self.http.get(url.clone()).send().await.map_err(|error| told(&error))?;
        let (status, headers) = (response.status(), response.headers());
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(target) = header(LOCATION).filter(|_| status.is_redirection()) {
            // A link like others: it may lead to another host, and to where the crawl was already.
            return Ok(Page { status, links: url.join(target).into_iter().collect() });
        }
        let is_html = header(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html"));
        let mut html = Vec::new();
        while is_html && status.is_success() && html.len() < MOST_BYTES {
            let Some(chunk) = response.chunk().await.map_err(|error| told(&error))? else { break };
            html.extend_from_slice(&chunk);
        }
        Ok(Page { status, links: links(&html, &url) })
    }
}

/// The innermost cause, which names what happened; the outer ones say again that a request failed.
fn told(error: &reqwest::Error) -> FetchError {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    FetchError::Http(innermost.to_string())
}

/// Where the page at `base` leads to, in its order.
fn links(html: &[u8], base: &Url) -> Vec<Url> {
    let mut links = Vec::new();
    for Ok(token) in Tokenizer::new(html) {
        let Token::StartTag(tag) = token else { continue };
        let href = tag.attributes.get(b"href".as_slice()).filter(|_| tag.name.as_slice() == b"a");
        let url = href.and_then(|href| base.join(&String::from_utf8_lossy(href)).ok());
        links.extend(url);
    }
    links
}
