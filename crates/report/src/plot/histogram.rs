//! Histograms as densities, with the density that was expected.

use super::axis::{Axis, Domain};
use super::frame::{Entry, Key, Layout};
use super::svg::{INK, point};
use super::{Plot, Size, color};

/// A sample of a [`Histogram`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// Name in the legend; none where empty.
    pub name: String,
    /// The values.
    pub values: Vec<f64>,
}

/// How often values fall where, as a density: each sample's area is 1.
///
/// ```
/// use variata_report::{Axis, Histogram, Plot, Sample};
/// let normal = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
/// let plot = Histogram {
///     x: Axis::new("z").range(-3.0, 3.0),
///     samples: vec![Sample { name: "codes".into(), values: vec![-0.4, 0.1, 1.2] }],
///     ..Histogram::default()
/// }
/// .with_density("N(0, 1)", -3.0, 3.0, normal);
/// assert!(plot.to_svg().contains("N(0, 1)"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// The axis of the values: linear.
    pub x: Axis,
    /// The axis of the density; named so by default.
    pub y: Axis,
    /// The samples.
    pub samples: Vec<Sample>,
    /// Bins over the range of x; 40 by default, kept in 1 to 500.
    pub bins: usize,
    /// Name and points of the expected density.
    pub density: Option<(String, Vec<(f64, f64)>)>,
    /// Size.
    pub size: Size,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            x: Axis::default(),
            y: Axis::new("density"),
            samples: Vec::new(),
            bins: 40,
            density: None,
            size: Size::default(),
        }
    }
}

impl Histogram {
    /// Adds the density `f` between two values.
    #[must_use]
    pub fn with_density(
        mut self,
        name: impl Into<String>,
        from: f64,
        to: f64,
        f: impl Fn(f64) -> f64,
    ) -> Self {
        let at = |i: u32| from + (to - from) * f64::from(i) / 200.0;
        self.density = Some((name.into(), (0..=200).map(|i| (at(i), f(at(i)))).collect()));
        self
    }
}

impl Plot for Histogram {
    fn to_svg(&self) -> String {
        let x = Axis { scale: super::Scale::Linear, ..self.x.clone() };
        let y = Axis { scale: super::Scale::Linear, ..self.y.clone() };
        let values = || self.samples.iter().flat_map(|s| &s.values).copied();
        let domain = x.domain(values(), 0.0);
        let bins = self.bins.clamp(1, 500);
        let shares: Vec<Vec<f64>> = self
            .samples
            .iter()
            .map(|s| domain.map_or_else(Vec::new, |d| shares(&s.values, d, bins)))
            .collect();
        let width = domain.map_or(1.0, |d| (d.hi - d.lo) / bins as f64);
        let curve = || {
            self.density.iter().flat_map(|(_, points)| points).filter(|p| p.0.is_finite() && p.1.is_finite())
        };
        let heights = shares.iter().flatten().map(|share| share / width).chain(curve().map(|p| p.1));
        let mut legend: Vec<Entry> = self
            .samples
            .iter()
            .enumerate()
            .filter(|(_, s)| !s.name.is_empty())
            .map(|(i, s)| (s.name.clone(), Key::Square, color::class(i)))
            .collect();
        legend.extend(self.density.iter().map(|(name, _)| (name.clone(), Key::Line, INK.to_owned())));
        let layout = Layout {
            size: self.size,
            x: &x,
            y: &y,
            x_domain: domain,
            y_domain: y
                .domain(heights.chain([0.0]), 0.0)
                .map(|d| Domain { hi: d.hi + 0.04 * (d.hi - d.lo), ..d.with_zero() }),
            legend: &legend,
            names: None,
            x_grid: false,
            equal: false,
            left_out: values().filter(|v| !v.is_finite()).count(),
        };
        let (mut svg, frame) = match layout.begin() {
            Ok(begun) => begun,
            Err(finished) => return finished,
        };
        frame.open(&mut svg);
        let alone = self.samples.len() == 1;
        for (i, shares) in shares.iter().enumerate().filter(|(_, s)| s.iter().any(|v| *v > 0.0)) {
            let mut outline = vec![point((frame.left, frame.y(0.0)))];
            for (b, share) in shares.iter().enumerate() {
                let side = |k: usize| frame.left + frame.width * k as f64 / bins as f64;
                outline.push(point((side(b), frame.y(share / width))));
                outline.push(point((side(b + 1), frame.y(share / width))));
            }
            outline.push(point((frame.left + frame.width, frame.y(0.0))));
            let (color, opacity) = (color::class(i), if alone { ".55" } else { ".25" });
            let style = format!("fill:{color};fill-opacity:{opacity};stroke:{color};stroke-width:1.2");
            svg.path(&format!("M{}", outline.join("L")), &style);
        }
        let curve: Vec<String> = curve().map(|&p| point(frame.at(p))).collect();
        if curve.len() > 1 {
            svg.path(&format!("M{}", curve.join("L")), &format!("fill:none;stroke:{INK};stroke-width:1.7"));
        }
        frame.close(&mut svg);
        svg.finish()
    }
}

/// The part of all finite values that falls into each bin. The last bin has its upper end too; values
/// beyond a fixed range count in the total only.
fn shares(values: &[f64], domain: Domain, bins: usize) -> Vec<f64> {
    let mut counts = vec![0_usize; bins];
    let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    for &value in finite.iter().filter(|&&v| v >= domain.lo && v <= domain.hi) {
        let bin = (domain.part(value) * bins as f64) as usize;
        counts[bin.min(bins - 1)] += 1;
    }
    counts.into_iter().map(|c| c as f64 / finite.len().max(1) as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_all_bins_are_one() {
        let values: Vec<f64> = (0..1000).map(|i| (f64::from(i) * 0.731).sin()).chain([f64::NAN]).collect();
        let domain = Axis::new("").domain(values.iter().copied(), 0.0).unwrap();
        let shares = shares(&values, domain, 17);
        // Sums of 17 multiples of 1/1000, each rounded once.
        assert!((shares.iter().sum::<f64>() - 1.0).abs() <= 17.0 * f64::EPSILON);
    }
}
