//! Matrices as colours, with a scale.

use ndarray::Array2;

use super::axis::{Axis, Tick};
use super::color::ColorMap;
use super::frame::fill;
use super::svg::{Anchor, GRID, INK, MUTED, Svg, TEXT, text_width};
use super::{Plot, Size};
use crate::format::exponent_of;
use crate::picture::{LIMIT, NAN_COLOR, Picture};
use crate::{decimals, significant};

/// A matrix `[rows, columns]` as colours; row 0 is on top.
///
/// ```
/// use ndarray::array;
/// use variata_report::{Heatmap, Plot};
/// let svg = Heatmap { values: array![[0.0, 1.0], [0.5, 0.2]], annotate: true, ..Heatmap::default() }.to_svg();
/// assert!(svg.contains(">0.50</text>"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Heatmap {
    /// The values; NaN is magenta.
    pub values: Array2<f64>,
    /// Label below the columns.
    pub x_label: String,
    /// Label beside the rows.
    pub y_label: String,
    /// Names of the rows; as many as there are.
    pub row_names: Vec<String>,
    /// Names of the columns; as many as there are.
    pub column_names: Vec<String>,
    /// What a colour means, with its unit.
    pub value_label: String,
    /// Values of the first and last colour; from the data where `None` or unusable.
    pub range: Option<[f64; 2]>,
    /// The colours.
    pub map: ColorMap,
    /// Writes each value into its cell, to a hundredth of the range; for small matrices.
    pub annotate: bool,
    /// Size; the cells fill it.
    pub size: Size,
}

impl Default for Heatmap {
    fn default() -> Self {
        Self {
            values: Array2::zeros((0, 0)),
            x_label: String::new(),
            y_label: String::new(),
            row_names: Vec::new(),
            column_names: Vec::new(),
            value_label: String::new(),
            range: None,
            map: ColorMap::default(),
            annotate: false,
            size: Size::new(640.0, 480.0),
        }
    }
}

impl Plot for Heatmap {
    fn to_svg(&self) -> String {
        let (width, height) = self.size.kept();
        let label = if self.value_label.is_empty() { "heatmap" } else { &self.value_label };
        let mut svg = Svg::new(width, height, label);
        let (rows, columns) = self.values.dim();
        if rows == 0 || columns == 0 {
            svg.rect((1.0, 1.0), (width - 2.0, height - 2.0), &format!("fill:none;stroke:{GRID}"), "");
            svg.words((width / 2.0, height / 2.0), Anchor::Middle, &fill(MUTED), "no data");
            return svg.finish();
        }
        let (lo, hi) = self.limits();
        let widest = |names: &[String]| names.iter().map(|n| text_width(n)).fold(0.0, f64::max);
        let left = widest(&self.row_names) + 10.0 + if self.y_label.is_empty() { 0.0 } else { TEXT + 8.0 };
        let names = if self.column_names.is_empty() { 0.0 } else { TEXT + 6.0 };
        let words = if self.x_label.is_empty() { 4.0 } else { TEXT + 10.0 };
        let note = if self.values.iter().any(|v| v.is_nan()) { 18.0 } else { 0.0 };
        let scale_width = self.scale_width(lo, hi);
        let (area_width, area_height) =
            ((width - left - scale_width).max(20.0), (height - 10.0 - names - words - note).max(20.0));
        // Cells are square unless that would leave most of the area empty.
        let (cell_width, cell_height) = (area_width / columns as f64, area_height / rows as f64);
        let side = cell_width.min(cell_height);
        let (cell_width, cell_height) = (cell_width.min(2.0 * side), cell_height.min(2.0 * side));
        let area = Area { left, top: 8.0, cell_width, cell_height, lo, hi };
        self.cells(&mut svg, &area);
        let (right, bottom) = (left + cell_width * columns as f64, 8.0 + cell_height * rows as f64);
        for (name, i) in fitting(&self.row_names, rows, (TEXT + 3.0) / cell_height) {
            let y = area.top + (i as f64 + 0.5) * cell_height + 4.5;
            svg.words((left - 7.0, y), Anchor::End, &fill(MUTED), name);
        }
        let each = (widest(&self.column_names) + 8.0) / cell_width;
        for (name, i) in fitting(&self.column_names, columns, each) {
            let x = left + (i as f64 + 0.5) * cell_width;
            svg.words((x, bottom + TEXT + 4.0), Anchor::Middle, &fill(MUTED), name);
        }
        if !self.x_label.is_empty() {
            let at = (f64::midpoint(left, right), bottom + names + TEXT + 6.0);
            svg.words(at, Anchor::Middle, "", &self.x_label);
        }
        if !self.y_label.is_empty() {
            svg.words_up((TEXT, f64::midpoint(area.top, bottom)), &self.y_label);
        }
        self.scale(&mut svg, right + 18.0, bottom, lo, hi);
        if note > 0.0 {
            let count = self.values.iter().filter(|v| v.is_nan()).count();
            let style = format!("{};font-size:11px;font-style:italic", fill(MUTED));
            svg.words((width - 4.0, height - 5.0), Anchor::End, &style, &format!("{count} NaN (magenta)"));
        }
        svg.finish()
    }
}

