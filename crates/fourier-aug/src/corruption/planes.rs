//! An image in f64 and what several corruptions need of it.

use ndarray::ArrayView3;

use super::CorruptionPixel;

/// Pixels in [0, 1], [height][width][channels].
#[derive(Debug, Clone)]
pub(super) struct Planes {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) data: Vec<f64>,
}

/// How an image goes on beyond its border.
#[derive(Debug, Clone, Copy)]
pub(super) enum Border {
    /// aaa|abcd|ddd
    Nearest,
    /// dcb|abcd|cba
    Mirror,
    /// cba|abcd|dcb
    Reflect,
}

impl Border {
    /// The position inside 0…n − 1 for one that may lie outside.
    pub(super) fn inside(self, i: isize, n: usize) -> usize {
        let n = n as isize;
        let at = match self {
            Self::Nearest => i.clamp(0, n - 1),
            Self::Mirror if n == 1 => 0,
            Self::Mirror => {
                let i = i.rem_euclid(2 * n - 2);
                if i < n { i } else { 2 * n - 2 - i }
            }
            Self::Reflect => {
                let i = i.rem_euclid(2 * n);
                if i < n { i } else { 2 * n - 1 - i }
            }
        };
        at as usize
    }
}

impl Planes {
    pub(super) fn new<P: CorruptionPixel>(view: &ArrayView3<'_, P>) -> Self {
        let (height, width, channels) = view.dim();
        Self { height, width, channels, data: view.iter().map(|p| p.unit()).collect() }
    }

    pub(super) fn filled(height: usize, width: usize, channels: usize, value: f64) -> Self {
        Self { height, width, channels, data: vec![value; height * width * channels] }
    }

    /// One channel, by position.
    pub(super) fn plane(height: usize, width: usize, mut of: impl FnMut() -> f64) -> Self {
        Self { height, width, channels: 1, data: (0..height * width).map(|_| of()).collect() }
    }

    #[inline]
    pub(super) fn at(&self, y: usize, x: usize, c: usize) -> f64 {
        self.data[(y * self.width + x) * self.channels + c]
    }

    pub(super) fn map(mut self, f: impl Fn(f64) -> f64) -> Self {
        self.data.iter_mut().for_each(|x| *x = f(*x));
        self
    }

    /// Bilinear between pixels.
    pub(super) fn between(&self, y: f64, x: f64, c: usize, border: Border) -> f64 {
        let (y0, x0) = (y.floor(), x.floor());
        let (fy, fx) = (y - y0, x - x0);
        let row = |dy: isize| border.inside(y0 as isize + dy, self.height);
        let column = |dx: isize| border.inside(x0 as isize + dx, self.width);
        let (top, bottom, left, right) = (row(0), row(1), column(0), column(1));
        let above = self.at(top, left, c) * (1.0 - fx) + self.at(top, right, c) * fx;
        let below = self.at(bottom, left, c) * (1.0 - fx) + self.at(bottom, right, c) * fx;
        above * (1.0 - fy) + below * fy
    }

    /// Convolved along both axes with `kernel`, of odd length.
    pub(super) fn separable(&self, kernel: &[f64], border: Border) -> Self {
        let half = (kernel.len() / 2) as isize;
        let mut along_y = Self::filled(self.height, self.width, self.channels, 0.0);
        let stride = self.width * self.channels;
        for y in 0..self.height {
            for (k, weight) in kernel.iter().enumerate() {
                let from = border.inside(y as isize + k as isize - half, self.height) * stride;
                let goal = &mut along_y.data[y * stride..(y + 1) * stride];
                for (to, from) in goal.iter_mut().zip(&self.data[from..from + stride]) {
                    *to += weight * from;
                }
            }
        }
        let mut both = Self::filled(self.height, self.width, self.channels, 0.0);
        for x in 0..self.width {
            for (k, weight) in kernel.iter().enumerate() {
                let from = border.inside(x as isize + k as isize - half, self.width);
                for y in 0..self.height {
                    for c in 0..self.channels {
                        both.data[(y * self.width + x) * self.channels + c] +=
                            weight * along_y.at(y, from, c);
                    }
                }
            }
        }
        both
    }

    /// Gaussian blur with a kernel cut at `truncate` standard deviations.
    pub(super) fn blurred(&self, sigma: f64, truncate: f64, border: Border) -> Self {
        self.separable(&gaussian_kernel(sigma, (truncate * sigma + 0.5) as usize), border)
    }

    /// Hue, saturation and value of a pixel of three channels; hue in sixths of the circle.
    pub(super) fn map_hsv(mut self, f: impl Fn([f64; 3]) -> [f64; 3]) -> Self {
        for pixel in self.data.as_chunks_mut::<3>().0 {
            *pixel = rgb(f(hsv(*pixel)));
        }
        self
    }

    /// Luminance 0.299 R + 0.587 G + 0.114 B of a pixel.
    pub(super) fn gray(&self, pixel: usize) -> f64 {
        match self.data[pixel * self.channels..(pixel + 1) * self.channels] {
            [r, g, b] => 0.299 * r + 0.587 * g + 0.114 * b,
            [one] => one,
            _ => 0.0,
        }
    }
}

/// Normalised Gaussian weights at −radius … radius.
pub(super) fn gaussian_kernel(sigma: f64, radius: usize) -> Vec<f64> {
    let r = radius as isize;
    let weights: Vec<f64> = (-r..=r).map(|i| (-0.5 * (i * i) as f64 / (sigma * sigma)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

fn hsv([r, g, b]: [f64; 3]) -> [f64; 3] {
    let (high, low) = (r.max(g).max(b), r.min(g).min(b));
    let spread = high - low;
    if spread == 0.0 {
        return [0.0, 0.0, high];
    }
    let hue = if high == r {
        (g - b) / spread
    } else if high == g {
        2.0 + (b - r) / spread
    } else {
        4.0 + (r - g) / spread
    };
    [hue.rem_euclid(6.0), spread / high, high]
}

fn rgb([h, s, v]: [f64; 3]) -> [f64; 3] {
    let (sector, f) = (h.floor(), h - h.floor());
    let (p, q, t) = (v * (1.0 - s), v * (1.0 - s * f), v * (1.0 - s * (1.0 - f)));
    match sector as i64 {
        0 | 6 => [v, t, p],
        1 => [q, v, p],
        2 => [p, v, t],
        3 => [p, q, v],
        4 => [t, p, v],
        _ => [v, p, q],
    }
}
