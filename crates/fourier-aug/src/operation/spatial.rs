//! Set S: affine movements, as Pillow's `Image.transform` with bilinear interpolation.
//!
//! A pixel (x, y) reads at (a(x + ½) + b(y + ½) + c, d(x + ½) + e(y + ½) + f). Outside of [0, W) × [0, H) that is 0; inside, it is
//! interpolated between the four pixels around, of which those outside are the nearest inside, and cut down to a level.

use std::io::Write;

use crate::image::{Image, Row};

impl Image {
    /// Turns counter-clockwise by degrees about the middle; corners that come from outside are 0. Not finite: stays.
    pub fn rotate(&mut self, degrees: f64) {
        let [_, height, width] = self.shape();
        self.affine(rotation(degrees, height, width));
    }

    /// Shears rows: pixel (x, y) reads at x + s(y + ½). Not finite: stays.
    pub fn shear_x(&mut self, s: f64) {
        self.affine(shear_x(s));
    }

    /// Shears columns: pixel (x, y) reads at y + s(x + ½). Not finite: stays.
    pub fn shear_y(&mut self, s: f64) {
        self.affine(shear_y(s));
    }

    /// Moves the image to the left by whole pixels; what comes in is 0.
    pub fn translate_x(&mut self, pixels: i64) {
        let [_, _, width] = self.shape();
        let shift = pixels.unsigned_abs().min(width as u64) as usize;
        for row in self.pixels.chunks_exact_mut(width) {
            if pixels >= 0 {
                row.copy_within(shift.., 0);
                row[width - shift..].fill(0);
            } else {
                row.copy_within(..width - shift, shift);
                row[..shift].fill(0);
            }
        }
    }

    /// Moves the image up by whole pixels; what comes in is 0.
    pub fn translate_y(&mut self, pixels: i64) {
        let [_, height, width] = self.shape();
        let shift = pixels.unsigned_abs().min(height as u64) as usize * width;
        for plane in self.pixels.chunks_exact_mut(height * width) {
            let rest = plane.len() - shift;
            if pixels >= 0 {
                plane.copy_within(shift.., 0);
                plane[rest..].fill(0);
            } else {
                plane.copy_within(..rest, shift);
                plane[..shift].fill(0);
            }
        }
    }

    fn affine(&mut self, matrix: [f64; 6]) {
        // Along an axis on which nothing moves pixels are read at their centres, where interpolation changes no bit.
        let [a, b, c, d, e, f] = matrix;
        let still = [[a, b, c] == [1.0, 0.0, 0.0], [e, d, f] == [1.0, 0.0, 0.0]];
        variata_distributions::lanes::widest(
            #[inline(always)]
            || match still {
                [true, true] => {}
                [false, true] => self.affine_loops::<true, false>(matrix),
                [true, false] => self.affine_loops::<false, true>(matrix),
                [false, false] => self.affine_loops::<true, true>(matrix),
            },
        );
    }

