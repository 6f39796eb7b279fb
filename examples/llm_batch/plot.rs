//! The picture: tokens that were admitted over time, against what the quotas admit.

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::numbers::{Numbers, Part, float};
use crate::quotas::Quotas;

type Panel<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Line = Vec<(f64, f64)>;

const QUOTA: RGBColor = RGBColor(200, 40, 40);
const BOTH: RGBColor = RGBColor(30, 30, 30);
const REGIONS: [RGBColor; 2] = [RGBColor(0, 110, 180), RGBColor(230, 140, 0)];

/// Draws both regions together in the upper half, and each of them in the lower.
pub(crate) fn draw(file: &Path, numbers: &Numbers, quotas: &Quotas) -> Result<(), String> {
    panels(file, numbers, quotas).map_err(|error| format!("cannot draw {}: {error}", file.display()))
}

fn panels(file: &Path, numbers: &Numbers, quotas: &Quotas) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(file, (900, 800)).into_drawing_area();
    root.fill(&WHITE)?;
    let (upper, lower) = root.split_vertically(440);
    let seconds = numbers.taken.as_secs_f64();
    let quota = quotas.tokens_per_minute;

    let all = Curve { name: "both regions", color: BOTH, line: steps(&numbers.all, seconds) };
    panel(&upper, "Admitted tokens, both regions", numbers.regions.len() as u64 * quota, seconds, vec![all])?;
    let regions = numbers.regions.iter().zip(REGIONS);
    let regions = regions.map(|(part, color)| Curve { name: part.name, color, line: steps(part, seconds) });
    panel(&lower, "Admitted tokens, each region", quota, seconds, regions.collect())?;
    root.present()?;
    Ok(())
}

struct Curve {
    name: &'static str,
    color: RGBColor,
    line: Line,
}

/// The tokens admitted so far, a step an admission, up to the end.
fn steps(part: &Part, seconds: f64) -> Line {
    let mut line = vec![(0.0, 0.0)];
    let mut total = 0;
    for (after, tokens) in &part.admissions {
        line.push((after.as_secs_f64(), float(total)));
        total += tokens;
        line.push((after.as_secs_f64(), float(total)));
    }
    line.push((seconds, float(total)));
    line
}

fn panel(
    area: &Panel<'_>,
    title: &str,
    quota: u64,
    seconds: f64,
    curves: Vec<Curve>,
) -> Result<(), Box<dyn Error>> {
    let allowed = vec![(0.0, float(quota)), (seconds, float(quota) * (1.0 + seconds / 60.0))];
    let quota =
        Curve { name: "quota: one minute's at once, then as it refills", color: QUOTA, line: allowed };
    let tops = curves.iter().chain([&quota]).filter_map(|curve| curve.line.last());
    let top = tops.map(|(_, tokens)| *tokens).fold(1.0, f64::max);

    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 20))
        .margin(14)
        .x_label_area_size(40)
        .y_label_area_size(80)
        .build_cartesian_2d(0.0..seconds.max(0.001), 0.0..top * 1.05)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc("seconds since the first submission")
        .y_desc("tokens")
        .y_label_formatter(&|tokens| format!("{} k", tokens / 1000.0))
        .draw()?;
    for Curve { name, color, line } in [quota].into_iter().chain(curves) {
        chart
            .draw_series(LineSeries::new(line, color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}
