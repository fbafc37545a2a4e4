//! Plots as SVG: axes with round ticks, direct labels, the same text for the same data.
//!
//! Colours are CSS variables with a fallback, so that a plot follows the light or dark page it stands in
//! and still reads as a file of its own. Values that cannot be shown (NaN, infinite, not positive on a
//! logarithmic axis) are left out and counted below the plot; a plot without data says so.

mod axis;
mod bar;
mod color;
mod frame;
mod heatmap;
mod histogram;
mod line;
mod scatter;
mod svg;

pub use self::axis::{Axis, Scale};
pub use self::bar::{BarGroup, BarPlot};
pub use self::color::ColorMap;
pub use self::heatmap::Heatmap;
pub use self::histogram::{Histogram, Sample};
pub use self::line::{LinePlot, LineSeries, Reference};
pub use self::scatter::{ScatterClass, ScatterPlot};

/// Anything that can be drawn.
pub trait Plot {
    /// The plot as an `<svg>` element: the same bytes for the same data.
    fn to_svg(&self) -> String;
}

/// Size of a plot in its own units; a page scales it. Text is 13 units high.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    /// Width; 640 by default. Kept in 160 to 4000.
    pub width: f64,
    /// Height; 400 by default. Kept in 120 to 4000.
    pub height: f64,
}

impl Default for Size {
    fn default() -> Self {
        Self { width: 640.0, height: 400.0 }
    }
}

impl Size {
    /// For two plots side by side on a page: text keeps its size there.
    pub const HALF: Self = Self { width: 360.0, height: 300.0 };

    /// Of this width and height.
    #[must_use]
    pub fn new(width: f64, height: f64) -> Self {
        Self { width, height }
    }

    fn kept(self) -> (f64, f64) {
        let kept = |v: f64, least: f64| if v.is_nan() { least } else { v.clamp(least, 4000.0) };
        (kept(self.width, 160.0), kept(self.height, 120.0))
    }
}