    /// Every coordinate is computed as Pillow does, in the same order, so that the same pixels come out. `X`, `Y`: whether there is
    /// anything to interpolate along the axis.
    #[inline(always)]
    fn affine_loops<const X: bool, const Y: bool>(&mut self, [a, b, c, d, e, f]: [f64; 6]) {
        let [channels, height, width] = self.shape();
        let (stride, size) = (width + 1, height * width);
        let Self { pixels, spare, quads, row, .. } = self;
        // All four neighbours are found by one read.
        let squares = stride * (height + 1);
        quads.resize(channels * squares, 0);
        for (plane, quads) in pixels.chunks_exact(size).zip(quads.chunks_exact_mut(squares)) {
            for (y, to) in quads.chunks_exact_mut(stride).enumerate() {
                let above = &plane[y.saturating_sub(1) * width..][..width];
                let below = &plane[y.min(height - 1) * width..][..width];
                neighbours(above, below, to);
            }
        }
        row.resize(width);
        let Row { places, limits, steps_x, steps_y, found } = row;
        let (w, h) = (width as f64, height as f64);
        for y in 0..height {
            let middle = y as f64 + 0.5;
            let steps = steps_x.iter_mut().zip(steps_y.iter_mut());
            for (x, ((place, limit), (dx, dy))) in
                places.iter_mut().zip(limits.iter_mut()).zip(steps).enumerate()
            {
                let column = x as f64 + 0.5;
                let at_x = a * column + b * middle + c;
                let at_y = d * column + e * middle + f;
                let inside = (0.0..w).contains(&at_x) && (0.0..h).contains(&at_y);
                let (at_x, at_y) = (at_x - 0.5, at_y - 0.5);
                let (floor_x, floor_y) = (at_x.floor(), at_y.floor());
                (*dx, *dy) = (at_x - floor_x, at_y - floor_y);
                let index = (floor_y + 1.0) * stride as f64 + (floor_x + 1.0);
                // A whole number below 2⁵² is the low bits of its sum with 2⁵²; a cast would not run in vectors.
                *place = (if inside { index } else { 0.0 } + 4_503_599_627_370_496.0).to_bits() as u32;
                *limit = if inside { 255.0 } else { 0.0 };
            }
            for (from, to) in quads.chunks_exact(squares).zip(spare.chunks_exact_mut(size)) {
                // Fetched one by one, and interpolated in vectors.
                for (found, place) in found.iter_mut().zip(&*places) {
                    *found = from[*place as usize];
                }
                let to = &mut to[y * width..(y + 1) * width];
                let steps = steps_x.iter().zip(&*steps_y);
                for (((to, limit), quad), (dx, dy)) in to.iter_mut().zip(&*limits).zip(&*found).zip(steps) {
                    let level = |shift: u32| (quad >> shift & 255) as i32;
                    let between = |left: i32, right: i32| {
                        f64::from(left) + if X { f64::from(right - left) * dx } else { 0.0 }
                    };
                    let mut value = between(level(0), level(8));
                    if Y {
                        value += (between(level(16), level(24)) - value) * dy;
                    }
                    // From 0 to 255: what the sum with 2⁵² has after the fraction is cut off.
                    *to = (value.min(*limit).floor() + 4_503_599_627_370_496.0).to_bits() as u8;
                }
            }
        }
        std::mem::swap(pixels, spare);
    }
}

/// Nothing moves.
const STILL: [f64; 6] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];

/// A number from −1 to 1 with fifteen decimals, by its digits: a product by 10¹⁵ would be rounded itself.
fn rounded(v: f64) -> f64 {
    let mut digits = [0u8; 18];
    let mut rest = &mut digits[..];
    // The longest, −0.123456789012345, fits.
    let written = write!(rest, "{v:.15}").map(|()| rest.len());
    let text = written.ok().and_then(|rest| std::str::from_utf8(&digits[..18 - rest]).ok());
    text.and_then(|text| text.parse().ok()).unwrap_or(v)
}

/// What [`Image::rotate`] reads through.
pub(crate) fn rotation(degrees: f64, height: usize, width: usize) -> [f64; 6] {
    let degrees = degrees.rem_euclid(360.0);
    if !degrees.is_finite() || degrees == 0.0 {
        return STILL;
    }
    let angle = -degrees.to_radians();
    // As Pillow does.
    let (cos, sin) = (rounded(libm::cos(angle)), rounded(libm::sin(angle)));
    let (x, y) = (width as f64 / 2.0, height as f64 / 2.0);
    let c = cos * -x + sin * -y + x;
    let f = -sin * -x + cos * -y + y;
    [cos, sin, c, -sin, cos, f]
}

/// What [`Image::shear_x`] reads through.
pub(crate) fn shear_x(s: f64) -> [f64; 6] {
    if s.is_finite() { [1.0, s, 0.0, 0.0, 1.0, 0.0] } else { STILL }
}

/// What [`Image::shear_y`] reads through.
pub(crate) fn shear_y(s: f64) -> [f64; 6] {
    if s.is_finite() { [1.0, 0.0, 0.0, s, 1.0, 0.0] } else { STILL }
}

/// Each place between pixels of two rows, one more than there are in a row, with its four neighbours, those outside being the nearest
/// inside: left above, right above, left below, right below, from the lowest byte on.
#[inline(always)]
fn neighbours(above: &[u8], below: &[u8], to: &mut [u32]) {
    let join = |a: u8, b: u8, c: u8, d: u8| u32::from_le_bytes([a, b, c, d]);
    let last = above.len() - 1;
    to[0] = join(above[0], above[0], below[0], below[0]);
    let pairs = above.windows(2).zip(below.windows(2));
    for (to, (above, below)) in to[1..].iter_mut().zip(pairs) {
        *to = join(above[0], above[1], below[0], below[1]);
    }
    to[last + 1] = join(above[last], above[last], below[last], below[last]);
}