struct Area {
    left: f64,
    top: f64,
    cell_width: f64,
    cell_height: f64,
    lo: f64,
    hi: f64,
}

impl Area {
    fn part(&self, value: f64) -> f64 {
        let span = self.hi - self.lo;
        (value / span - self.lo / span).clamp(0.0, 1.0)
    }
}

impl Heatmap {
    fn limits(&self) -> (f64, f64) {
        let fixed = self.range.filter(|[a, b]| a.is_finite() && b.is_finite() && a < b);
        let finite = || self.values.iter().copied().filter(|v| v.is_finite());
        let (lo, hi) = match fixed {
            Some([a, b]) => (a, b),
            None if self.map == ColorMap::Diverging => {
                let far = finite().fold(0.0_f64, |m, v| m.max(v.abs()));
                (-far, far)
            }
            None => (finite().reduce(f64::min).unwrap_or(0.0), finite().reduce(f64::max).unwrap_or(1.0)),
        };
        let (lo, hi) = (lo.clamp(-1e300, 1e300), hi.clamp(-1e300, 1e300));
        let magnitude = lo.abs().max(hi.abs());
        if hi - lo <= 1e-12 * magnitude || hi - lo < 1e-290 {
            let pad = if magnitude < 1e-280 { 1.0 } else { 0.5 * magnitude };
            (lo - pad, hi + pad)
        } else {
            (lo, hi)
        }
    }

    fn color(&self, area: &Area, value: f64) -> [u8; 4] {
        if value.is_nan() {
            return NAN_COLOR;
        }
        let [r, g, b] = self.map.at(area.part(value));
        [r, g, b, 255]
    }

    fn cells(&self, svg: &mut Svg, area: &Area) {
        let (rows, columns) = self.values.dim();
        // Many cells are one picture; few are rectangles, sharp at any size.
        if rows * columns > 1024
            && let Some(uri) = self.picture(area)
        {
            let [x, y, w, h] =
                [area.left, area.top, area.cell_width * columns as f64, area.cell_height * rows as f64]
                    .map(crate::format::coordinate);
            svg.raw(&format!(
                "<image x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" preserveAspectRatio=\"none\" \
                 style=\"image-rendering:pixelated\" href=\"{uri}\"/>"
            ));
            return;
        }
        for ((i, j), &value) in self.values.indexed_iter() {
            let (x, y) = (area.left + j as f64 * area.cell_width, area.top + i as f64 * area.cell_height);
            let [r, g, b, _] = self.color(area, value);
            let style = format!("fill:rgb({r},{g},{b})");
            // A little overlap hides the seams that renderers leave between neighbours.
            svg.rect((x, y), (area.cell_width + 0.3, area.cell_height + 0.3), &style, &significant(value, 4));
        }
        if self.annotate {
            self.annotations(svg, area);
        }
    }

