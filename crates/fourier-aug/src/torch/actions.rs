//! The operations on levels of 8 bits, [n, C, H, W], each image with numbers of its own.
//!
//! Every step rounds as the native one: coordinates and interpolation in f64, blends and waves in f32, tables in whole numbers. So the same
//! levels come out, on any device whose elementary operations round correctly.

use tch::{Device, Kind, Tensor};

use super::upload;
use super::waves::Circles;
use crate::error::Error;
use crate::operation::color::GREY;
use crate::wave::Grid;

/// What is done to a group of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kernel {
    /// Reads pixels through an affine map of six numbers, interpolated.
    Affine,
    /// The same for maps that take centres of pixels to such.
    Move,
    Autocontrast,
    Equalize,
    /// A mask.
    Posterize,
    /// A threshold.
    Solarize,
    /// Factors.
    Brightness,
    Color,
    Contrast,
    Sharpness,
    /// Five numbers of the wave, and three signs.
    Wave,
}

/// Numbers of f64 that a kernel holds at a time.
const BLOCK: usize = 1 << 22;

/// What kernels read beside images, on their device.
pub(super) struct Tables {
    circles: Circles,
    /// x + ½ of every column [1, 1, W], y + ½ of every row [1, H, 1], in f64.
    columns: Tensor,
    rows: Tensor,
    /// All levels, [1, 256], as whole numbers.
    levels: Tensor,
    /// Parts of the channels in grey, [1, 3, 1, 1], in f32.
    grey: Tensor,
}

impl Tables {
    pub(super) fn new(grid: &Grid, device: Device) -> Result<Self, Error> {
        let centres = |n: usize| Tensor::arange(n as i64, (Kind::Double, device)) + 0.5;
        let grey = GREY.map(|part| part as f32);
        Ok(Self {
            circles: Circles::new(grid, device)?,
            columns: centres(grid.width()).view([1, 1, -1]),
            rows: centres(grid.height()).view([1, -1, 1]),
            levels: Tensor::arange(256, (Kind::Int64, device)).view([1, 256]),
            grey: upload(&grey, &[1, 3, 1, 1], device)?,
        })
    }

    /// Images after the kernel, in blocks of images.
    pub(super) fn apply(&self, kernel: Kernel, images: &Tensor, numbers: &Tensor) -> Tensor {
        let [n, channels, height, width] = four(images);
        let block = (BLOCK as i64 / (channels * height * width)).max(1);
        let part = |start: i64| {
            let len = block.min(n - start);
            self.one(kernel, &images.narrow(0, start, len), &numbers.narrow(0, start, len))
        };
        if n <= block {
            return self.one(kernel, images, numbers);
        }
        let parts: Vec<Tensor> = (0..n).step_by(block as usize).map(part).collect();
        Tensor::cat(&parts, 0)
    }

    fn one(&self, kernel: Kernel, images: &Tensor, numbers: &Tensor) -> Tensor {
        // One number an image, beside its pixels.
        let number = || numbers.select(1, 0).view([-1, 1, 1, 1]);
        let factor = || number().to_kind(Kind::Float);
        let values = || images.to_kind(Kind::Float);
        match kernel {
            Kernel::Affine => self.affine(images, numbers, true),
            Kernel::Move => self.affine(images, numbers, false),
            Kernel::Autocontrast => look_up(images, |levels| self.autocontrast(levels)),
            Kernel::Equalize => look_up(images, |levels| self.equalize(levels)),
            Kernel::Posterize => images.bitwise_and_tensor(&number().to_kind(Kind::Uint8)),
            Kernel::Solarize => {
                let from = images.ge_tensor(&number().to_kind(Kind::Int));
                images.bitwise_not().where_self(&from, images)
            }
            Kernel::Brightness => levels(&(values() * factor())),
            Kernel::Color if images.size()[1] == 1 => images.shallow_clone(),
            Kernel::Color => blend(&self.grey(&values()), &values(), &factor()),
            Kernel::Contrast => blend(&self.mean_grey(&values()), &values(), &factor()),
            Kernel::Sharpness => blend(&smoothed(&values()), &values(), &factor()),
            Kernel::Wave => {
                let waves = self.circles.waves(numbers, Kind::Float).unsqueeze(1);
                let signs = numbers.narrow(1, 5, images.size()[1]).to_kind(Kind::Float);
                levels(&(values() + waves * signs.unsqueeze(-1).unsqueeze(-1) + 0.5))
            }
        }
    }

    /// Reads each pixel (x, y) at (a(x + ½) + b(y + ½) + c, d(x + ½) + e(y + ½) + f); outside of the image that is 0.
    fn affine(&self, images: &Tensor, numbers: &Tensor, interpolated: bool) -> Tensor {
        let [n, channels, height, width] = four(images);
        let number = |i: i64| numbers.select(1, i).view([-1, 1, 1]);
        let x = number(0) * &self.columns + number(1) * &self.rows + number(2);
        let y = number(3) * &self.columns + number(4) * &self.rows + number(5);
        let within = |at: &Tensor, side: i64| at.ge(0.0).logical_and(&at.lt(side as f64));
        let outside = within(&x, width).logical_and(&within(&y, height)).logical_not();
        // What is outside, NaN too, reads anywhere.
        let [x, y] = [x, y].map(|at| at.masked_fill(&outside, 0.5) - 0.5);
        let pixels = images.reshape([n, channels, height * width]);
        let read = |x: &Tensor, y: &Tensor| {
            // Neighbours beyond the border are the nearest inside.
            let places = y.clamp(0.0, (height - 1) as f64) * width as f64 + x.clamp(0.0, (width - 1) as f64);
            let places = places.to_kind(Kind::Int64).view([n, 1, -1]).expand([n, channels, -1], true);
            pixels.gather(2, &places, false).view([n, channels, height, width])
        };
        let (left, above) = (x.floor(), y.floor());
        let found = if interpolated {
            let (right, below) = (&left + 1.0, &above + 1.0);
            let (dx, dy) = ((x - &left).unsqueeze(1), (y - &above).unsqueeze(1));
            let level = |x: &Tensor, y: &Tensor| read(x, y).to_kind(Kind::Double);
            let between = |y: &Tensor| {
                let from = level(&left, y);
                (level(&right, y) - &from) * &dx + from
            };
            let upper = between(&above);
            ((between(&below) - &upper) * dy + upper).floor().to_kind(Kind::Uint8)
        } else {
            read(&left, &above)
        };
        found.masked_fill(&outside.unsqueeze(1), 0.0)
    }

