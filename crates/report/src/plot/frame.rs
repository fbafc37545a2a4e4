//! What all plots share: legend, margins, axes, grid, the place of a point, the note.

use super::Size;
use super::axis::{Axis, Domain};
use super::svg::{Anchor, GRID, INK, MUTED, Svg, TEXT, text_width};

/// The mark before a name in the legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Line,
    Dashes,
    Square,
    Dot,
}

/// An entry of the legend: name, mark, colour.
pub(crate) type Entry = (String, Key, String);

/// What is needed before anything can be drawn.
#[derive(Debug)]
pub(crate) struct Layout<'a> {
    pub(crate) size: Size,
    pub(crate) x: &'a Axis,
    pub(crate) y: &'a Axis,
    pub(crate) x_domain: Option<Domain>,
    pub(crate) y_domain: Option<Domain>,
    pub(crate) legend: &'a [Entry],
    /// Names along the x axis instead of numbers.
    pub(crate) names: Option<&'a [String]>,
    pub(crate) x_grid: bool,
    /// One unit of x is as long as one unit of y.
    pub(crate) equal: bool,
    /// Values that could not be shown.
    pub(crate) left_out: usize,
}

/// The area of the data, with axes drawn.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    x: Domain,
    y: Domain,
}

impl Frame {
    pub(crate) fn x(&self, value: f64) -> f64 {
        self.left + self.width * self.x.part(value)
    }

    pub(crate) fn y(&self, value: f64) -> f64 {
        self.top + self.height * (1.0 - self.y.part(value))
    }

    pub(crate) fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x(x), self.y(y))
    }

    /// Opens the area, a little wider than the axes so that marks on its edge stay whole.
    pub(crate) fn open(&self, svg: &mut Svg) {
        svg.open_clip(self.left - 3.0, self.top - 3.0, self.width + 6.0, self.height + 6.0);
    }

    pub(crate) fn close(&self, svg: &mut Svg) {
        svg.close_clip();
        // Once more, over what was drawn on it.
        let bottom = self.top + self.height;
        svg.line((self.left, bottom), (self.left + self.width, bottom), INK, 1.0);
    }
}

impl Layout<'_> {
    /// Begins the plot. `Err` is the finished plot, where there is nothing to draw.
    pub(crate) fn begin(&self) -> Result<(Svg, Frame), String> {
        let (width, height) = self.size.kept();
        let mut svg = Svg::new(width, height, &self.describe());
        let top = 8.0 + legend(&mut svg, self.legend, width);
        let note = if self.left_out > 0 { TEXT + 6.0 } else { 0.0 };
        let title_height = if self.x.label.is_empty() { 2.0 } else { TEXT + 9.0 };
        let bottom = height - note - title_height - TEXT - 10.0;
        let (Some(x), Some(mut y)) = (self.x_domain, self.y_domain) else {
            svg.rect((1.0, top), (width - 2.0, height - top - 1.0), &format!("fill:none;stroke:{GRID}"), "");
            svg.words((width / 2.0, f64::midpoint(top, height)), Anchor::Middle, &fill(MUTED), "no data");
            self.note(&mut svg, width, height - 8.0);
            return Err(svg.finish());
        };
        let mut x = x;
        let wanted = ((bottom - top) / 55.0).clamp(2.0, 7.0) as usize;
        let labels = y.ticks(wanted);
        let label_width = labels.iter().map(|t| text_width(&t.label)).fold(0.0, f64::max);
        let left = label_width + 12.0 + if self.y.label.is_empty() { 0.0 } else { TEXT + 8.0 };
        let mut frame = Frame {
            left,
            top,
            width: (width - left - 16.0).max(20.0),
            height: (bottom - top).max(20.0),
            x,
            y,
        };
        if self.equal {
            equalise(&mut x, &mut y, frame.width / frame.height);
            (frame.x, frame.y) = (x, y);
        }
        self.axes(&mut svg, &frame, wanted);
        if !self.x.label.is_empty() {
            let at = (frame.left + frame.width / 2.0, bottom + 2.0 * TEXT + 12.0);
            svg.words(at, Anchor::Middle, "", &self.x.label);
        }
        if !self.y.label.is_empty() {
            svg.words_up((TEXT, frame.top + frame.height / 2.0), &self.y.label);
        }
        self.note(&mut svg, width, height - 5.0);
        Ok((svg, frame))
    }

    fn axes(&self, svg: &mut Svg, frame: &Frame, wanted: usize) {
        let bottom = frame.top + frame.height;
        for tick in frame.y.ticks(wanted) {
            let y = bottom - frame.height * tick.part;
            if tick.label.is_empty() {
                svg.line((frame.left - 3.0, y), (frame.left, y), MUTED, 0.6);
            } else {
                svg.line((frame.left, y), (frame.left + frame.width, y), GRID, 1.0);
                svg.words((frame.left - 7.0, y + 4.5), Anchor::End, &fill(MUTED), &tick.label);
            }
        }
        if let Some(names) = self.names {
            name_ticks(svg, frame, names);
        } else {
            let wanted = (frame.width / 80.0).clamp(2.0, 9.0) as usize;
            for tick in frame.x.ticks(wanted) {
                let x = frame.left + frame.width * tick.part;
                let long = if tick.label.is_empty() { 3.0 } else { 5.0 };
                if self.x_grid && !tick.label.is_empty() {
                    svg.line((x, frame.top), (x, bottom), GRID, 1.0);
                }
                svg.line((x, bottom), (x, bottom + long), MUTED, if long > 4.0 { 1.0 } else { 0.6 });
                if !tick.label.is_empty() {
                    svg.words((x, bottom + TEXT + 7.0), Anchor::Middle, &fill(MUTED), &tick.label);
                }
            }
        }
        svg.line((frame.left, bottom), (frame.left + frame.width, bottom), INK, 1.0);
    }

    fn note(&self, svg: &mut Svg, width: f64, y: f64) {
        if self.left_out > 0 {
            let value = if self.left_out == 1 { "value" } else { "values" };
            let words = format!(
                "{} {value} not shown: not finite, or not positive on a logarithmic axis",
                self.left_out
            );
            svg.words(
                (width - 4.0, y),
                Anchor::End,
                &format!("{};font-size:11px;font-style:italic", fill(MUTED)),
                &words,
            );
        }
    }

    fn describe(&self) -> String {
        let names: Vec<&str> = self.legend.iter().map(|(name, ..)| name.as_str()).collect();
        let mut text = match (self.y.label.as_str(), self.x.label.as_str()) {
            ("", "") => "plot".to_owned(),
            (y, "") => y.to_owned(),
            ("", x) => x.to_owned(),
            (y, x) => format!("{y} against {x}"),
        };
        if !names.is_empty() {
            text = format!("{text}: {}", names.join(", "));
        }
        text
    }
}

