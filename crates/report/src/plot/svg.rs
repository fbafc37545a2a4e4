//! The one writer of SVG text.

use std::fmt::Write as _;

use crate::format::{coordinate, escape};

/// Text and axis lines.
pub(crate) const INK: &str = "var(--ink,#1d1d1b)";
/// Tick labels, notes, minor lines.
pub(crate) const MUTED: &str = "var(--muted,#5f5f5a)";
/// Grid lines.
pub(crate) const GRID: &str = "var(--grid,#e4e2dc)";
/// What lies behind.
pub(crate) const PAPER: &str = "var(--paper,#fff)";

/// Height of text.
pub(crate) const TEXT: f64 = 13.0;

/// Where text stands relative to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// An SVG document being written.
#[derive(Debug)]
pub(crate) struct Svg {
    text: String,
}

impl Svg {
    pub(crate) fn new(width: f64, height: f64, label: &str) -> Self {
        let (w, h) = (coordinate(width), coordinate(height));
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" \
             role=\"img\" aria-label=\"{}\" style=\"background:{PAPER};font:{TEXT}px system-ui,-apple-system,\
             'Segoe UI','Helvetica Neue',Arial,sans-serif;fill:{INK}\">\n",
            escape(label)
        );
        Self { text }
    }

    /// Appends a line as it is.
    pub(crate) fn raw(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str, width: f64) {
        let path = format!("M{}L{}", point(from), point(to));
        self.path(&path, &format!("fill:none;stroke:{stroke};stroke-width:{}", coordinate(width)));
    }

    pub(crate) fn path(&mut self, path: &str, style: &str) {
        let _ = writeln!(self.text, "<path d=\"{path}\" style=\"{style}\"/>");
    }

    /// A rectangle; with a non-empty `hint`, shown when the pointer rests on it.
    pub(crate) fn rect(&mut self, at: (f64, f64), size: (f64, f64), style: &str, hint: &str) {
        let [x, y, w, h] = [at.0, at.1, size.0.max(0.0), size.1.max(0.0)].map(coordinate);
        let _ = write!(self.text, "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" style=\"{style}\"");
        let _ = if hint.is_empty() {
            writeln!(self.text, "/>")
        } else {
            writeln!(self.text, "><title>{}</title></rect>", escape(hint))
        };
    }

    pub(crate) fn circle(&mut self, at: (f64, f64), radius: f64, style: &str) {
        let [x, y, r] = [at.0, at.1, radius].map(coordinate);
        let _ = writeln!(self.text, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\" style=\"{style}\"/>");
    }

    pub(crate) fn words(&mut self, at: (f64, f64), anchor: Anchor, style: &str, words: &str) {
        let [x, y] = [at.0, at.1].map(coordinate);
        let _ = writeln!(
            self.text,
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{}\" style=\"{style}\">{}</text>",
            anchor.name(),
            escape(words)
        );
    }

    /// Text that reads upward, centred on its point.
    pub(crate) fn words_up(&mut self, at: (f64, f64), words: &str) {
        let [x, y] = [at.0, at.1].map(coordinate);
        let _ = writeln!(
            self.text,
            "<text transform=\"translate({x} {y}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            escape(words)
        );
    }

    /// Opens a part that is cut off at its edges, with coordinates of the whole.
    pub(crate) fn open_clip(&mut self, left: f64, top: f64, width: f64, height: f64) {
        let [x, y, w, h] = [left, top, width, height].map(coordinate);
        let _ = writeln!(
            self.text,
            "<svg x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" viewBox=\"{x} {y} {w} {h}\" overflow=\"hidden\">"
        );
    }

    pub(crate) fn close_clip(&mut self) {
        self.raw("</svg>");
    }

    pub(crate) fn finish(mut self) -> String {
        self.text.push_str("</svg>");
        self.text
    }
}

pub(crate) fn point((x, y): (f64, f64)) -> String {
    format!("{} {}", coordinate(x), coordinate(y))
}

/// About how wide `text` is drawn: no font is known here, and sans-serif letters are alike.
pub(crate) fn text_width(text: &str) -> f64 {
    text.chars()
        .map(|c| match c {
            'i' | 'l' | 'j' | '.' | ',' | ':' | '\'' | '|' | ' ' | '\u{2009}' => 0.32,
            'm' | 'w' | 'M' | 'W' | '—' => 0.88,
            c if c.is_uppercase() => 0.68,
            c if "⁰¹²³⁴⁵⁶⁷⁸⁹⁻".contains(c) => 0.4,
            c if c.is_ascii_digit() => 0.62,
            _ => 0.57,
        })
        .sum::<f64>()
        * TEXT
}