    /// Tables [planes, 256] for planes of whole numbers [planes, pixels].
    fn autocontrast(&self, planes: &Tensor) -> Tensor {
        let bound = |found: Tensor| found.to_kind(Kind::Double);
        let low = bound(planes.amin([1i64].as_slice(), true));
        let range = bound(planes.amax([1i64].as_slice(), true)) - &low;
        let flat = range.eq(0.0);
        // Of two tensors: by a number a GPU multiplies with the rounded reciprocal.
        let scale = range.full_like(255.0) / range.masked_fill(&flat, 1.0);
        let table = self.levels.to_kind(Kind::Double) * &scale + -low * &scale;
        levels(&table).where_self(&flat.logical_not(), &self.levels.to_kind(Kind::Uint8))
    }

    /// As [`autocontrast`](Self::autocontrast).
    fn equalize(&self, planes: &Tensor) -> Tensor {
        let [rows, pixels] = [planes.size()[0], planes.size()[1]];
        let options = (Kind::Int64, planes.device());
        let one = Tensor::ones([1, 1], options).expand([rows, pixels], true);
        let counts = Tensor::zeros([rows, 256], options).scatter_add(1, planes, &one);
        let highest = (counts.gt(0).to_kind(Kind::Int64) * &self.levels).amax([1i64].as_slice(), true);
        let last = counts.gather(1, &highest, false);
        let whole = "floor";
        let step = (-last + pixels).divide_scalar_mode(255, whole);
        let below = counts.cumsum(1, Kind::Int64) - &counts;
        let sum = step.divide_scalar_mode(2, whole) + below;
        let table = sum.divide_tensor_mode(&step.clamp_min(1), whole).clamp_max(255);
        table.where_self(&step.gt(0), &self.levels).to_kind(Kind::Uint8)
    }

    /// Grey of levels [n, 3, H, W] in f32: [n, 1, H, W]. Sums stay below 2²⁴, so that they are exact.
    fn grey(&self, values: &Tensor) -> Tensor {
        let sum = (values * &self.grey).sum_dim_intlist([1i64].as_slice(), true, Kind::Float);
        ((sum + 32768.0) * (1.0 / 65536.0)).floor()
    }

    /// Mean grey of each image, rounded to a level, [n, 1, 1, 1].
    fn mean_grey(&self, values: &Tensor) -> Tensor {
        let [_, channels, height, width] = four(values);
        let pixels = height * width;
        let grey = if channels == 1 { values.shallow_clone() } else { self.grey(values) };
        let sum = grey.to_kind(Kind::Int64).sum_dim_intlist([1i64, 2, 3].as_slice(), true, Kind::Int64);
        (sum * 2 + pixels).divide_scalar_mode(2 * pixels, "floor").to_kind(Kind::Float)
    }
}

/// (5v + the eight around)/13, rounded to the nearest; pixels at the border are as they were.
fn smoothed(values: &Tensor) -> Tensor {
    let [_, _, height, width] = four(values);
    if height < 3 || width < 3 {
        return values.shallow_clone();
    }
    let shifted = |y: i64, x: i64| values.narrow(2, y, height - 2).narrow(3, x, width - 2);
    let mut sum = shifted(1, 1) * 4.0;
    for y in 0..3 {
        for x in 0..3 {
            sum += shifted(y, x);
        }
    }
    // ⌊(2·sum + 13)/26⌋; half a unit more keeps the quotient clear of whole numbers, whichever way it is rounded.
    let smooth = ((sum * 2.0 + 13.5) * (1.0 / 26.0)).floor();
    let out = values.copy();
    out.narrow(2, 1, height - 2).narrow(3, 1, width - 2).copy_(&smooth);
    out
}

/// d + f·(v − d), cut down to a level.
fn blend(degenerate: &Tensor, values: &Tensor, factor: &Tensor) -> Tensor {
    levels(&((values - degenerate) * factor + degenerate))
}

/// Cut down to levels; NaN is 0.
fn levels(values: &Tensor) -> Tensor {
    values.clamp(0.0, 255.0).nan_to_num(0.0, 255.0, 0.0).to_kind(Kind::Uint8)
}

/// Reads each channel of each image through the table that `table` makes of its whole numbers.
fn look_up(images: &Tensor, table: impl Fn(&Tensor) -> Tensor) -> Tensor {
    let [n, channels, height, width] = four(images);
    let planes = images.reshape([n * channels, height * width]).to_kind(Kind::Int64);
    table(&planes).gather(1, &planes, false).view([n, channels, height, width])
}

/// The sizes of images; callers have seen that there are four.
fn four(images: &Tensor) -> [i64; 4] {
    <[i64; 4]>::try_from(images.size()).unwrap_or_default()
}
