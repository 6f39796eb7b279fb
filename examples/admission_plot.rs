//! Draws what each algorithm admits of the same arrivals: the picture of the guide.
//!
//! ```sh
//! cargo run --example admission_plot                  # the guide's own: src/guide/admissions.svg
//! cargo run --example admission_plot -- picture.svg
//! ```
//!
//! The limit is 20 in 10 seconds, and each request asks for 2. After one request at the start come a burst of 15 at 8 s,
//! and then 2 requests a second, which is twice what the limit admits for ever. What is refused does not come again. In the
//! upper half each request uses all that it asked for, in the lower one the half of it. Time is a clock that is moved by
//! hand, so the picture is the same on each run.

#[path = "support/program.rs"]
mod program;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use concurry::clock::{Clock, ManualClock};
use concurry::prelude::*;
use plotters::coord::Shift;
use plotters::prelude::*;

use RateLimitAlgorithm::{FixedWindow, Gcra, LeakyBucket, SlidingWindow, TokenBucket};

const CAPACITY: u64 = 20;
const WINDOW: Duration = Duration::from_secs(10);
const END: f64 = 32.0;
const COLORS: [RGBColor; 4] =
    [RGBColor(0, 110, 180), RGBColor(200, 40, 40), RGBColor(20, 140, 60), RGBColor(230, 140, 0)];

/// The names of algorithms that admit the same, and when they admit.
type Line = (String, Vec<f64>);
type Panel<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws what each algorithm admits of the same arrivals.
#[derive(Parser)]
struct Arguments {
    /// The picture, an SVG; without it, that of the guide
    #[arg(default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/src/guide/admissions.svg"), hide_default_value = true)]
    file: String,
}

fn main() -> ExitCode {
    program::run("admission_plot", |Arguments { file }| draw(&file))
}

/// When requests come in.
pub(crate) fn arrivals() -> Vec<Duration> {
    let burst = [Duration::from_secs(8); 15];
    let steady = (17..2 * 32).map(|half| Duration::from_millis(500 * half));
    [Duration::ZERO].into_iter().chain(burst).chain(steady).collect()
}

/// When requests were admitted that ask for 2 and use `used`, in seconds.
pub(crate) fn admissions(algorithm: RateLimitAlgorithm, used: u64) -> Result<Vec<f64>, Box<dyn Error>> {
    let clock = ManualClock::new();
    let limit = RateLimit::new("units", CAPACITY, WINDOW).algorithm(algorithm);
    let set = LimitSet::builder().clock(Arc::new(clock.clone())).limit(limit).build()?;
    let start = clock.now();
    let mut admitted = Vec::new();
    for arrival in arrivals() {
        clock.advance_to(start + arrival);
        match set.try_acquire([("units", 2)]) {
            Ok(mut acquired) => {
                acquired.update([("units", used)])?;
                acquired.release()?;
                admitted.push(arrival.as_secs_f64());
            }
            Err(LimitError::Unavailable { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(admitted)
}

/// What all of them admit; those that admit the same share a line.
fn lines(used: u64) -> Result<Vec<Line>, Box<dyn Error>> {
    let mut lines: Vec<Line> = Vec::new();
    for algorithm in [FixedWindow, SlidingWindow, TokenBucket, Gcra, LeakyBucket] {
        let admitted = admissions(algorithm, used)?;
        let own = algorithm.to_string().replace('_', " ");
        match lines.iter_mut().find(|(_, same)| *same == admitted) {
            Some((name, _)) => *name = format!("{name}, {own}"),
            None => lines.push((own, admitted)),
        }
    }
    Ok(lines)
}

fn draw(file: &str) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(file, (900, 760)).into_drawing_area();
    root.fill(&WHITE)?;
    let (upper, lower) = root.split_vertically(380);
    panel(&upper, "Each request asks for 2 and uses 2", &lines(2)?)?;
    panel(&lower, "Each request asks for 2 and uses 1", &lines(1)?)?;
    root.present().map_err(|error| format!("cannot write {file}: {error}"))?;
    writeln!(io::stdout(), "{file}")?;
    Ok(())
}

fn panel(area: &Panel<'_>, title: &str, lines: &[Line]) -> Result<(), Box<dyn Error>> {
    let arrivals: Vec<f64> = arrivals().iter().map(Duration::as_secs_f64).collect();
    let most = count(arrivals.len());
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..END, 0.0..most)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc("seconds")
        .y_desc("requests so far")
        .y_label_formatter(&|count| format!("{count:.0}"))
        .draw()?;
    let grey = RGBColor(150, 150, 150);
    chart
        .draw_series(LineSeries::new(steps(&arrivals), grey))?
        .label("arrivals")
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], grey));
    for ((name, admitted), color) in lines.iter().zip(COLORS) {
        let style = color.stroke_width(2);
        chart
            .draw_series(LineSeries::new(steps(admitted), style))?
            .label(format!("{name}: {}", admitted.len()))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .border_style(BLACK)
        .draw()?;
    Ok(())
}

/// A step for each of `times`, up to the end.
fn steps(times: &[f64]) -> Vec<(f64, f64)> {
    let rises =
        times.iter().enumerate().flat_map(|(index, time)| [(*time, count(index)), (*time, count(index + 1))]);
    rises.chain([(END, count(times.len()))]).collect()
}

fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
