//! The wave vectors of a grid of pixels.

mod plane;
mod sampler;

pub(crate) use plane::CHANNELS;
pub use plane::PlaneWave;
pub use sampler::{FrequencyWeights, WaveSampler, WaveSamplerOptions};

use std::f64::consts::TAU;

use variata_distributions::ArgumentError;

use crate::element::Element;
use crate::error::Error;

/// Most pixels of a side: products of two indices have to fit.
const MOST: usize = 1 << 24;

/// What a norm must be.
pub(crate) const FINITE_WAVE: &str =
    "such that the wave is finite in f32, and in the type that it is stored in";
/// What a norm must be where waves are added to images of 8 bits.
pub(crate) const FINITE_LEVELS: &str = "such that the wave is finite in f32 in levels of 8 bits";

/// Cosines below this at a self-conjugate wave vector make a wave of round-off.
const VANISHING: f64 = 1e-6;

/// Index of a plane wave: full periods over the height, and over the width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WaveVector {
    /// Periods over the height, 0 ≤ y < H.
    pub y: usize,
    /// Periods over the width, 0 ≤ x < W.
    pub x: usize,
}

/// A grid of H × W pixels and its plane waves.
///
/// ```text
/// U[y, x] = A cos(2π(k_y y/H + k_x x/W) − φ),   ‖U‖₂ = √(Σ U²) given
/// A = ‖U‖₂ √(2/HW), and ‖U‖₂/(√(HW) |cos φ|) where k = −k
/// ```
/// Source: paper fourier-aug, section 3.1, with the direction of (k_x/W, k_y/H), of which the printed one is right on square grids
/// only [errata 004-1]. k and −k mean the same set of waves, so that of HW vectors (HW + s)/2 are distinct, where s is 1, 2 or 4, the number
/// of k = −k: 514 of a grid of 32 × 32, not 544 [errata 004-11].
///
/// ```
/// use variata_fourier_aug::{Grid, WaveVector};
///
/// let grid = Grid::new(32, 32)?;
/// assert_eq!(grid.distinct().count(), 514);
/// // Index 31 is one period, the other way.
/// assert_eq!(grid.radius(WaveVector { y: 0, x: 31 })?, 1.0);
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    height: usize,
    width: usize,
    /// (cos, sin) of 2π·i/H, and of 2π·i/W.
    pub(crate) rows: Vec<(f64, f64)>,
    pub(crate) columns: Vec<(f64, f64)>,
}

impl Grid {
    /// A grid of this size in pixels.
    ///
    /// # Errors
    /// [`Error::Argument`] if a side is 0 or more than 2²⁴, or there are 2³¹ pixels or more.
    pub fn new(height: usize, width: usize) -> Result<Self, Error> {
        let sides = [height, width].iter().all(|side| (1..=MOST).contains(side));
        if !sides || height * width >= 1 << 31 {
            let want = "[height, width], from 1 to 16777216 each, fewer than 2147483648 pixels".to_owned();
            return Err(ArgumentError::Shape { argument: "grid", got: vec![height, width], want }.into());
        }
        let circle = |n: usize| (0..n).map(|i| unit(i, n)).collect();
        Ok(Self { height, width, rows: circle(height), columns: circle(width) })
    }

    /// H.
    pub fn height(&self) -> usize {
        self.height
    }

    /// W.
    pub fn width(&self) -> usize {
        self.width
    }

    /// One vector of each pair ±k, that whose cell in the heatmap, where 0 is in the middle, comes first by rows, as in the authors' maps; in
    /// the order of these cells.
    pub fn distinct(&self) -> impl Iterator<Item = WaveVector> + use<> {
        let (height, width) = (self.height, self.width);
        let vector = |i: usize, n: usize| (i + n.div_ceil(2)) % n;
        let partner = move |i: usize, n: usize| (n - vector(i, n) + n / 2) % n;
        let first = move |(i, j): (usize, usize)| (i, j) <= (partner(i, height), partner(j, width));
        let cells = (0..height).flat_map(move |i| (0..width).map(move |j| (i, j)));
        let vectors = move |(i, j)| WaveVector { y: vector(i, height), x: vector(j, width) };
        cells.filter(move |cell| first(*cell)).map(vectors)
    }

    /// −k.
    ///
    /// # Errors
    /// [`Error::WaveVector`] if k is not in the grid.
    pub fn conjugate(&self, k: WaveVector) -> Result<WaveVector, Error> {
        self.check(k)?;
        Ok(self.opposite(k))
    }

    /// Whether k = −k: the wave is then a constant or alternates from pixel to pixel, and its phase can only change its sign.
    ///
    /// # Errors
    /// As [`conjugate`](Self::conjugate).
    pub fn is_self_conjugate(&self, k: WaveVector) -> Result<bool, Error> {
        Ok(self.conjugate(k)? == k)
    }

    /// Frequency in periods per pixel, √((κ_y/H)² + (κ_x/W)²) with κ = min(k, side − k): from 0 to 1/√2.
    ///
    /// # Errors
    /// As [`conjugate`](Self::conjugate).
    pub fn frequency(&self, k: WaveVector) -> Result<f64, Error> {
        let [y, x] = self.folded(k)?;
        Ok((y as f64 / self.height as f64).hypot(x as f64 / self.width as f64))
    }

