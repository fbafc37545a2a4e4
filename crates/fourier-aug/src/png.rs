//! Pictures as PNG files.

use std::io::{Cursor, Write};
use std::path::Path;

use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use ndarray::{Array3, ArrayRef3};
use variata_distributions::{ArgumentError, check};

use crate::{Error, Picture};

/// Rows and columns of a glyph.
const GLYPH: [usize; 2] = [5, 3];
/// What numbers are written with: five rows of three bits, the upper left one first.
const GLYPHS: [(char, u16); 14] = [
    ('0', 0b111_101_101_101_111),
    ('1', 0b010_110_010_010_111),
    ('2', 0b111_001_111_100_111),
    ('3', 0b111_001_111_001_111),
    ('4', 0b101_101_111_001_001),
    ('5', 0b111_100_111_001_111),
    ('6', 0b111_100_111_101_111),
    ('7', 0b111_001_010_010_010),
    ('8', 0b111_101_111_101_111),
    ('9', 0b111_101_111_001_111),
    ('.', 0b000_000_000_000_010),
    ('-', 0b000_000_111_000_000),
    ('+', 0b000_010_111_010_000),
    ('e', 0b010_101_111_100_011),
];

/// Writes pixels [height, width, 1 or 3] to a PNG file: under a temporary name beside it, which is then renamed. A file that was
/// there is replaced.
///
/// # Errors
/// Another number of channels, no pixel; [`Error::File`] if the file cannot be written: then one that was there stays, or is replaced as a whole.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// variata_fourier_aug::write_png(folder.path().join("grey.png"), &ndarray::Array3::from_elem((4, 6, 1), 128))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_png(path: impl AsRef<Path>, pixels: &ArrayRef3<u8>) -> Result<(), Error> {
    let (height, width, channels) = pixels.dim();
    let size = u32::try_from(width).ok().zip(u32::try_from(height).ok());
    let raw = || pixels.iter().copied().collect();
    let image = size.filter(|_| !pixels.is_empty()).and_then(|(w, h)| match channels {
        1 => GrayImage::from_raw(w, h, raw()).map(DynamicImage::from),
        3 => RgbImage::from_raw(w, h, raw()).map(DynamicImage::from),
        _ => None,
    });
    let Some(image) = image else {
        let want = "[height, width, 1 or 3], not empty".to_owned();
        return Err(ArgumentError::Shape { argument: "pixels", got: pixels.shape().to_vec(), want }.into());
    };
    let path = path.as_ref();
    // The encoder goes back and forth, which a writer need not do.
    let mut bytes = Cursor::new(Vec::new());
    let refused = |source| Error::File { file: path.to_path_buf(), source };
    image.write_to(&mut bytes, ImageFormat::Png).map_err(|error| refused(error.into()))?;
    variata_files::replace(path, |file| file.write_all(bytes.get_ref()))
        .map_err(|error| refused(error.source.into()))
}

impl Picture {
    /// Writes a PNG file as [`write_png`] does: the pixels, and at the ends of the scale their values.
    ///
    /// # Errors
    /// `pixels` that are not [height, width, 3] or hold none; as [`write_png`].
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use std::ops::ControlFlow;
    /// use ndarray::{Array2, Array4, ArrayView4};
    /// use variata_fourier_aug::{HeatmapOptions, HeatmapRun};
    ///
    /// // Always class 0, which is right.
    /// let classify = |x: ArrayView4<'_, f32>| {
    ///     Ok::<_, Infallible>(Array2::from_shape_fn((x.dim().0, 2), |(_, k)| 1.0 - k as f32))
    /// };
    /// let mut run = HeatmapRun::new([1, 4, 6], HeatmapOptions::default())?;
    /// run.add(&Array4::from_elem((2, 1, 4, 6), 0.5), &[0, 0], classify, |_| ControlFlow::Continue(()))?;
    /// let folder = tempfile::tempdir()?;
    /// run.errors()?.picture(0.0, 1.0, 8)?.save(folder.path().join("errors.png"))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let (height, width, channels) = self.pixels.dim();
        check::shape("pixels", self.pixels.shape(), &[height, width, 3])?;
        if height == 0 || width == 0 {
            return write_png(path, &self.pixels);
        }
        // A fifth of a cell, so that a number is as high as a cell.
        let dot = (width.saturating_sub(self.map_width) / 15).clamp(2, 32);
        let numbers = [label(self.high), label(self.low)];
        let [rows, columns] = GLYPH.map(|n| n * dot);
        let longest = numbers.iter().map(String::len).max().unwrap_or(0);
        let (tall, wide) = (height.max(2 * rows + dot), width + dot + longest * (columns + dot));
        let mut canvas = Array3::from_shape_fn((tall, wide, channels), |at| {
            self.pixels.get(at).copied().unwrap_or(255) // white around the pixels
        });
        for (number, top) in numbers.iter().zip([0, tall - rows]) {
            for (i, character) in number.chars().enumerate() {
                let left = width + dot + i * (columns + dot);
                draw(&mut canvas, character, [top, left], dot);
            }
        }
        write_png(path, &canvas)
    }
}

/// At most four digits.
fn label(value: f64) -> String {
    let value = value + 0.0; // −0 becomes 0
    let plain = value == 0.0 || (1e-2..1e4).contains(&value.abs());
    if !plain {
        return format!("{value:.2e}");
    }
    let digits = if value.abs() < 10.0 { 3 } else { 1 };
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A glyph in black; what is no part of a number is left blank.
fn draw(canvas: &mut Array3<u8>, character: char, [top, left]: [usize; 2], dot: usize) {
    let [rows, columns] = GLYPH;
    let bits = GLYPHS.iter().find(|(known, _)| *known == character).map_or(0, |(_, bits)| *bits);
    for y in 0..rows * dot {
        for x in 0..columns * dot {
            let place = rows * columns - 1 - (y / dot * columns + x / dot);
            if bits >> place & 1 == 1 {
                (0..3).for_each(|c| canvas[[top + y, left + x, c]] = 0);
            }
        }
    }
}
