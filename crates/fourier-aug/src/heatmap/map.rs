//! A number for every wave vector, with the lowest frequency at the centre.

use ndarray::Array2;

use crate::wave::WaveVector;

/// A quantity for every distinct plane wave of a grid.
///
/// Row `i`, column `j` of [`values`](Self::values) belongs to the wave vectors k with k_y = i − ⌊height/2⌋ and
/// k_x = j − ⌊width/2⌋, up to the period. A wave is that of −k too: both cells hold the same number. A wave whose quantity is NaN, not
/// having one, counts as one that was left out: means and maxima are those of the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Heatmap {
    values: Array2<f64>,
    cells: Vec<(WaveVector, f64)>,
}

impl Heatmap {
    pub(super) fn new(height: usize, width: usize, cells: Vec<(WaveVector, f64)>) -> Self {
        let mut values = Array2::from_elem((height, width), f64::NAN);
        let centred = |k: usize, n: usize| (k + n / 2) % n;
        for &(WaveVector { y: ky, x: kx }, value) in &cells {
            values[[centred(ky, height), centred(kx, width)]] = value;
            values[[centred(height - ky, height), centred(width - kx, width)]] = value;
        }
        Self { values, cells }
    }

    /// All cells; NaN for a wave that was left out.
    pub fn values(&self) -> &Array2<f64> {
        &self.values
    }

    /// Each distinct wave vector once, with its value.
    pub fn cells(&self) -> &[(WaveVector, f64)] {
        &self.cells
    }

    /// Cells that hold a number.
    fn numbers(&self) -> impl Iterator<Item = &(WaveVector, f64)> {
        self.cells.iter().filter(|(_, value)| !value.is_nan())
    }

    /// Mean over the distinct waves: the error of an attack by a random wave (table 2); NaN when no cell holds a number.
    pub fn mean(&self) -> f64 {
        self.numbers().map(|(_, value)| value).sum::<f64>() / self.numbers().count() as f64
    }

    /// Maximum over the distinct waves: the error of the worst wave for the whole set (table 2); NaN when no cell holds a number.
    pub fn max(&self) -> f64 {
        self.worst().map_or(f64::NAN, |(_, value)| value)
    }

    /// The wave vector of the maximum, the first one at a tie; `None` when no cell holds a number.
    pub fn worst(&self) -> Option<(WaveVector, f64)> {
        let above = |best: Option<(WaveVector, f64)>, cell: &(WaveVector, f64)| match best {
            Some(best) if cell.1 <= best.1 => Some(best),
            _ => Some(*cell),
        };
        self.numbers().fold(None, above)
    }
}

/// Mean and maximum over the waves of several maps, such as both alignments (the paper does not say whether its table pools
/// them), as [`Heatmap::mean`] and [`Heatmap::max`] of one; `None` when no cell holds a number.
///
/// ```
/// assert_eq!(variata_fourier_aug::pooled(&[]), None);
/// ```
pub fn pooled(maps: &[Heatmap]) -> Option<(f64, f64)> {
    let values = || maps.iter().flat_map(Heatmap::numbers).map(|(_, value)| *value);
    let count = values().count();
    let max = values().fold(f64::NEG_INFINITY, f64::max);
    (count > 0).then(|| (values().sum::<f64>() / count as f64, max))
}
