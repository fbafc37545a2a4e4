//! Pictures: grids of images as PNG, pixel for pixel.

use std::fmt::Write as _;

use image::ImageEncoder as _;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use ndarray::{ArrayRef4, ArrayView4};

use crate::Error;

/// Shown where a value is NaN: no image of the data has it by chance.
pub(crate) const NAN_COLOR: [u8; 4] = [255, 0, 255, 255];
/// Largest width and height of a picture, in pixels.
pub(crate) const LIMIT: usize = 16_384;

/// An RGBA picture in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 4]>,
    nan: usize,
    clipped: usize,
}

impl Picture {
    /// A transparent picture.
    ///
    /// # Errors
    /// [`Error::PictureSize`] where a side is 0 or above 16,384 pixels.
    pub fn new(width: usize, height: usize) -> Result<Self, Error> {
        if (1..=LIMIT).contains(&width) && (1..=LIMIT).contains(&height) {
            Ok(Self { width, height, pixels: vec![[0; 4]; width * height], nan: 0, clipped: 0 })
        } else {
            Err(Error::PictureSize { width, height, limit: LIMIT })
        }
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// How many values were NaN; their pixels are magenta.
    #[must_use]
    pub fn nan(&self) -> usize {
        self.nan
    }

    /// How many values lay outside [0, 1] and were clipped.
    #[must_use]
    pub fn clipped(&self) -> usize {
        self.clipped
    }

    /// The pixel in column `x` and row `y`, as red, green, blue, opacity; `None` outside.
    #[must_use]
    pub fn pixel(&self, x: usize, y: usize) -> Option<[u8; 4]> {
        (x < self.width).then(|| self.pixels.get(y * self.width + x).copied()).flatten()
    }

    /// Fills a rectangle, as far as it lies inside.
    pub(crate) fn fill(&mut self, x: usize, y: usize, width: usize, height: usize, color: [u8; 4]) {
        for row in self.pixels.chunks_exact_mut(self.width).skip(y).take(height) {
            row.iter_mut().skip(x).take(width).for_each(|pixel| *pixel = color);
        }
    }

    /// The picture as a PNG file: the same bytes for the same pixels.
    ///
    /// # Errors
    /// [`Error::Png`] where the encoder fails.
    pub fn to_png(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive)
            .write_image(
                self.pixels.as_flattened(),
                self.width as u32,
                self.height as u32,
                image::ExtendedColorType::Rgba8,
            )
            .map_err(Error::Png)?;
        Ok(bytes)
    }

    /// The PNG as a `data:` address, for a page that loads nothing.
    ///
    /// # Errors
    /// As [`to_png`](Self::to_png).
    pub fn to_data_uri(&self) -> Result<String, Error> {
        Ok(format!("data:image/png;base64,{}", base64(&self.to_png()?)))
    }

    /// What a reader has to know about the values, or nothing where all were in [0, 1].
    #[must_use]
    pub fn note(&self) -> String {
        let mut note = String::new();
        if self.nan > 0 {
            let (n, values) = counted(self.nan);
            let _ = write!(note, "{n} {values} NaN (magenta). ");
        }
        if self.clipped > 0 {
            let (n, values) = counted(self.clipped);
            let _ = write!(note, "{n} {values} outside [0, 1], shown as the nearer end. ");
        }
        note.trim_end().to_owned()
    }
}

/// How images are laid out in a [`Picture`].
///
/// ```
/// use ndarray::Array4;
/// use variata_report::ImageGrid;
/// let images = Array4::<f32>::from_elem((6, 1, 8, 8), 0.5);
/// let picture = ImageGrid { columns: 3, scale: 2, padding: 1, ..ImageGrid::default() }
///     .render(&images)
///     .unwrap();
/// assert_eq!((picture.width(), picture.height()), (3 * 17 - 1, 2 * 17 - 1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageGrid {
    /// Images in a row; 10 by default, fewer where there are fewer images. 0 counts as 1.
    pub columns: usize,
    /// Side of the square that shows one pixel; 4 by default. 0 counts as 1.
    pub scale: usize,
    /// Transparent pixels between neighbours; 4 by default.
    pub padding: usize,
    /// Shows 0 as white and 1 as black, as ink on paper; off by default.
    pub inverted: bool,
}

impl Default for ImageGrid {
    fn default() -> Self {
        Self { columns: 10, scale: 4, padding: 4, inverted: false }
    }
}

