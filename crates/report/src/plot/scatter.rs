//! Clouds of points, coloured by class.

use std::fmt::Write as _;

use super::frame::{Entry, Key, Layout};
use super::svg::{Anchor, INK, PAPER, point};
use super::{Axis, Plot, Size, color};

/// The points of one class.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScatterClass {
    /// Name in the legend, and on the plot where [`ScatterPlot::label_classes`] is set.
    pub name: String,
    /// The points.
    pub points: Vec<(f64, f64)>,
}

/// Points coloured by class, as a map of a latent space.
///
/// ```
/// use variata_report::{Axis, Plot, ScatterClass, ScatterPlot};
/// let plot = ScatterPlot {
///     x: Axis::new("z₁"),
///     y: Axis::new("z₂"),
///     classes: ScatterPlot::classes(&[(0.0, 1.0), (2.0, 3.0)], &[7, 1], 10),
///     equal_aspect: true,
///     ..ScatterPlot::default()
/// };
/// assert!(plot.to_svg().contains(">7</text>"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ScatterPlot {
    /// The x axis.
    pub x: Axis,
    /// The y axis.
    pub y: Axis,
    /// The points, by class.
    pub classes: Vec<ScatterClass>,
    /// Writes the name of each class at the median of its points, or above where it would hide them; on by default: colours alone do not
    /// tell ten classes apart for everyone.
    pub label_classes: bool,
    /// Draws one unit of x as long as one of y; off by default.
    pub equal_aspect: bool,
    /// Diameter of a point, finite and > 0; from their number where it is not.
    pub diameter: Option<f64>,
    /// Size.
    pub size: Size,
}

impl Default for ScatterPlot {
    fn default() -> Self {
        Self {
            x: Axis::default(),
            y: Axis::default(),
            classes: Vec::new(),
            label_classes: true,
            equal_aspect: false,
            diameter: None,
            size: Size::new(640.0, 520.0),
        }
    }
}

impl ScatterPlot {
    /// Sorts points into `count` classes, at most 65,536, named by their number. Points without a label, or with one that
    /// names none of them, are left out.
    #[must_use]
    pub fn classes(points: &[(f64, f64)], labels: &[usize], count: usize) -> Vec<ScatterClass> {
        let mut classes: Vec<ScatterClass> = (0..count.min(1 << 16))
            .map(|c| ScatterClass { name: c.to_string(), points: Vec::new() })
            .collect();
        for (&point, &label) in points.iter().zip(labels) {
            if let Some(class) = classes.get_mut(label) {
                class.points.push(point);
            }
        }
        classes
    }
}

/// Classes are drawn in turn, a part of each, so that the last does not cover the others.
const ROUNDS: usize = 16;

impl Plot for ScatterPlot {
    fn to_svg(&self) -> String {
        let shows = |&(x, y): &(f64, f64)| self.x.shows(x) && self.y.shows(y);
        let classes: Vec<Vec<(f64, f64)>> =
            self.classes.iter().map(|c| c.points.iter().copied().filter(shows).collect()).collect();
        let shown = || classes.iter().flatten();
        let legend: Vec<Entry> = self
            .classes
            .iter()
            .enumerate()
            .filter(|(_, c)| !c.name.is_empty())
            .map(|(i, c)| (c.name.clone(), Key::Dot, color::class(i)))
            .collect();
        let count = shown().count();
        let layout = Layout {
            size: self.size,
            x: &self.x,
            y: &self.y,
            x_domain: self.x.domain(shown().map(|p| p.0), 0.04),
            y_domain: self.y.domain(shown().map(|p| p.1), 0.04),
            legend: &legend,
            names: None,
            x_grid: true,
            equal: self.equal_aspect,
            left_out: self.classes.iter().map(|c| c.points.len()).sum::<usize>() - count,
        };
        let (mut svg, frame) = match layout.begin() {
            Ok(begun) => begun,
            Err(finished) => return finished,
        };
        let diameter = self.diameter.filter(|d| d.is_finite() && *d > 0.0).unwrap_or(match count {
            0..=300 => 7.0,
            301..=3000 => 5.0,
            _ => 3.2,
        });
        frame.open(&mut svg);
        for round in 0..ROUNDS {
            for (i, class) in classes.iter().enumerate() {
                let mut path = String::new();
                for &p in class.iter().skip(round).step_by(ROUNDS) {
                    // A line of no length with round ends is a disc, in a quarter of a circle's text.
                    let _ = write!(path, "M{}h0", point(frame.at(p)));
                }
                if !path.is_empty() {
                    let color = color::class(i);
                    let style = format!(
                        "fill:none;stroke:{color};stroke-opacity:.75;stroke-width:{diameter:.1};stroke-linecap:round"
                    );
                    svg.path(&path, &style);
                }
            }
        }
        frame.close(&mut svg);
        if self.label_classes {
            let style = format!(
                "fill:{INK};font-size:17px;font-weight:700;stroke:{PAPER};stroke-width:4px;stroke-linejoin:round;paint-order:stroke"
            );
            for (class, points) in self.classes.iter().zip(&classes) {
                if let Some(middle) = median(points)
                    && !class.name.is_empty()
                {
                    let (x, y) = frame.at(middle);
                    let far = |p: &(f64, f64)| (frame.at(*p).0 - x).hypot(frame.at(*p).1 - y) > NAMED;
                    // A name in the middle would hide a class that is no larger than the name.
                    let hides = 2 * points.iter().filter(|p| far(p)).count() < points.len();
                    let base = if hides { y - 0.5 * diameter - 8.0 } else { y + 6.0 };
                    svg.words((x, base), Anchor::Middle, &style, &class.name);
                }
            }
        }
        svg.finish()
    }
}

/// About half the width of a name on the plot.
const NAMED: f64 = 24.0;

/// The median of each coordinate: a stray point does not move it.
fn median(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let of = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    Some((of(points.iter().map(|p| p.0).collect())?, of(points.iter().map(|p| p.1).collect())?))
}
