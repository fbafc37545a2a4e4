//! Set V: what changes levels.

use crate::image::Image;

impl Image {
    /// Stretches each channel to all 256 levels, as Pillow's `ImageOps.autocontrast` without a cutoff.
    ///
    /// ```text
    /// v ← ⌊v·s − lo·s⌋ within [0, 255],   s = 255/(hi − lo)
    /// ```
    /// A channel of one level stays as it is.
    pub fn autocontrast(&mut self) {
        self.look_up(|plane| {
            let (low, high) = plane.iter().fold((255u8, 0u8), |(low, high), v| (low.min(*v), high.max(*v)));
            let scale = 255.0 / f64::from(high.checked_sub(low).filter(|range| *range > 0)?);
            let offset = -f64::from(low) * scale;
            // The cast cuts off the fraction, and what is outside.
            let value = |i: usize| (i as f64 * scale + offset) as u8;
            Some(std::array::from_fn(value))
        });
    }

    /// Makes the levels of each channel about equally frequent, as Pillow's `ImageOps.equalize`.
    ///
    /// ```text
    /// step = ⌊(pixels − those of the highest level)/255⌋,   v ← ⌊(⌊step/2⌋ + pixels below v)/step⌋
    /// ```
    /// A channel of one level, or with a step of 0, stays as it is.
    pub fn equalize(&mut self) {
        self.look_up(|plane| {
            // Four counters take turns, so that equal neighbours do not wait for each other.
            let mut counts = [[0u32; 256]; 4];
            let (fours, rest) = plane.as_chunks::<4>();
            for four in fours {
                for (counts, v) in counts.iter_mut().zip(four) {
                    counts[usize::from(*v)] += 1;
                }
            }
            for v in rest {
                counts[0][usize::from(*v)] += 1;
            }
            let total = |i: usize| counts.iter().map(|counts| u64::from(counts[i])).sum::<u64>();
            let histogram: [u64; 256] = std::array::from_fn(total);
            let last = *histogram.iter().rfind(|n| **n > 0)?;
            let step = (plane.len() as u64 - last) / 255;
            if step == 0 {
                return None;
            }
            let mut sum = step / 2;
            Some(histogram.map(|n| {
                let value = (sum / step).min(255) as u8;
                sum += n;
                value
            }))
        });
    }

    /// Keeps the highest `bits` of each level, from 1 to 8; 0 keeps nothing, and more than 8 all.
    pub fn posterize(&mut self, bits: u32) {
        let mask = posterize_mask(bits);
        self.pixels.iter_mut().for_each(|v| *v &= mask);
    }

    /// Inverts levels from `threshold` on: v ← 255 − v where v ≥ threshold.
    pub fn solarize(&mut self, threshold: u32) {
        let Ok(threshold) = u8::try_from(threshold) else { return };
        self.pixels.iter_mut().for_each(|v| *v = if *v < threshold { *v } else { 255 - *v });
    }
}

/// The bits that [`Image::posterize`] keeps.
pub(crate) fn posterize_mask(bits: u32) -> u8 {
    !(0xffu32 >> bits.min(8)) as u8
}