impl ImageGrid {
    /// Lays out `images` `[n, channels, height, width]` row by row. One channel is grey, three are red,
    /// green and blue. Values are brightness in [0, 1]; others are clipped and counted, NaN is magenta. What would be wider or
    /// higher than 16,384 pixels is drawn in smaller squares, and then from fewer pixels, every second, third and so on.
    ///
    /// # Errors
    /// [`Error::Shape`] for other numbers of channels or for no image; [`Error::PictureSize`] where more than 16,384 pixels would be left
    /// of images of one pixel.
    pub fn render(&self, images: &ArrayRef4<f32>) -> Result<Picture, Error> {
        self.render_rows(&[images.view()])
    }

    /// Lays out several stacks in step: a row of the first, the same row of the second below it, and so
    /// on, as originals over their reconstructions. After every `columns` images a new block begins.
    ///
    /// # Errors
    /// As [`render`](Self::render); [`Error::Shape`] too where the stacks differ in shape.
    pub fn render_rows(&self, stacks: &[ArrayView4<'_, f32>]) -> Result<Picture, Error> {
        let refuse = |got: &[usize], want| Error::Shape { argument: "images", got: got.to_vec(), want };
        let first = stacks.first().ok_or_else(|| refuse(&[], "[n, 1 or 3, height, width], n > 0"))?;
        let (n, channels, height, width) = first.dim();
        if !matches!(channels, 1 | 3) || n == 0 || height == 0 || width == 0 {
            return Err(refuse(first.shape(), "[n, 1 or 3, height, width], none of them 0"));
        }
        if let Some(other) = stacks.iter().find(|s| s.dim() != first.dim()) {
            return Err(refuse(other.shape(), "the shape of the first stack"));
        }
        let (columns, scale) = (self.columns.clamp(1, n), self.scale.max(1));
        let rows = n.div_ceil(columns).saturating_mul(stacks.len());
        let side = |count: usize, pixels: usize, scale: usize| {
            let between = (count - 1).saturating_mul(self.padding);
            count.saturating_mul(pixels.saturating_mul(scale)).saturating_add(between)
        };
        let fits = |step: usize, scale: usize| {
            let sides = [(columns, width), (rows, height)];
            sides.iter().all(|&(count, pixels)| side(count, pixels.div_ceil(step), scale) <= LIMIT)
        };
        let scale = (1..=scale.min(LIMIT)).rev().find(|scale| fits(1, *scale)).unwrap_or(1);
        let step = (1..=width.max(height)).find(|step| fits(*step, scale)).unwrap_or(1);
        let (width, height) = (width.div_ceil(step), height.div_ceil(step));
        let mut picture = Picture::new(side(columns, width, scale), side(rows, height, scale))?;
        for (s, stack) in stacks.iter().enumerate() {
            for (i, image) in stack.outer_iter().enumerate() {
                let at =
                    |k: usize, pixels: usize| k.saturating_mul((pixels * scale).saturating_add(self.padding));
                let (left, top) = (at(i % columns, width), at(i / columns * stacks.len() + s, height));
                for y in 0..height {
                    for x in 0..width {
                        let value = |c: usize| image[[c, y * step, x * step]];
                        let values =
                            if channels == 1 { [value(0); 3] } else { [value(0), value(1), value(2)] };
                        let color = self.color(&mut picture, values, channels);
                        picture.fill(left + x * scale, top + y * scale, scale, scale, color);
                    }
                }
            }
        }
        Ok(picture)
    }

    fn color(&self, picture: &mut Picture, values: [f32; 3], channels: usize) -> [u8; 4] {
        let counted = values.iter().take(channels);
        picture.clipped += counted.clone().filter(|v| !v.is_nan() && !(0.0..=1.0).contains(*v)).count();
        picture.nan += counted.filter(|v| v.is_nan()).count();
        if values.iter().any(|v| v.is_nan()) {
            return NAN_COLOR;
        }
        let byte = |v: f32| {
            let v = v.clamp(0.0, 1.0);
            ((if self.inverted { 1.0 - v } else { v }) * 255.0).round() as u8
        };
        [byte(values[0]), byte(values[1]), byte(values[2]), 255]
    }
}

fn counted(n: usize) -> (usize, &'static str) {
    (n, if n == 1 { "value is" } else { "values are" })
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = (bits >> (18 - 6 * i)) as usize & 63;
            text.push(if i <= chunk.len() { char::from(ALPHABET[digit]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    /// The vectors of RFC 4648, section 10.
    #[test]
    fn base64_vectors() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
