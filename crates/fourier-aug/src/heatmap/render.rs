//! A heatmap as pixels.

use ndarray::Array3;
use variata_distributions::{ArgumentError, check};

use super::Heatmap;
use crate::Error;

/// Colours from low to high, at equal distances; lightness rises all the way.
const COLOURS: [[f64; 3]; 6] = [
    [10.0, 12.0, 40.0],
    [58.0, 26.0, 108.0],
    [140.0, 42.0, 112.0],
    [212.0, 78.0, 72.0],
    [246.0, 152.0, 58.0],
    [252.0, 236.0, 164.0],
];
/// Colour of waves that were left out.
const ABSENT: [u8; 3] = [128, 128, 128];

/// Pixels of a map with its scale at the right, for a PNG or a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// [height, width, 3], 0 to 255.
    pub pixels: Array3<u8>,
    /// Value of the scale's lower end.
    pub low: f64,
    /// Value of its upper end.
    pub high: f64,
    /// Columns of the map; one cell of white and two of the scale follow.
    pub map_width: usize,
}

impl Heatmap {
    /// The map with squares of `cell` × `cell` pixels and colours from `low` to `high`, beyond which they stay what they are at
    /// the ends. The scale has `high` at the top.
    ///
    /// # Errors
    /// `cell` is 0 or above 256; `low` and `high` are not finite or not in this order.
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
    /// let picture = run.errors()?.picture(0.0, 1.0, 8)?;
    /// // Four by six cells, one of white, two of the scale.
    /// assert_eq!(picture.pixels.dim(), (32, 72, 3));
    /// # Ok::<(), variata_fourier_aug::Error>(())
    /// ```
    pub fn picture(&self, low: f64, high: f64, cell: usize) -> Result<Picture, Error> {
        check::scalar("cell", cell as f64, "from 1 to 256", (1..=256).contains(&cell))?;
        check::scalar("low", low, "finite", low.is_finite())?;
        check::scalar("high", high, "finite and above `low`", high.is_finite() && high > low)?;
        let (rows, columns) = self.values().dim();
        let size = rows.checked_mul(cell).zip(columns.checked_add(3).and_then(|w| w.checked_mul(cell)));
        let fits = size.and_then(|(h, w)| h.checked_mul(w)).is_some_and(|all| all <= isize::MAX as usize / 3);
        let Some((height, width)) = size.filter(|_| fits) else {
            let want = "a picture that fits into memory".to_owned();
            return Err(ArgumentError::Shape { argument: "values", got: vec![rows, columns], want }.into());
        };
        let shade = |share: f64| {
            let at = share.clamp(0.0, 1.0) * (COLOURS.len() - 1) as f64;
            let first = (at as usize).min(COLOURS.len() - 2);
            let part = at - first as f64;
            let channel = |c: usize| COLOURS[first][c] * (1.0 - part) + COLOURS[first + 1][c] * part;
            [0, 1, 2].map(|c| channel(c).round() as u8)
        };
        // By halves: the difference of the ends may overflow.
        let share = |value: f64| match (0.5 * value - 0.5 * low) / (0.5 * high - 0.5 * low) {
            share if share.is_nan() => 0.0,
            share => share,
        };
        let colour = |y: usize, x: usize| match x / cell {
            j if j < columns => {
                let value = self.values()[[y / cell, j]];
                if value.is_nan() { ABSENT } else { shade(share(value)) }
            }
            j if j == columns => [255; 3],
            _ => shade(1.0 - y as f64 / (height - 1).max(1) as f64),
        };
        let mut pixels = Array3::zeros((height, width, 3));
        for y in 0..height {
            for x in 0..width {
                for (c, value) in colour(y, x).into_iter().enumerate() {
                    pixels[[y, x, c]] = value;
                }
            }
        }
        Ok(Picture { pixels, low, high, map_width: columns * cell })
    }
}
