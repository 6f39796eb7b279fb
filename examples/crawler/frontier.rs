//! Which pages are still to be fetched: each one once, and only of the hosts that the crawl began with.

use std::collections::{HashMap, HashSet};

use reqwest::Url;

/// All pages that were ever admitted.
pub(crate) struct Frontier {
    seen: HashSet<Url>,
    hosts: HashSet<String>,
    most: usize,
    /// Links that were not followed since there are enough pages.
    pub(crate) left_out: usize,
}

impl Frontier {
    /// For at most so many pages of these hosts.
    pub(crate) fn new(hosts: impl IntoIterator<Item = String>, most: usize) -> Self {
        Self { seen: HashSet::new(), hosts: hosts.into_iter().collect(), most, left_out: 0 }
    }

    /// The page to fetch for a link, if there is one: the first time, and without the place in the page.
    pub(crate) fn admit(&mut self, mut link: Url) -> Option<Url> {
        link.set_fragment(None);
        let is_ours = matches!(link.scheme(), "http" | "https") && self.hosts.contains(&host(&link));
        if !is_ours || self.seen.contains(&link) {
            return None;
        }
        if self.seen.len() >= self.most {
            self.left_out += 1;
            return None;
        }
        self.seen.insert(link.clone());
        Some(link)
    }

    /// How many pages of each host were admitted.
    pub(crate) fn by_host(&self) -> HashMap<String, usize> {
        let mut hosts: HashMap<String, usize> = self.hosts.iter().map(|host| (host.clone(), 0)).collect();
        for url in &self.seen {
            *hosts.entry(host(url)).or_default() += 1;
        }
        hosts
    }
}

/// The host of a URL, with its port if that is named: what has limits of its own.
pub(crate) fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
}
