//! Experiment reports that are one file: a page with its claims and their verdicts on top, plots, pictures
//! and tables below, and what produced them at the end.
//!
//! - [`Report`] is the page; [`Section`], [`Figure`] and [`Table`] are its parts.
//! - [`Claim`] says what a paper claims, how it was tested and what came out.
//! - [`LinePlot`], [`ScatterPlot`], [`BarPlot`], [`Histogram`] and [`Heatmap`] draw; [`ImageGrid`] lays out
//!   pictures.
//! - [`Index`] is a page over several of them.
//! - [`OutputDir`] is the folder of a run, [`Manifest`] what made it, [`Metrics`] its numbers.
//!
//! Everything written is a function of the values given: the same run gives the same bytes. Only
//! [`RunTimes`], which go to manifest.json alone, know the clock.
//!
//! ```
//! use variata_report::{Axis, Figure, LinePlot, LineSeries, Section};
//! let plot = LinePlot {
//!     x: Axis::new("epoch"),
//!     y: Axis::new("ELBO, nats"),
//!     series: vec![LineSeries::over_seeds("VAE", &[1.0, 2.0], &[vec![-110.0, -90.0], vec![-112.0, -91.0]])?],
//!     ..LinePlot::default()
//! };
//! let section = Section::new("Training").figure(Figure::plot("elbo", "The bound over training.", &plot));
//! # Ok::<(), variata_report::Error>(())
//! ```

#![forbid(unsafe_code)]

mod claim;
mod error;
mod figure;
mod format;
mod hash;
mod index;
mod manifest;
mod markup;
mod metrics;
mod output;
mod picture;
mod plot;
mod report;
mod table;

pub use claim::{Claim, Criterion, SeedValue, Verdict};
pub use error::Error;
pub use figure::Figure;
pub use format::{Spread, decimals, mean_sd, significant};
pub use hash::{sha256, sha256_reader};
pub use index::{Index, IndexEntry};
pub use manifest::{DataSource, Machine, Manifest, RunTimes};
pub use metrics::{Metric, Metrics};
pub use output::{OutputDir, Previous, Replace};
pub use picture::{ImageGrid, Picture};
pub use plot::{
    Axis, BarGroup, BarPlot, ColorMap, Heatmap, Histogram, LinePlot, LineSeries, Plot, Reference, Sample,
    Scale, ScatterClass, ScatterPlot, Size,
};
pub use report::{Block, Report, Section};
pub use table::{Best, Cell, Column, Digits, Table};
