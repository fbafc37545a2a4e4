//! Curves, with the range over seeds as a band.

use super::frame::{Entry, Frame, Key, Layout};
use super::svg::{Anchor, INK, MUTED, PAPER, Svg, point};
use super::{Axis, Plot, Size, color};
use crate::Error;
use crate::format::{Spread, coordinate};

/// A curve of a [`LinePlot`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LineSeries {
    /// Name in the legend; none where empty.
    pub name: String,
    /// The points, in order. The curve is broken where one cannot be shown.
    pub points: Vec<(f64, f64)>,
    /// x, lower and upper end of a band around the curve.
    pub band: Vec<(f64, f64, f64)>,
    /// Draws it in dashes.
    pub dashed: bool,
    /// Number of the colour; the place in the list where `None`.
    pub color: Option<usize>,
}

impl LineSeries {
    /// A curve through `points`.
    #[must_use]
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, ..Self::default() }
    }

    /// The mean over several runs and, for more than one, the band from the lowest to the highest.
    ///
    /// # Errors
    /// [`Error::Length`] where a run has not one value for each x.
    ///
    /// ```
    /// let series = variata_report::LineSeries::over_seeds("loss", &[0.0, 1.0], &[vec![4.0, 2.0], vec![5.0, 3.0]]);
    /// assert_eq!(series.unwrap().points, [(0.0, 4.5), (1.0, 2.5)]);
    /// ```
    pub fn over_seeds(name: impl Into<String>, x: &[f64], runs: &[Vec<f64>]) -> Result<Self, Error> {
        if let Some(run) = runs.iter().find(|run| run.len() != x.len()) {
            return Err(Error::Length { argument: "runs", got: run.len(), want: x.len() });
        }
        let at = |i: usize| runs.iter().map(move |run| run[i]);
        let mut series = Self::new(name, Vec::new());
        for (i, &x) in x.iter().enumerate().filter(|_| !runs.is_empty()) {
            series.points.push((x, Spread::of(&at(i).collect::<Vec<_>>()).mean));
            if runs.len() > 1 {
                // One run without a value leaves a gap: a band of the others would hide it.
                let fold = |f: fn(f64, f64) -> f64| {
                    at(i).reduce(|a, b| {
                        if a.is_nan() {
                            a
                        } else if b.is_nan() {
                            b
                        } else {
                            f(a, b)
                        }
                    })
                };
                if let (Some(lo), Some(hi)) = (fold(f64::min), fold(f64::max)) {
                    series.band.push((x, lo, hi));
                }
            }
        }
        Ok(series)
    }

    /// Draws it in dashes.
    #[must_use]
    pub fn dashed(mut self) -> Self {
        self.dashed = true;
        self
    }

    /// Gives it the colour of that number, as to pair a training with a validation curve.
    #[must_use]
    pub fn color(mut self, index: usize) -> Self {
        self.color = Some(index);
        self
    }
}

/// A horizontal line at a value to compare with.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// The value.
    pub value: f64,
    /// Written above the line, at its right end.
    pub label: String,
}

/// Curves over a common x axis.
///
/// ```
/// use variata_report::{Axis, LinePlot, LineSeries, Plot};
/// let plot = LinePlot {
///     x: Axis::new("epoch"),
///     y: Axis::new("loss, nats").log(),
///     series: vec![LineSeries::new("train", vec![(0.0, 100.0), (1.0, 10.0)])],
///     ..LinePlot::default()
/// };
/// assert!(plot.to_svg().starts_with("<svg"));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LinePlot {
    /// The x axis.
    pub x: Axis,
    /// The y axis.
    pub y: Axis,
    /// The curves.
    pub series: Vec<LineSeries>,
    /// Values to compare with; the y axis reaches them.
    pub references: Vec<Reference>,
    /// Size.
    pub size: Size,
}

