//! Showing how far a batch is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[cfg(feature = "progress")]
use crate::config::Config;
use crate::panics::{catch, log};

/// How far a batch is.
///
/// # Examples
///
/// ```
/// # use concurry_core::batch::ProgressUpdate;
/// fn percent(update: &ProgressUpdate) -> u64 {
///     (update.done as u64 * 100).checked_div(update.total as u64).unwrap_or(100)
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProgressUpdate {
    /// Calls that are done, failed ones included.
    pub done: usize,
    /// Calls that failed in any way.
    pub failed: usize,
    /// All calls of the batch.
    pub total: usize,
}

/// What shows the progress of a batch: a bar with a title, from a text, or a callback.
///
/// A bar is drawn on standard error, and only when that is a terminal and the [configuration](crate::config) does not switch bars
/// off; it shows count, rate, time left and failures.
///
/// # Examples
///
/// ```
/// use concurry_core::batch::Progress;
///
/// let bar: Progress = "prompts".into();
/// let callback = Progress::callback(|update| eprintln!("{}/{}", update.done, update.total));
/// # drop((bar, callback));
/// ```
#[derive(Clone)]
pub struct Progress(Kind);

#[derive(Clone)]
enum Kind {
    Bar(String),
    Callback(Arc<dyn Fn(&ProgressUpdate) + Send + Sync>),
}

impl Progress {
    /// Calls `callback` after each completion, on the thread that completed the call. Keep it short. A panic in it
    /// is logged and goes no further. Nothing is told of calls that are done after the wait has ended; where a failure or a timeout
    /// ended it, a callback that runs just then, on another thread, goes on to its end.
    pub fn callback(callback: impl Fn(&ProgressUpdate) + Send + Sync + 'static) -> Self {
        Self(Kind::Callback(Arc::new(callback)))
    }
}

impl From<&str> for Progress {
    fn from(title: &str) -> Self {
        Self(Kind::Bar(title.to_owned()))
    }
}

impl From<String> for Progress {
    fn from(title: String) -> Self {
        Self(Kind::Bar(title))
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Bar(title) => f.debug_tuple("Progress").field(title).finish(),
            Kind::Callback(_) => f.write_str("Progress(callback)"),
        }
    }
}

/// A [`Progress`] at work on one batch.
pub(super) struct Reporter {
    done: AtomicUsize,
    failed: AtomicUsize,
    total: usize,
    is_over: AtomicBool,
    kind: Running,
}

enum Running {
    #[cfg(feature = "progress")]
    Bar(indicatif::ProgressBar),
    /// A bar that nobody would see.
    Hidden,
    Callback(Arc<dyn Fn(&ProgressUpdate) + Send + Sync>),
}

impl Reporter {
    pub(super) fn start(progress: Progress, total: usize) -> Self {
        let kind = match progress.0 {
            Kind::Bar(title) => bar(title, total),
            Kind::Callback(callback) => Running::Callback(callback),
        };
        let (done, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { done, failed, total, is_over: AtomicBool::new(false), kind }
    }

    /// One more call is done; `failed_now` when it is this one that failed.
    pub(super) fn report(&self, failed_now: bool) {
        if self.is_over.load(Ordering::SeqCst) {
            return;
        }
        self.failed.fetch_add(usize::from(failed_now), Ordering::SeqCst);
        let done = self.done.fetch_add(1, Ordering::SeqCst) + 1;
        // Read last, so that whoever tells of the last call tells of all failures; others may see one of a call to come.
        let failed = self.failed.load(Ordering::SeqCst).min(done);
        match &self.kind {
            #[cfg(feature = "progress")]
            Running::Bar(bar) => {
                if failed_now {
                    bar.set_message(format!("{failed} failed"));
                }
                bar.inc(1);
            }
            Running::Hidden => {}
            Running::Callback(callback) => {
                let update = ProgressUpdate { done, failed, total: self.total };
                if catch(|| callback(&update)).is_err() {
                    log(|| tracing::error!("a progress callback panicked; the calls are not affected"));
                }
            }
        }
    }

    /// Nothing is told of calls that are done after the wait.
    pub(super) fn finish(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        match &self.kind {
            #[cfg(feature = "progress")]
            Running::Bar(bar) => bar.abandon(),
            Running::Hidden | Running::Callback(_) => {}
        }
    }
}

#[cfg(feature = "progress")]
fn bar(title: String, total: usize) -> Running {
    let config = Config::current().progress;
    if config.bars == Some(false) {
        return Running::Hidden;
    }
    let bar = indicatif::ProgressBar::new(total as u64).with_prefix(title);
    if bar.is_hidden() {
        return Running::Hidden;
    }
    let width = config.width.unwrap_or(30);
    let template = format!("{{prefix}} [{{bar:{width}}}] {{pos}}/{{len}} {{rate}} eta {{eta}} {{msg}}");
    if let Ok(style) = indicatif::ProgressStyle::with_template(&template) {
        let rate = |state: &indicatif::ProgressState, out: &mut dyn fmt::Write| {
            // A rate that cannot be written is a rate that is not shown.
            out.write_str(&rate(state.per_sec())).unwrap_or_default();
        };
        bar.set_style(style.with_key("rate", rate).progress_chars("=> "));
    }
    Running::Bar(bar)
}

/// A rate with as many digits as mean something: a rate below ten keeps one decimal.
#[cfg(feature = "progress")]
fn rate(per_second: f64) -> String {
    let decimals = usize::from(per_second < 9.95);
    format!("{per_second:.decimals$}/s")
}

#[cfg(not(feature = "progress"))]
fn bar(_title: String, _total: usize) -> Running {
    Running::Hidden
}

#[cfg(all(test, feature = "progress"))]
mod tests {
    use super::rate;

    #[test]
    fn a_rate_is_shown_rounded() {
        let shown = [0.0, 0.123_456, 9.949, 9.951, 1234.5678].map(rate);
        assert_eq!(shown, ["0.0/s", "0.1/s", "9.9/s", "10/s", "1235/s"]);
    }
}

#[cfg(test)]
mod counts {
    use std::sync::Mutex;

    use super::{Progress, Reporter};
    use crate::sync::lock;

    #[test]
    fn whoever_tells_of_the_last_call_tells_of_all_failures_and_nobody_of_more_than_are_done() {
        static WRONG: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());
        const CALLS: usize = 100_000;
        let progress = Progress::callback(|update| {
            let is_last = update.done == update.total;
            if update.failed > update.done || (is_last && update.failed < update.total) {
                lock(&WRONG).push((update.done, update.failed));
            }
        });
        for _ in 0..10 {
            let reporter = Reporter::start(progress.clone(), CALLS);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| (0..CALLS / 4).for_each(|_| reporter.report(true)));
                }
            });
        }
        let wrong = std::mem::take(&mut *lock(&WRONG));
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
