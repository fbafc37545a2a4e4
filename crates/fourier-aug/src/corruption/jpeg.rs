//! What JPEG loses: colour transform, chroma subsampling, quantised cosines, and back.
//!
//! Source: ITU-T T.81, annexes A and K (tables), JFIF (colours); rounding to integers at the places where libjpeg has integers.

use super::digital::level_of;
use super::planes::Planes;

/// Table K.1, by rows.
const LUMINANCE: [i32; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17,
    22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78,
    87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];
/// Table K.2, by rows: what is not listed is 99.
const CHROMINANCE: [[i32; 4]; 4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]];

/// One channel of samples 0 … 255.
struct Plane {
    height: usize,
    width: usize,
    data: Vec<f64>,
}

impl Plane {
    /// Borders repeated.
    fn at(&self, y: isize, x: isize) -> f64 {
        let inside = |i: isize, n: usize| i.clamp(0, n as isize - 1) as usize;
        self.data[inside(y, self.height) * self.width + inside(x, self.width)]
    }

    fn new(height: usize, width: usize, of: impl Fn(usize, usize) -> f64) -> Self {
        let data = (0..height * width).map(|i| of(i / width, i % width)).collect();
        Self { height, width, data }
    }

    /// Mean of 2×2 samples; halves go up and down in turn. As wide as whole blocks need: libjpeg repeats the last column before it halves.
    fn halved(&self) -> Self {
        let (height, width) = (self.height.div_ceil(2), 8 * self.width.div_ceil(16));
        Self::new(height, width, |y, x| {
            let (y, left) = (2 * y as isize, 2 * x as isize);
            let sum: f64 =
                [(0, 0), (0, 1), (1, 0), (1, 1)].iter().map(|(a, b)| self.at(y + a, left + b)).sum();
            ((sum + if x % 2 == 0 { 1.0 } else { 2.0 }) / 4.0).floor()
        })
    }

    /// Its first columns.
    fn narrowed(&self, width: usize) -> Self {
        Self::new(self.height, width, |y, x| self.data[y * self.width + x])
    }

    /// Twice the size: ¾ of the nearer and ¼ of the farther sample along each axis; of at most two columns each sample four times, as
    /// libjpeg does.
    fn doubled(&self, height: usize, width: usize) -> Self {
        if self.width <= 2 {
            return Self::new(height, width, |y, x| self.data[y / 2 * self.width + x / 2]);
        }
        Self::new(height, width, |y, x| {
            let (near_y, near_x) = ((y / 2) as isize, (x / 2) as isize);
            let far = |i: usize, near: isize| if i.is_multiple_of(2) { near - 1 } else { near + 1 };
            let (far_y, far_x) = (far(y, near_y), far(x, near_x));
            let column = |x: isize| 3.0 * self.at(near_y, x) + self.at(far_y, x);
            let bias = if x % 2 == 0 { 8.0 } else { 7.0 };
            ((3.0 * column(near_x) + column(far_x) + bias) / 16.0).floor()
        })
    }

    /// Quantised and restored in blocks of 8×8; past the ends the last sample is repeated.
    fn quantised(&self, table: &[f64; 64]) -> Self {
        let cosines = cosines();
        let mut result = Self { height: self.height, width: self.width, data: vec![0.0; self.data.len()] };
        for top in (0..self.height).step_by(8) {
            for left in (0..self.width).step_by(8) {
                let block: [f64; 64] =
                    std::array::from_fn(|i| self.at((top + i / 8) as isize, (left + i % 8) as isize) - 128.0);
                let mut spectrum = product(&cosines, &block, true);
                for (s, q) in spectrum.iter_mut().zip(table) {
                    // The encoder has its coefficients in eighths.
                    *s = ((*s * 8.0).round() / (q * 8.0)).round() * q;
                }
                let restored = product(&cosines, &spectrum, false);
                for y in top..(top + 8).min(self.height) {
                    for x in left..(left + 8).min(self.width) {
                        let value = restored[(y - top) * 8 + x - left] + 128.0;
                        result.data[y * self.width + x] = value.round().clamp(0.0, 255.0);
                    }
                }
            }
        }
        result
    }
}

/// The orthonormal cosine transform, by rows of frequency.
fn cosines() -> [f64; 64] {
    std::array::from_fn(|i| {
        let (k, n) = ((i / 8) as f64, (i % 8) as f64);
        let scale = if i < 8 { 0.125_f64.sqrt() } else { 0.5 };
        scale * (std::f64::consts::PI * (2.0 * n + 1.0) * k / 16.0).cos()
    })
}

/// C·B·Cᵀ, or with the transposed matrix Cᵀ·B·C.
fn product(c: &[f64; 64], b: &[f64; 64], forward: bool) -> [f64; 64] {
    let at = |i: usize, j: usize| if forward { c[i * 8 + j] } else { c[j * 8 + i] };
    let half: [f64; 64] = std::array::from_fn(|ij| (0..8).map(|k| at(ij / 8, k) * b[k * 8 + ij % 8]).sum());
    std::array::from_fn(|ij| (0..8).map(|k| half[(ij / 8) * 8 + k] * at(ij % 8, k)).sum())
}

/// A table at a quality of 1 to 100.
fn scaled(of: impl Fn(usize) -> i32, quality: i32) -> [f64; 64] {
    let percent = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    std::array::from_fn(|i| f64::from(((of(i) * percent + 50) / 100).clamp(1, 255)))
}

/// Compressed and decompressed.
pub(super) fn compressed(image: &Planes, level: usize, eight_bits: bool) -> Planes {
    let quality = [80, 65, 58, 50, 40][level];
    let luminance = scaled(|i| LUMINANCE[i], quality);
    let (height, width) = (image.height, image.width);
    // JPEG is a format of 8 bits: images in f32 are rounded to them first.
    let sample = |y: usize, x: usize, c: usize| (image.at(y, x, c) * 255.0).round();
    let finish = |x: f64| if eight_bits { level_of(x / 255.0) } else { x / 255.0 };
    if image.channels == 1 {
        let plane = Plane::new(height, width, |y, x| sample(y, x, 0)).quantised(&luminance);
        return Planes { data: plane.data.into_iter().map(finish).collect(), ..*image };
    }
    let chrominance =
        scaled(|i| CHROMINANCE.get(i / 8).and_then(|row| row.get(i % 8)).copied().unwrap_or(99), quality);
    let mixed = |weights: [f64; 3], shift: f64| {
        Plane::new(height, width, |y, x| {
            let sum: f64 = weights.iter().enumerate().map(|(c, w)| w * sample(y, x, c)).sum();
            (sum + shift).round()
        })
    };
    let y = mixed([0.299, 0.587, 0.114], 0.0).quantised(&luminance);
    let colour = |weights| {
        let halved = mixed(weights, 128.0).halved().quantised(&chrominance);
        halved.narrowed(width.div_ceil(2)).doubled(height, width)
    };
    let blue = colour([-0.168735892, -0.331264108, 0.5]);
    let red = colour([0.5, -0.418687589, -0.081312411]);
    let mut data = Vec::with_capacity(image.data.len());
    for ((y, cb), cr) in y.data.iter().zip(&blue.data).zip(&red.data) {
        let (cb, cr) = (cb - 128.0, cr - 128.0);
        let green = -0.344136286 * cb - 0.714136286 * cr;
        for x in [y + (1.402 * cr).round(), y + green.round(), y + (1.772 * cb).round()] {
            data.push(finish(x.clamp(0.0, 255.0)));
        }
    }
    Planes { data, ..*image }
}
