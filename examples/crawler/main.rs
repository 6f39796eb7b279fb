//! Where do the links of a site lead? Its pages are fetched side by side, and no host is asked more than it likes.
//!
//! ```sh
//! cargo run --example crawler                                    # a site of three hosts inside the example
//! cargo run --example crawler -- --per-second 2 --most-pages 50 https://a-site-of-your-own.example
//! ```
//!
//! One async worker makes all calls side by side. What to look at: [`fetcher`], with limits a host (`KeyedLimits`), so that
//! a host that is slow or has had enough holds back no other; `crawl`, where a call that is done gives new calls, until
//! there are none left; [`frontier`], which lets each page in once; [`site`], the site inside, which counts that.
//!
//! Only the hosts of the given URLs are crawled. It does not read robots.txt: ask it for sites of your own. It exits with 0
//! when every page has answered, even if only to say that it is missing.

mod fetcher;
mod frontier;
mod site;

#[path = "../support/program.rs"]
mod program;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use concurry::prelude::*;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use tokio::task::JoinSet;

use fetcher::{FetchError, Fetcher, FetcherHandle, Page};
use frontier::{Frontier, host};
use site::Site;

/// Follows all links of a site, each page once.
#[derive(Parser)]
struct Arguments {
    /// Where to begin; without it, a site of three hosts inside the example
    urls: Vec<Url>,
    /// How many pages of a host are fetched a second
    #[arg(long, value_name = "N", default_value = "10")]
    per_second: u64,
    /// How many pages of a host are fetched at the same time
    #[arg(long, value_name = "N", default_value = "2")]
    connections: u64,
    /// How many pages are fetched in all
    #[arg(long, value_name = "N", default_value = "1000")]
    most_pages: usize,
}

fn main() -> ExitCode {
    program::run("crawler", |arguments: Arguments| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("no runtime can be started: {error}"))?;
        runtime.block_on(run(arguments))
    })
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    if let Some(url) = arguments.urls.iter().find(|url| !matches!(url.scheme(), "http" | "https")) {
        return Err(format!("{url} is no address of a page: expected http:// or https://").into());
    }
    let site = if arguments.urls.is_empty() {
        Some(Site::start().await.map_err(|error| format!("the site inside cannot start: {error}"))?)
    } else {
        None
    };
    let (start, hosts) = match &site {
        Some(_) => {
            (vec![format!("http://{}/", site::HOSTS[0]).parse()?], site::HOSTS.map(str::to_owned).into())
        }
        None => (arguments.urls.clone(), arguments.urls.iter().map(host).collect::<Vec<_>>()),
    };
    let limits = fetcher::hosts(arguments.per_second, arguments.connections)?;
    let fetcher = Fetcher::options(ExecutionMode::Async, (), 1)
        .init(client(site.as_ref().map(|(_, at)| *at))?, limits)?;
    let mut frontier = Frontier::new(hosts, arguments.most_pages);

    let mut out = io::stdout();
    let (answers, failures) = crawl(&fetcher, &mut frontier, start, &mut out).await?;
    report(&mut out, &frontier, &answers, site.as_ref().map(|(site, _)| site))?;
    match failures.first() {
        None => Ok(()),
        Some(first) => Err(format!("{} pages did not answer; {first}", failures.len()).into()),
    }
}

/// Asks only whom it is told to ask: a redirect is a link like others. The hosts of the site inside are all at `inside`.
fn client(inside: Option<SocketAddr>) -> Result<Client, String> {
    // It says so when there is one already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut builder = Client::builder().redirect(Policy::none()).timeout(Duration::from_secs(30));
    if let Some(address) = inside {
        builder = site::HOSTS.iter().fold(builder.no_proxy(), |builder, host| builder.resolve(host, address));
    }
    builder.build().map_err(|error| format!("no HTTP client can be made: {error}"))
}

/// How often each status was the answer, a host.
type Answers = BTreeMap<(String, u16), usize>;

/// Fetches the pages of `start` and all that they lead to; what did not answer is told apart.
async fn crawl(
    fetcher: &FetcherHandle,
    frontier: &mut Frontier,
    start: Vec<Url>,
    out: &mut impl Write,
) -> io::Result<(Answers, Vec<String>)> {
    let (mut answers, mut failures) = (Answers::new(), Vec::new());
    // A call is a future: whatever waits for futures waits for calls.
    let mut fetching: JoinSet<(Url, Outcome<Page, FetchError>)> = JoinSet::new();
    let mut links = start;
    loop {
        for url in links.drain(..).filter_map(|link| frontier.admit(link)) {
            let call = fetcher.fetch(url.clone());
            fetching.spawn(async move { (url, call.await) });
        }
        match fetching.join_next().await {
            // Nothing is on its way, and so nothing can lead any further.
            None => return Ok((answers, failures)),
            Some(Ok((url, Ok(page)))) => {
                writeln!(out, "{} {url}, {} links", page.status.as_u16(), page.links.len())?;
                *answers.entry((host(&url), page.status.as_u16())).or_default() += 1;
                links = page.links;
            }
            Some(Ok((url, Err(error)))) => failures.push(format!("{url}: {error}")),
            Some(Err(error)) => failures.push(error.to_string()),
        }
    }
}

fn report(
    out: &mut impl Write,
    frontier: &Frontier,
    answers: &Answers,
    site: Option<&Site>,
) -> io::Result<()> {
    writeln!(out)?;
    let mut hosts: Vec<_> = frontier.by_host().into_iter().collect();
    hosts.sort_unstable();
    for (host, pages) in &hosts {
        let by_status = answers.iter().filter(|((of, _), _)| of == host);
        let by_status: Vec<_> =
            by_status.map(|((_, status), count)| format!("{count} with {status}")).collect();
        writeln!(out, "{host}: {pages} pages; {}", by_status.join(", "))?;
    }
    let pages: usize = hosts.iter().map(|(_, pages)| pages).sum();
    writeln!(out, "{pages} pages of {} hosts; {} links left out", hosts.len(), frontier.left_out)?;
    if let Some((again, most)) = site.map(Site::watched) {
        writeln!(out, "the site saw {again} pages twice, and {most} requests at a time to a host at most")?;
    }
    Ok(())
}
