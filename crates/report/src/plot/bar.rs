//! Bars side by side, with the range over seeds.

use super::axis::{Axis, Domain};
use super::frame::{Entry, Key, Layout};
use super::svg::{Anchor, INK, MUTED, point};
use super::{Plot, Size, color};
use crate::format::coordinate;
use crate::significant;

/// One colour of bars: a value for each category.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BarGroup {
    /// Name in the legend; none where empty.
    pub name: String,
    /// The values, one for each category.
    pub values: Vec<f64>,
    /// Lowest and highest value over seeds; empty for none.
    pub ranges: Vec<(f64, f64)>,
}

impl BarGroup {
    /// Bars without a range.
    #[must_use]
    pub fn new(name: impl Into<String>, values: Vec<f64>) -> Self {
        Self { name: name.into(), values, ranges: Vec::new() }
    }
}

/// Bars for named categories, such as the KL term of each latent dimension.
///
/// ```
/// use variata_report::{Axis, BarGroup, BarPlot, Plot};
/// let plot = BarPlot {
///     y: Axis::new("KL, nats"),
///     categories: vec!["z₁".into(), "z₂".into()],
///     groups: vec![BarGroup::new("β = 1", vec![2.1, 0.02])],
///     ..BarPlot::default()
/// };
/// assert!(plot.to_svg().contains("β = 1"));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BarPlot {
    /// Label of the categories.
    pub x: Axis,
    /// The y axis: linear, and always with zero.
    pub y: Axis,
    /// Names of the categories; missing ones are numbered from 1.
    pub categories: Vec<String>,
    /// The bars.
    pub groups: Vec<BarGroup>,
    /// Size.
    pub size: Size,
}

impl Plot for BarPlot {
    fn to_svg(&self) -> String {
        let y = Axis { scale: super::Scale::Linear, ..self.y.clone() };
        let slots =
            self.groups.iter().map(|g| g.values.len()).chain([self.categories.len()]).max().unwrap_or(0);
        let names: Vec<String> = (0..slots)
            .map(|i| self.categories.get(i).cloned().unwrap_or_else(|| (i + 1).to_string()))
            .collect();
        let values = || self.groups.iter().flat_map(|g| &g.values).copied();
        let ends = self.groups.iter().flat_map(|g| &g.ranges).flat_map(|r| [r.0, r.1]);
        let shown = values().filter(|v| v.is_finite()).count();
        let domain = (shown > 0).then(|| y.domain(values().chain(ends).chain([0.0]), 0.0)).flatten();
        let legend: Vec<Entry> = self
            .groups
            .iter()
            .enumerate()
            .filter(|(_, g)| !g.name.is_empty())
            .map(|(i, g)| (g.name.clone(), Key::Square, color::class(i)))
            .collect();
        let layout = Layout {
            size: self.size,
            x: &self.x,
            y: &y,
            x_domain: Axis::default().range(0.0, slots.max(1) as f64).domain(std::iter::empty(), 0.0),
            y_domain: domain.map(Domain::with_zero).map(|d| d.rounded(5)),
            legend: &legend,
            names: Some(&names),
            x_grid: false,
            equal: false,
            left_out: values().count() - shown,
        };
        let (mut svg, frame) = match layout.begin() {
            Ok(begun) => begun,
            Err(finished) => return finished,
        };
        let width = 0.76 / self.groups.len().max(1) as f64;
        let zero = frame.y(0.0);
        frame.open(&mut svg);
        for (g, group) in self.groups.iter().enumerate() {
            for (i, &value) in group.values.iter().enumerate() {
                let left = frame.x(i as f64 + 0.12 + g as f64 * width);
                let wide = (frame.x(width) - frame.x(0.0) - if width > 0.3 { 0.0 } else { 0.8 }).max(0.5);
                if !value.is_finite() {
                    svg.words((left + wide / 2.0, zero - 3.0), Anchor::Middle, &format!("fill:{MUTED}"), "×");
                    continue;
                }
                let top = frame.y(value);
                let hint = format!("{} {}: {}", names[i], group.name, significant(value, 4));
                let style = format!("fill:{}", color::class(g));
                svg.rect((left, top.min(zero)), (wide, (top - zero).abs()), &style, &hint);
                if let Some(&(lo, hi)) = group.ranges.get(i).filter(|r| r.0.is_finite() && r.1.is_finite()) {
                    let middle = left + wide / 2.0;
                    let path = format!("M{}V{}", point((middle, frame.y(lo))), coordinate(frame.y(hi)));
                    svg.path(&path, &format!("fill:none;stroke:{INK};stroke-width:1.2"));
                }
            }
        }
        frame.close(&mut svg);
        if zero < frame.top + frame.height - 0.5 {
            svg.line((frame.left, zero), (frame.left + frame.width, zero), INK, 1.0);
        }
        svg.finish()
    }
}