/// Names below the middle of each slot, as many as fit.
fn name_ticks(svg: &mut Svg, frame: &Frame, names: &[String]) {
    let slot = frame.width / names.len().max(1) as f64;
    let widest = names.iter().map(|n| text_width(n)).fold(0.0, f64::max) + 8.0;
    let every = (widest / slot).ceil().max(1.0) as usize;
    for (i, name) in names.iter().enumerate().step_by(every) {
        let x = frame.left + (i as f64 + 0.5) * slot;
        svg.words((x, frame.top + frame.height + TEXT + 5.0), Anchor::Middle, &fill(MUTED), name);
    }
}

pub(crate) fn fill(color: &str) -> String {
    format!("fill:{color}")
}

/// Writes the legend above the plot, in as many lines as it takes; gives its height.
pub(crate) fn legend(svg: &mut Svg, entries: &[Entry], width: f64) -> f64 {
    if entries.is_empty() {
        return 4.0;
    }
    let (mut x, mut y) = (6.0, TEXT + 2.0);
    for (name, key, color) in entries {
        let mark = if matches!(key, Key::Line | Key::Dashes) { 24.0 } else { 16.0 };
        let long = mark + text_width(name) + 18.0;
        if x > 6.0 && x + long > width {
            (x, y) = (6.0, y + TEXT + 7.0);
        }
        let middle = y - 4.5;
        match key {
            Key::Line => svg.line((x, middle), (x + 18.0, middle), color, 2.4),
            Key::Dashes => {
                let style = format!("fill:none;stroke:{color};stroke-width:2;stroke-dasharray:5 3.5");
                svg.path(&format!("M{x:.1} {middle:.1}h18"), &style);
            }
            Key::Square => svg.rect((x, middle - 5.0), (10.0, 10.0), &fill(color), ""),
            Key::Dot => svg.circle((x + 5.0, middle), 4.5, &fill(color)),
        }
        svg.words((x + mark, y), Anchor::Start, "", name);
        x += long;
    }
    y + 10.0
}

/// Widens one of two ranges until a unit is equally long on both.
fn equalise(x: &mut Domain, y: &mut Domain, aspect: f64) {
    let (wide, high) = (x.hi - x.lo, y.hi - y.lo);
    let (domain, span) = if wide < high * aspect { (x, high * aspect) } else { (y, wide / aspect) };
    let extra = 0.5 * (span - (domain.hi - domain.lo));
    if extra.is_finite() {
        domain.lo -= extra;
        domain.hi += extra;
    }
}