    /// Distance from the centre of the heatmap, √(κ_y² + κ_x²): the paper's ‖k‖ [errata 004-2].
    ///
    /// # Errors
    /// As [`conjugate`](Self::conjugate).
    pub fn radius(&self, k: WaveVector) -> Result<f64, Error> {
        let [y, x] = self.folded(k)?;
        Ok((y as f64).hypot(x as f64))
    }

    /// A for a wave of this norm.
    ///
    /// # Errors
    /// As [`conjugate`](Self::conjugate); [`Error::Argument`] for a phase that is not finite, or a norm that is negative or not finite;
    /// [`Error::DegenerateWave`] if the wave is 0 everywhere: k = −k and |cos φ| < 10⁻⁶.
    ///
    /// ```
    /// use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};
    /// use variata_fourier_aug::{Grid, WaveVector};
    ///
    /// let grid = Grid::new(8, 8)?;
    /// let amplitude = grid.amplitude(WaveVector { y: 1, x: 2 }, FRAC_PI_4, 4.0)?;
    /// assert!((amplitude - 4.0 * (2.0f64 / 64.0).sqrt()).abs() < 1e-15);
    /// assert!(grid.amplitude(WaveVector { y: 4, x: 0 }, FRAC_PI_2, 4.0).is_err());
    /// # Ok::<(), variata_fourier_aug::Error>(())
    /// ```
    pub fn amplitude(&self, k: WaveVector, phase: f64, norm: f64) -> Result<f64, Error> {
        self.check(k)?;
        variata_distributions::check::scalar("phase", phase, "finite", phase.is_finite())?;
        let ok = norm >= 0.0 && norm.is_finite();
        variata_distributions::check::scalar("norm", norm, "finite and >= 0", ok)?;
        let pixels = self.height as f64 * self.width as f64;
        if k != self.opposite(k) {
            return Ok(norm * (2.0 / pixels).sqrt());
        }
        let cosine = libm::cos(phase).abs();
        if cosine < VANISHING {
            return Err(Error::DegenerateWave { vector: [k.y, k.x], phase });
        }
        Ok(norm / (pixels.sqrt() * cosine))
    }

    pub(crate) fn opposite(&self, k: WaveVector) -> WaveVector {
        WaveVector { y: (self.height - k.y) % self.height, x: (self.width - k.x) % self.width }
    }

    pub(crate) fn check(&self, k: WaveVector) -> Result<(), Error> {
        if k.y < self.height && k.x < self.width {
            return Ok(());
        }
        Err(Error::WaveVector { vector: [k.y, k.x], grid: [self.height, self.width] })
    }

    fn folded(&self, k: WaveVector) -> Result<[usize; 2], Error> {
        self.check(k)?;
        Ok([k.y.min(self.height - k.y), k.x.min(self.width - k.x)])
    }

    /// `to` gets, or takes in, the wave of amplitude 1 scaled by `amplitude`: rows of W pixels each.
    ///
    /// Cosines of the columns are read from a circle, so that no error builds up, and each pixel is cos(a + b) by angle addition.
    #[inline(always)]
    pub(crate) fn fill<T: Element>(
        &self,
        wave: (WaveVector, f64),
        amplitude: f64,
        to: &mut [T],
        columns: &mut Vec<[f32; 2]>,
        join: impl Fn(T, f32) -> T + Copy,
    ) {
        let (k, phase) = wave;
        // Both are below n.
        let turn = |at: usize, by: usize, n: usize| if at + by < n { at + by } else { at + by - n };
        columns.clear();
        let mut at = 0;
        for _ in 0..self.width {
            let (cos, sin) = self.columns[at];
            columns.push([cos as f32, sin as f32]);
            at = turn(at, k.x, self.width);
        }
        let (cos_phase, sin_phase) = (libm::cos(phase), libm::sin(phase));
        let mut at = 0;
        for row in to.chunks_exact_mut(self.width) {
            let (c, s) = self.rows[at];
            // cos(a − φ) and sin(a − φ).
            let cos = (amplitude * (c * cos_phase + s * sin_phase)) as f32;
            let sin = (amplitude * (s * cos_phase - c * sin_phase)) as f32;
            for (to, [c, s]) in row.iter_mut().zip(columns.iter()) {
                *to = join(*to, cos * c - sin * s);
            }
            at = turn(at, k.y, self.height);
        }
    }
}

/// (cos, sin) of 2π·i/n, exact at quarters.
fn unit(i: usize, n: usize) -> (f64, f64) {
    // From the nearest axis the argument is at most π/4.
    let eighth = 8 * i;
    let quarter = (eighth + n) / (2 * n);
    let rest = (eighth as f64 - (2 * n * quarter) as f64) / (8 * n) as f64;
    let (c, s) = (libm::cos(TAU * rest), libm::sin(TAU * rest));
    match quarter % 4 {
        0 => (c, s),
        1 => (-s, c),
        2 => (-c, -s),
        _ => (s, -c),
    }
}