    /// Each value in its cell, all in one size that fits the longest.
    fn annotations(&self, svg: &mut Svg, area: &Area) {
        let places = (2 - exponent_of(area.hi - area.lo, 2)).clamp(0, 9) as usize;
        let words = self.values.mapv(|v| {
            let text = decimals(v, places);
            // A matrix of shares is mostly zeros, which are read past more easily when short.
            if text.bytes().all(|b| b == b'0' || b == b'.') { "0".to_owned() } else { text }
        });
        let widest = words.iter().map(|w| text_width(w)).fold(1.0, f64::max);
        let size = (TEXT * 0.84 * area.cell_width / widest).min(0.6 * area.cell_height).min(TEXT);
        for ((i, j), word) in words.indexed_iter() {
            let value = self.values[[i, j]];
            let light = !value.is_nan() && self.map.is_light(area.part(value));
            let style = format!(
                "fill:{};font-size:{size:.1}px;pointer-events:none",
                if light { "#111" } else { "#fff" }
            );
            let x = area.left + (j as f64 + 0.5) * area.cell_width;
            let y = area.top + (i as f64 + 0.5) * area.cell_height + 0.36 * size;
            svg.words((x, y), Anchor::Middle, &style, word);
        }
    }

    fn picture(&self, area: &Area) -> Option<String> {
        let (rows, columns) = self.values.dim();
        // Of more cells than a picture has pixels, every second or third is shown.
        let step = rows.max(columns).div_ceil(LIMIT);
        let mut picture = Picture::new(columns.div_ceil(step), rows.div_ceil(step)).ok()?;
        for (i, row) in self.values.rows().into_iter().step_by(step).enumerate() {
            for (j, &value) in row.iter().step_by(step).enumerate() {
                picture.fill(j, i, 1, 1, self.color(area, value));
            }
        }
        picture.to_data_uri().ok()
    }

    fn scale(&self, svg: &mut Svg, x: f64, bottom: f64, lo: f64, hi: f64) {
        const STEPS: usize = 64;
        let (top, width) = (8.0, 12.0);
        let height = (bottom - top) / STEPS as f64;
        for step in 0..STEPS {
            let [r, g, b] = self.map.at((step as f64 + 0.5) / STEPS as f64);
            let y = bottom - (step + 1) as f64 * height;
            svg.rect((x, y), (width, height + 0.3), &format!("fill:rgb({r},{g},{b})"), "");
        }
        let mut widest = 0.0_f64;
        for tick in scale_ticks(lo, hi, bottom - top) {
            let y = bottom - (bottom - top) * tick.part;
            svg.line((x + width, y), (x + width + 4.0, y), INK, 1.0);
            svg.words((x + width + 7.0, y + 4.5), Anchor::Start, &fill(MUTED), &tick.label);
            widest = widest.max(text_width(&tick.label));
        }
        if !self.value_label.is_empty() {
            svg.words_up((x + width + 16.0 + widest + TEXT, f64::midpoint(top, bottom)), &self.value_label);
        }
    }

    /// Room for the scale at the right: its distance, bar, ticks and label.
    fn scale_width(&self, lo: f64, hi: f64) -> f64 {
        // The ticks depend a little on the height, which is not known yet.
        let ticks = scale_ticks(lo, hi, self.size.kept().1);
        let widest = ticks.iter().map(|t| text_width(&t.label)).fold(0.0, f64::max);
        18.0 + 12.0 + 16.0 + widest + if self.value_label.is_empty() { 0.0 } else { TEXT + 8.0 }
    }
}

fn scale_ticks(lo: f64, hi: f64, height: f64) -> Vec<Tick> {
    let wanted = (height / 50.0).clamp(2.0, 6.0) as usize;
    Axis::default().range(lo, hi).domain(std::iter::empty(), 0.0).map(|d| d.ticks(wanted)).unwrap_or_default()
}

/// Names with their index, as many as find room: `each` is how many cells one takes.
fn fitting(names: &[String], count: usize, each: f64) -> impl Iterator<Item = (&str, usize)> {
    let every = each.ceil().max(1.0) as usize;
    names.iter().take(count).enumerate().step_by(every).map(|(i, name)| (name.as_str(), i))
}
