//! Showing how far a batch is.

use std::fmt;
use std::sync::Arc;

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
/// A bar is drawn on standard error, and only when that is a terminal; it shows count, rate, time left and failures.
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
    /// Calls `callback` after each completion, on the thread that completed the call. Keep it short.
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
    total: usize,
    kind: Running,
}

enum Running {
    #[cfg(feature = "progress")]
    Bar(indicatif::ProgressBar),
    #[cfg(not(feature = "progress"))]
    Hidden,
    Callback(Arc<dyn Fn(&ProgressUpdate) + Send + Sync>),
}

impl Reporter {
    pub(super) fn start(progress: Progress, total: usize) -> Self {
        let kind = match progress.0 {
            Kind::Bar(title) => bar(title, total),
            Kind::Callback(callback) => Running::Callback(callback),
        };
        Self { total, kind }
    }

    pub(super) fn report(&self, done: usize, failed: usize) {
        match &self.kind {
            #[cfg(feature = "progress")]
            Running::Bar(bar) => {
                bar.inc(1);
                if failed > 0 {
                    bar.set_message(format!("{failed} failed"));
                }
            }
            #[cfg(not(feature = "progress"))]
            Running::Hidden => {}
            Running::Callback(callback) => callback(&ProgressUpdate { done, failed, total: self.total }),
        }
    }

    pub(super) fn finish(&self) {
        #[cfg(feature = "progress")]
        if let Running::Bar(bar) = &self.kind {
            bar.abandon();
        }
    }
}

#[cfg(feature = "progress")]
fn bar(title: String, total: usize) -> Running {
    let bar = indicatif::ProgressBar::new(total as u64).with_prefix(title);
    let template = "{prefix} [{bar:30}] {pos}/{len} {per_sec} eta {eta} {msg}";
    if let Ok(style) = indicatif::ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    Running::Bar(bar)
}

#[cfg(not(feature = "progress"))]
fn bar(_title: String, _total: usize) -> Running {
    Running::Hidden
}
