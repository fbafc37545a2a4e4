//! Set C: blends of an image with a degenerate one, as Pillow's `ImageEnhance`.
//!
//! ```text
//! v ← ⌊d + f·(v − d)⌋ within [0, 255], in f32
//! ```

use crate::image::Image;

/// What a pixel of three channels is in grey: ITU-R 601, in fractions of 2¹⁶.
pub(crate) const GREY: [u32; 3] = [19595, 38470, 7471];

impl Image {
    /// Blends with black: 0 gives black, 1 the image.
    pub fn brightness(&mut self, factor: f32) {
        self.pixels.iter_mut().for_each(|v| *v = blend(0, *v, factor));
    }

    /// Blends with the image's mean grey, rounded to a level.
    pub fn contrast(&mut self, factor: f32) {
        let plane = self.plane_len();
        let sum: u64 = match self.pixels.len() / plane {
            1 => self.pixels.iter().map(|v| u64::from(*v)).sum(),
            _ => (0..plane).map(|i| u64::from(self.grey(i))).sum(),
        };
        let mean = (sum as f64 / plane as f64 + 0.5) as u8;
        self.pixels.iter_mut().for_each(|v| *v = blend(mean, *v, factor));
    }

    /// Blends each pixel with its grey; an image of one channel is left unchanged: Pillow's blend of a value with
    /// itself rounds back to it.
    pub fn color(&mut self, factor: f32) {
        let plane = self.plane_len();
        if self.pixels.len() == plane {
            return;
        }
        for i in 0..plane {
            let grey = self.grey(i);
            for v in self.pixels[i..].iter_mut().step_by(plane) {
                *v = blend(grey, *v, factor);
            }
        }
    }

    /// Blends with a smoothed image, whose pixels are (5v + the eight around)/13, rounded to the nearest; pixels at the border are as
    /// they were.
    pub fn sharpness(&mut self, factor: f32) {
        let [_, height, width] = self.shape();
        let plane = self.plane_len();
        self.spare.copy_from_slice(&self.pixels);
        if height > 2 && width > 2 {
            for (from, to) in self.pixels.chunks_exact(plane).zip(self.spare.chunks_exact_mut(plane)) {
                for y in 1..height - 1 {
                    let rows = &from[(y - 1) * width..(y + 2) * width];
                    let (above, rest) = rows.split_at(width);
                    let (here, below) = rest.split_at(width);
                    let to = &mut to[y * width + 1..(y + 1) * width - 1];
                    let windows = above.windows(3).zip(here.windows(3)).zip(below.windows(3));
                    for (to, ((a, h), b)) in to.iter_mut().zip(windows) {
                        let sum = |w: &[u8]| w.iter().map(|v| u32::from(*v)).sum::<u32>();
                        let sum = sum(a) + sum(h) + sum(b) + 4 * u32::from(h[1]);
                        *to = smooth(sum);
                    }
                }
            }
        }
        let smoothed = self.spare.iter();
        self.pixels.iter_mut().zip(smoothed).for_each(|(v, d)| *v = blend(*d, *v, factor));
    }

    /// Grey of pixel i of an image of three channels.
    fn grey(&self, i: usize) -> u8 {
        let channels = self.pixels[i..].iter().step_by(self.plane_len());
        let sum: u32 = channels.zip(GREY).map(|(v, weight)| u32::from(*v) * weight).sum();
        ((sum + 0x8000) >> 16) as u8
    }
}

/// The thirteenth of a sum, rounded to the nearest.
fn smooth(sum: u32) -> u8 {
    ((2 * sum + 13) / 26) as u8
}

#[inline(always)]
fn blend(degenerate: u8, value: u8, factor: f32) -> u8 {
    let (d, v) = (f32::from(degenerate), f32::from(value));
    // The cast cuts off the fraction, and what is outside.
    (d + factor * (v - d)) as u8
}