impl Plot for LinePlot {
    fn to_svg(&self) -> String {
        let shows = |&(x, y): &(f64, f64)| self.x.shows(x) && self.y.shows(y);
        let shown = || self.series.iter().flat_map(|s| &s.points).filter(|p| shows(p));
        let bands = || {
            let band = self.series.iter().flat_map(|s| &s.band);
            band.filter(|(x, lo, hi)| self.x.shows(*x) && self.y.shows(*lo) && self.y.shows(*hi))
        };
        let references = self.references.iter().map(|r| r.value);
        let heights = shown().map(|p| p.1).chain(bands().flat_map(|b| [b.1, b.2]));
        let legend: Vec<Entry> = self
            .series
            .iter()
            .enumerate()
            .filter(|(_, s)| !s.name.is_empty())
            .map(|(i, s)| {
                let key = if s.dashed { Key::Dashes } else { Key::Line };
                (s.name.clone(), key, color::class(s.color.unwrap_or(i)))
            })
            .collect();
        let total: usize = self.series.iter().map(|s| s.points.len()).sum();
        let layout = Layout {
            size: self.size,
            x: &self.x,
            y: &self.y,
            x_domain: self.x.domain(shown().map(|p| p.0), 0.0),
            // References alone give no plot.
            y_domain: shown().next().and_then(|_| self.y.domain(heights.chain(references), 0.04)),
            legend: &legend,
            names: None,
            x_grid: false,
            equal: false,
            left_out: total - shown().count(),
        };
        let (mut svg, frame) = match layout.begin() {
            Ok(begun) => begun,
            Err(finished) => return finished,
        };
        frame.open(&mut svg);
        for (i, series) in self.series.iter().enumerate() {
            let color = color::class(series.color.unwrap_or(i));
            for run in series.band.split(|&(x, lo, hi)| !(shows(&(x, lo)) && shows(&(x, hi)))) {
                let upper: Vec<_> = run.iter().map(|b| frame.at((b.0, b.2))).collect();
                let lower: Vec<_> = run.iter().rev().map(|b| frame.at((b.0, b.1))).collect();
                if upper.len() > 1 {
                    let outline: Vec<String> =
                        thin(&upper).into_iter().chain(thin(&lower)).map(point).collect();
                    svg.path(&format!("M{}Z", outline.join("L")), &format!("fill:{color};fill-opacity:.18"));
                }
            }
        }
        for (i, series) in self.series.iter().enumerate() {
            let color = color::class(series.color.unwrap_or(i));
            for run in series.points.split(|p| !shows(p)) {
                draw_run(&mut svg, &frame, run, &color, series.dashed);
            }
        }
        frame.close(&mut svg);
        for reference in self.references.iter().filter(|r| self.y.shows(r.value)) {
            draw_reference(&mut svg, &frame, reference);
        }
        svg.finish()
    }
}

fn draw_run(svg: &mut Svg, frame: &Frame, run: &[(f64, f64)], color: &str, dashed: bool) {
    let places: Vec<_> = run.iter().map(|&p| frame.at(p)).collect();
    if let [only] = places[..] {
        svg.circle(only, 3.0, &format!("fill:{color}"));
    } else if !places.is_empty() {
        let path: Vec<String> = thin(&places).into_iter().map(point).collect();
        let dashes = if dashed { ";stroke-dasharray:5 3.5" } else { "" };
        let style = format!(
            "fill:none;stroke:{color};stroke-width:1.9;stroke-linejoin:round;stroke-linecap:round{dashes}"
        );
        svg.path(&format!("M{}", path.join("L")), &style);
    }
}

fn draw_reference(svg: &mut Svg, frame: &Frame, reference: &Reference) {
    let y = frame.y(reference.value);
    if y < frame.top - 1.0 || y > frame.top + frame.height + 1.0 {
        return;
    }
    let right = frame.left + frame.width;
    let path = format!("M{}H{}", point((frame.left, y)), coordinate(right));
    svg.path(&path, &format!("fill:none;stroke:{INK};stroke-width:1;stroke-dasharray:2 3"));
    let style = format!("fill:{MUTED};font-size:12px;stroke:{PAPER};stroke-width:3px;paint-order:stroke");
    svg.words((right - 2.0, y - 5.0), Anchor::End, &style, &reference.label);
}

/// At most four points for each unit of width: the first, lowest, highest and last, in their order. What
/// is seen stays the same, and a curve of a million steps stays a small file.
fn thin(places: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if places.len() <= 1500 {
        return places.to_vec();
    }
    let mut kept = Vec::new();
    for column in places.chunk_by(|a, b| a.0.floor() == b.0.floor()) {
        let by = |better: fn(f64, f64) -> bool| {
            (1..column.len()).fold(0, |best, i| if better(column[i].1, column[best].1) { i } else { best })
        };
        let mut keep = vec![0, by(|a, b| a < b), by(|a, b| a > b), column.len() - 1];
        keep.sort_unstable();
        keep.dedup();
        kept.extend(keep.into_iter().map(|i| column[i]));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::thin;

    #[test]
    fn thinning_keeps_ends_and_extremes() {
        let mut places: Vec<(f64, f64)> = (0..20_000).map(|i| (f64::from(i) / 100.0, 0.0)).collect();
        places[7_777].1 = 9.0;
        places[7_778].1 = -9.0;
        let kept = thin(&places);
        assert!(kept.len() <= 4 * 200, "{}", kept.len());
        assert_eq!((kept.first(), kept.last()), (places.first(), places.last()));
        assert!(kept.contains(&places[7_777]) && kept.contains(&places[7_778]));
    }
}
