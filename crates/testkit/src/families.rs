//! Inputs that break naive kernels: ill-conditioned matrices, extreme scales, special numbers, odd layouts and sizes.

mod layouts;
mod matrices;

pub use layouts::{for_each_layout_1d, for_each_layout_2d};
pub use matrices::{condition_of, graded_spd, near_collinear, spd};

/// Lengths around every unrolling and blocking: 0, 1, and both sides of powers of two.
pub const SIZES: [usize; 16] = [0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 257];

/// Data scales 2ᵏ at which a homogeneous `f64` function must obey its scaling law exactly.
pub fn scales_f64() -> [f64; 7] {
    [-120, -60, -1, 0, 1, 60, 120].map(|k| libm::scalbn(1.0, k))
}

/// Data scales 2ᵏ for `f32`.
pub fn scales_f32() -> [f32; 7] {
    [-60, -30, -1, 0, 1, 30, 60].map(|k| libm::scalbnf(1.0, k))
}

/// Infinities, zeros, subnormals, the ends of the range, and numbers at which exp, log1p or trigonometry change. NaN is not among them: a test of it is
/// written on purpose.
pub const SPECIAL_F64: [f64; 26] = [
    0.0,
    -0.0,
    f64::from_bits(1),
    -f64::from_bits(1),
    f64::MIN_POSITIVE,
    -f64::MIN_POSITIVE,
    f64::from_bits(0x000f_ffff_ffff_ffff),
    f64::EPSILON,
    -f64::EPSILON,
    1.0,
    -1.0,
    1.0 - f64::EPSILON / 2.0,
    1.0 + f64::EPSILON,
    0.5,
    -0.5,
    709.782_712_893_384,
    710.0,
    -745.133_219_101_941,
    -746.0,
    9_007_199_254_740_993.0,
    1e154,
    1e-154,
    f64::MAX,
    f64::MIN,
    f64::INFINITY,
    f64::NEG_INFINITY,
];

/// The `f32` counterpart of [`SPECIAL_F64`].
pub const SPECIAL_F32: [f32; 20] = [
    0.0,
    -0.0,
    f32::from_bits(1),
    -f32::from_bits(1),
    f32::MIN_POSITIVE,
    -f32::MIN_POSITIVE,
    f32::EPSILON,
    1.0,
    -1.0,
    1.0 - f32::EPSILON / 2.0,
    1.0 + f32::EPSILON,
    88.722_84,
    89.0,
    -103.972_08,
    -104.0,
    16_777_217.0,
    f32::MAX,
    f32::MIN,
    f32::INFINITY,
    f32::NEG_INFINITY,
];
