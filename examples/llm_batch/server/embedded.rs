//! The thread that the server runs on.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use axum::Router;
use tokio::sync::oneshot;

use super::api;
use super::faults::Faults;
use super::region::Region as Enforced;
use crate::cli::Job;
use crate::quotas::{Quotas, REGIONS, Region};

/// A server that runs until this is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    enforced: Vec<Arc<Enforced>>,
    faults: Arc<Faults>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What it answered other than with a completion.
pub(crate) struct Served {
    /// Calls that came too early for a quota.
    pub(crate) refused: u64,
    /// Calls that it failed on purpose, with 500 and with 429.
    pub(crate) errors: u64,
    pub(crate) busy: u64,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[error("the server inside the example cannot start: {0}")]
pub(crate) struct NotStarted(#[from] io::Error);

impl Server {
    /// Starts it on a free port of the loopback interface, with a path a region.
    pub(crate) fn start(quotas: &Quotas, job: &Job) -> Result<Self, NotStarted> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let enforced: Vec<_> = REGIONS.iter().map(|_| Enforced::new(quotas)).collect();
        let faults = Arc::new(Faults::new(job.failures, job.seed));
        let router = REGIONS.iter().zip(&enforced).fold(Router::new(), |router, (name, region)| {
            router.nest(&format!("/{name}"), api::routes(Arc::clone(region), Arc::clone(&faults)))
        });
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("server".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = serve(listener, router) => {}
                }
            });
        })?;
        Ok(Self { address, enforced, faults, stop: Some(stop), thread: Some(thread) })
    }

    /// What it answered other than with a completion, so far.
    pub(crate) fn served(&self) -> Served {
        let (errors, busy) = self.faults.made();
        let refused = self.enforced.iter().map(|region| region.refused()).sum();
        Served { refused, errors, busy }
    }

    /// Where its regions are.
    pub(crate) fn regions(&self) -> Vec<Region> {
        Region::both(&REGIONS.map(|name| format!("http://{}/{name}", self.address)))
    }
}

/// Serves for ever. Without a server every call fails and says so; the reason is told here.
async fn serve(listener: TcpListener, router: Router) {
    let served = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => axum::serve(listener, router).await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        eprintln!("llm_batch: the server inside the example ended: {error}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed, and the calls have failed.
            drop(thread.join());
        }
    }
}
