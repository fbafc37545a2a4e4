//! The functions of the kernels: branch-free; those of f64 with fused multiply-adds where they are asked for, those of f32 always.

use crate::special::ndtr::{INV_SQRT_TWO_PI, scaled_tail_from};

/// 1.5·2⁵²: adding it rounds to an integer and leaves that in the low bits.
pub const ROUND: f64 = 6755399441055744.0;
/// log 2 in two parts; multiples of the first by integers below 2¹¹ are exact.
const LN2_HIGH: f64 = 6.93147180369123816490e-01;
const LN2_LOW: f64 = 1.90821492927058770002e-10;

/// eˣ − 1 and eˣ − 1 − x for |x| < 700, branch-free; ≤ 4 ulp and ≤ 32 ulp (next to |x| = ½ log 2).
///
/// x = k log 2 + r: with m = eʳ − 1 − r by its series, eˣ − 1 = 2ᵏ(r + m) + (2ᵏ − 1), and m itself for k = 0.
#[inline(always)]
pub(crate) fn expm1_expm1mx<const FUSED: bool>(x: f64) -> (f64, f64) {
    let (power, r, m) = split_exp::<FUSED, _>(x, &EXP);
    let below = power - 1.0;
    let expm1 = mul_add::<FUSED>(power, r + m, below);
    let rest = mul_add::<FUSED>(power, m, mul_add::<FUSED>(power, r, below - x));
    (expm1, if power == 1.0 { m } else { rest })
}

/// eˣ for |x| < 700, branch-free; ≤ 2 ulp.
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    exp_fused::<false>(x)
}

/// Φ(−|x|) and φ(x), branch-free; ≤ 8 ulp for |x| ≤ 37. Beyond, both keep the value they have there, some 1e-300.
#[inline(always)]
pub fn upper_tail_and_density(x: f64) -> (f64, f64) {
    let x = x.abs().min(37.0);
    // x² in two parts, of which the larger is exact.
    let high = f64::from_bits(x.to_bits() & !0x7FF_FFFF);
    let (large, small) = (0.5 * high * high, 0.5 * (x - high) * (x + high));
    let gauss = exp(-large);
    let gauss = gauss - gauss * small * (1.0 - small * (0.5 - small * (1.0 / 6.0)));
    let inverse = 1.0 / ((x + 6.0) * (x + 1.0));
    let scaled = scaled_tail_from((x - 6.0) * (x + 1.0) * inverse) * ((x + 6.0) * inverse);
    (scaled * gauss, INV_SQRT_TWO_PI * gauss)
}

/// The coefficients of [`coarse_tail_and_density`]: (x + 1)·Φ(−x)·e^(x²/2) for x ≤ 8 by powers of (x − 4)/(x + 4), within 4·10⁻¹¹,
/// and (eʳ − 1 − r)/r² for |r| ≤ ½ log 2, which is 3·10⁻¹² of eʳ; the highest first. Made by mpmath's `chebyfit`, the last one
/// moved by 10⁻¹¹ so that Φ(0) is ½ to the bit: Φ has no step there.
const COARSE_TAIL: [f64; 12] = [
    -2.3873905898659282e-5,
    -0.0001416285104984959,
    -0.00012033965658955657,
    0.00069720200682904978,
    -0.00027868214342270151,
    -0.005000771134608779,
    0.017935632369184229,
    -0.032198017251890609,
    0.02860037240541217,
    0.013999640123238669,
    -0.096703477340200091,
    0.4720532064954156,
];
const COARSE_EXP: [f64; 7] = [
    2.4859589834589054e-5,
    0.00019899285575896282,
    0.001388885403566671,
    0.0083332984698005894,
    0.041666666719012259,
    0.16666666719028935,
    0.5,
];

/// Φ(−|x|) and φ(x) to 10⁻¹⁰ of each, for points that are known to less than that; branch-free, in half the time of
/// [`upper_tail_and_density`]. Beyond |x| = 8 both keep the value they have there, some 1e-15.
#[inline(always)]
pub fn coarse_tail_and_density(x: f64) -> (f64, f64) {
    let x = x.abs().min(8.0);
    let inverse = 1.0 / ((x + 4.0) * (x + 1.0));
    let t = (x - 4.0) * (x + 1.0) * inverse;
    let tail = polynomial::<false, _>(t, &COARSE_TAIL);
    let (power, r, m) = split_exp::<false, _>(-0.5 * x * x, &COARSE_EXP);
    let gauss = power * (1.0 + (r + m));
    (tail * ((x + 4.0) * inverse) * gauss, INV_SQRT_TWO_PI * gauss)
}

/// 2ᵏ, r and eʳ − 1 − r with x = k log 2 + r and |r| ≤ ½ log 2, by the coefficients of (eʳ − 1 − r)/r², the highest first.
#[inline(always)]
fn split_exp<const FUSED: bool, const N: usize>(x: f64, coefficients: &[f64; N]) -> (f64, f64, f64) {
    let shifted = mul_add::<FUSED>(x, std::f64::consts::LOG2_E, ROUND);
    let k = shifted - ROUND;
    let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    let r = mul_add::<FUSED>(-k, LN2_LOW, mul_add::<FUSED>(-k, LN2_HIGH, x));
    (power, r, r * r * polynomial::<FUSED, N>(r, coefficients))
}

/// a·b + c, rounded once if FUSED: fast only where the processor has an instruction for it.
#[inline(always)]
pub fn mul_add<const FUSED: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// [`exp`], with fused multiply-adds if FUSED.
#[inline(always)]
pub(crate) fn exp_fused<const FUSED: bool>(x: f64) -> f64 {
    let (power, r, m) = split_exp::<FUSED, _>(x, &EXP);
    mul_add::<FUSED>(power, r + m, power)
}

/// log x for normal x > 0, branch-free; ≤ 1 ulp of the larger of its value and 1.
#[inline(always)]
pub(crate) fn ln_fused<const FUSED: bool>(x: f64) -> f64 {
    /// The bits of √½, cut to the upper half.
    const ROOT: u64 = 0x3FE6_A09E_0000_0000;
    // x = 2ᵉy with y in [√½, √2), and log y = 2 artanh s of s = (y − 1)/(y + 1), |s| < 0.172.
    let bits = x.to_bits().wrapping_sub(ROOT);
    let e = f64::from_bits((bits.wrapping_add(1024 << 52) >> 52) | 0x4330_0000_0000_0000)
        - (4503599627370496.0 + 1024.0);
    let y = f64::from_bits((bits & 0x000F_FFFF_FFFF_FFFF).wrapping_add(ROOT));
    let s = (y - 1.0) / (y + 1.0);
    let s2 = s * s;
    let tail = polynomial::<FUSED, _>(s2, &ARTANH);
    let twice = s + s;
    mul_add::<FUSED>(e, std::f64::consts::LN_2, mul_add::<FUSED>(twice, s2 * tail, twice))
}

/// (eʳ − 1 − r)/r² for |r| ≤ ½ log 2, the highest power first: 6·10⁻¹⁶ of eʳ − 1 − r, which is 4·10⁻¹⁷ of eʳ. Made by mpmath's
/// `chebyfit` with the last one given.
const EXP: [f64; 10] = [
    2.5095554677111112e-8,
    2.761380686153829e-7,
    2.755728006701698e-6,
    2.4801536388690766e-5,
    0.0001984126985433861,
    0.0013888888905881542,
    0.008333333333332155,
    0.04166666666665136,
    0.16666666666666666,
    0.5,
];

/// (artanh(s)/s − 1)/s² by powers of s², the highest first, for |s| ≤ 0.172: 5·10⁻¹⁶ of it, which is 5·10⁻¹⁸ of artanh. Made by
/// mpmath's `chebyfit`.
const ARTANH: [f64; 7] = [
    0.07308360589930908,
    0.07665849816771929,
    0.09091444893095521,
    0.11111105562861405,
    0.14285714313015532,
    0.1999999999994969,
    0.3333333333333335,
];

/// The same for |s| ≤ 0.21, to 9·10⁻¹⁷.
const ARTANH_FAR: [f64; 8] = [
    0.06905723656203512,
    0.06591014690541368,
    0.07695173420580537,
    0.09090849342747555,
    0.11111111785290619,
    0.14285714281986356,
    0.20000000000007842,
    0.3333333333333333,
];

/// The polynomial of these coefficients, the highest first.
#[inline(always)]
fn polynomial<const FUSED: bool, const N: usize>(x: f64, coefficients: &[f64; N]) -> f64 {
    let mut value = coefficients[0];
    for c in &coefficients[1..] {
        value = mul_add::<FUSED>(value, x, *c);
    }
    value
}

/// eˣ in f32 for x ≤ 0, branch-free; ≤ 2 ulp, and 0 below −87.
#[inline(always)]
pub(crate) fn exp_single(x: f32) -> f32 {
    /// 1.5·2²³.
    const ROUND: f32 = 12_582_912.0;
    // Multiples of the first by integers below 2⁸ are exact.
    let (high, low) = (0.693_359_375_f32, -2.121_944_4e-4_f32);
    let inside = x.max(-87.0);
    let shifted = inside.mul_add(std::f32::consts::LOG2_E, ROUND);
    let k = shifted - ROUND;
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    let r = (-k).mul_add(low, (-k).mul_add(high, inside));
    let mut series = 1.0 / 5040.0f32;
    for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5] {
        series = series.mul_add(r, c);
    }
    let value = power.mul_add((r * r).mul_add(series, r), power);
    if x < -87.0 { 0.0 } else { value }
}

/// The coefficients of [`ln_single`]'s polynomial after the first: made by mpmath's `chebyfit` on [√½ − 1, √2 − 1].
const LOG_SINGLE: [f32; 8] = [
    -0.114_797_339,
    0.116_854_199,
    -0.124_256_873,
    0.142_490_577,
    -0.166_678_023,
    0.200_007_158,
    -0.249_999_97,
    0.333_333_312,
];

/// log x in f32 for normal x > 0, branch-free; ≤ 2 ulp.
#[inline(always)]
pub(crate) fn ln_single(x: f32) -> f32 {
    // x = 2ᵉ(1 + t) with 1 + t in [√½, √2): half an octave is added before the exponent is cut off.
    let bits = x.to_bits().wrapping_sub(0x3F35_04F3);
    let e = ((bits as i32) >> 23) as f32;
    let t = f32::from_bits((bits & 0x007F_FFFF).wrapping_add(0x3F35_04F3)) - 1.0;
    // log(1 + t) = t − t²/2 + t³P(t) with the best P of degree 8, whose error is 3·10⁻⁸.
    let mut series = 0.069_716_115_f32;
    for c in LOG_SINGLE {
        series = series.mul_add(t, c);
    }
    let near = (t * t).mul_add(t.mul_add(series, -0.5), t);
    e.mul_add(0.693_359_375, e.mul_add(-2.121_944_4e-4, near))
}

/// Two positive numbers compared: see [`compare`].
#[derive(Debug, Clone, Copy)]
pub struct Comparison {
    /// a/b − 1.
    pub excess: f64,
    /// log(a/b) − (a/b − 1); the logarithm itself is `ln_fused`'s, because this and the excess cancel where a/b is large.
    pub log1pmx: f64,
    /// 1/a.
    pub over_a: f64,
    /// 1/b.
    pub over_b: f64,
}

/// All that the kernels need of two numbers in (1e-100, 1e100), branch-free; `log1pmx` ≤ 32 ulp, the others ≤ 4 ulp.
///
/// With e near log₂(a/b) and a′ = a·2⁻ᵉ, log(a′/b) = 2 artanh s of s = (a′ − b)/(a′ + b), |s| < 0.21, and
/// log(a′/b) − (a′/b − 1) as in `special::log1pmx`.
#[inline(always)]
pub fn compare<const FUSED: bool>(a: f64, b: f64) -> Comparison {
    // The difference of the bit patterns is log₂(a/b) in units of 2⁻⁵², off by less than 0.09.
    let biased = a.to_bits().wrapping_sub(b.to_bits()).wrapping_add(ROUND_AND_BIAS) >> 52;
    let near = a * f64::from_bits(2047u64.wrapping_sub(biased) << 52);
    let e = f64::from_bits(biased | 0x4330_0000_0000_0000) - (4503599627370496.0 + 1024.0);
    let difference = near - b;
    let inverse = 1.0 / (a * b);
    let (over_a, over_b) = (inverse * b, inverse * a);
    let s = difference / (near + b);
    let (excess, near_excess) = ((a - b) * over_b, difference * over_b);
    let s2 = s * s;
    let tail = polynomial::<FUSED, _>(s2, &ARTANH_FAR);
    // For e = 0 the two excesses are the same number, and the last bracket is 0.
    let rest = mul_add::<FUSED>(e, std::f64::consts::LN_2, near_excess - excess);
    let log1pmx = mul_add::<FUSED>(s, mul_add::<FUSED>(s2 + s2, tail, -near_excess), rest);
    Comparison { excess, log1pmx, over_a, over_b }
}

/// ½ and 1024 in units of 2⁻⁵².
const ROUND_AND_BIAS: u64 = (1 << 51) + (1024 << 52);
#[cfg(test)]
mod tests {
    use super::*;
    use crate::kl::log_ratio;
    use crate::simd::tests::numbers;
    use crate::special;

    #[test]
    fn vector_functions_agree_with_the_scalar_ones() {
        for size in [1e-12, 1e-3, 0.3, 0.4, 1.0, 20.0, 690.0] {
            for x in numbers(7, 2000).iter().map(|x| x * size) {
                let relative = |got: f64, want: f64| ((got - want) / want).abs() / f64::EPSILON;
                for (expm1, rest) in [expm1_expm1mx::<false>(x), expm1_expm1mx::<true>(x)] {
                    assert!(relative(expm1, libm::expm1(x)) <= 4.0, "expm1({x})");
                    assert!(relative(rest, special::expm1mx(x)) <= 32.0, "expm1mx({x})");
                }
            }
        }
        assert_eq!((expm1_expm1mx::<false>(0.0), expm1_expm1mx::<true>(0.0)), ((0.0, 0.0), (0.0, 0.0)));
    }

    #[test]
    fn fused_functions_agree_with_the_scalar_ones() {
        for size in [1e-12, 1e-3, 0.3, 1.0, 20.0, 200.0] {
            for x in numbers(7, 2000).iter().map(|x| x * size) {
                let want = libm::exp(x);
                for got in [exp_fused::<true>(x), exp_fused::<false>(x)] {
                    assert!(((got - want) / want).abs() <= 2.0 * f64::EPSILON, "exp({x})");
                }
                for got in [ln_fused::<true>(want), ln_fused::<false>(want)] {
                    let log = libm::log(want);
                    assert!((got - log).abs() <= f64::EPSILON * log.abs().max(1.0), "log({want})");
                }
            }
        }
        assert_eq!((exp_fused::<true>(0.0), ln_fused::<true>(1.0), ln_fused::<false>(1.0)), (1.0, 0.0, 0.0));
    }

    #[test]
    fn single_precision_agrees_with_double() {
        let relative = |got: f32, want: f64| ((got as f64 - want) / want).abs() / (f32::EPSILON as f64);
        for size in [1e-9, 1e-3, 0.5, 1.5, 20.0, 86.0] {
            for x in numbers(7, 4000).iter().map(|x| -(x * size).abs() as f32) {
                assert!(relative(exp_single(x), libm::exp(x as f64)) <= 2.0, "exp({x})");
                let y = 1.0 + x / 90.0;
                assert!(y == 1.0 || relative(ln_single(y), libm::log(y as f64)) <= 2.0, "log({y})");
                let y = (x - 1e-30).abs();
                assert!(relative(ln_single(y), libm::log(y as f64)) <= 2.0, "log({y})");
            }
        }
        assert_eq!((exp_single(0.0), exp_single(-88.0), exp_single(f32::NEG_INFINITY)), (1.0, 0.0, 0.0));
        assert_eq!(ln_single(1.0), 0.0);
    }

    #[test]
    fn tails_agree_with_the_scalar_ones() {
        let relative = |got: f64, want: f64| ((got - want) / want).abs() / f64::EPSILON;
        for size in [1e-9, 0.5, 1.5, 6.0, 12.0, 37.0] {
            for x in numbers(5, 4000).iter().map(|x| x * size) {
                let (tail, density) = upper_tail_and_density(x);
                assert!(relative(tail, special::sf(x.abs())) <= 8.0, "tail of {x}");
                assert!(relative(density, special::norm_pdf(x)) <= 8.0, "density at {x}");
            }
        }
        assert_eq!(upper_tail_and_density(40.0), upper_tail_and_density(-37.0));
    }

    #[test]
    fn coarse_tails_are_as_close_as_stated() {
        let relative = |got: f64, want: f64| ((got - want) / want).abs();
        for size in [1e-9, 0.5, 1.5, 6.0, 8.0] {
            for x in numbers(5, 4000).iter().map(|x| x * size) {
                let (tail, density) = coarse_tail_and_density(x);
                assert!(relative(tail, special::sf(x.abs())) <= 1e-10, "tail of {x}");
                assert!(relative(density, special::norm_pdf(x)) <= 1e-10, "density at {x}");
            }
        }
        assert_eq!(coarse_tail_and_density(40.0), coarse_tail_and_density(-8.0));
        assert_eq!(coarse_tail_and_density(0.0), (0.5, INV_SQRT_TWO_PI));
    }

    #[test]
    fn comparisons_agree_with_the_scalar_functions() {
        let relative = |got: f64, want: f64| ((got - want) / want).abs() / f64::EPSILON;
        for size in [1e-12, 1e-3, 0.3, 0.4, 1.0, 20.0, 220.0f64] {
            for (x, y) in numbers(7, 2000).into_iter().zip(numbers(9, 2000)) {
                let b = libm::exp(y * size.min(3.0));
                let a = b * libm::exp(x * size);
                if !(a > 1e-100 && a < 1e100) {
                    continue;
                }
                for found in [compare::<false>(a, b), compare::<true>(a, b)] {
                    assert!(relative(found.over_a, 1.0 / a) <= 4.0 && relative(found.over_b, 1.0 / b) <= 4.0);
                    // a − b is exact next to equality, and so is the reference.
                    let excess = (a - b) / b;
                    assert!(a == b || relative(found.excess, excess) <= 4.0, "{a}/{b}");
                    // Far from equality the excess has no digits left for the logarithm.
                    let far = excess.abs() > 0.5;
                    let want = if far { log_ratio(a, b) - excess } else { special::log1pmx(excess) };
                    let found = found.log1pmx;
                    assert!(a == b || relative(found, want) <= 32.0, "{a}/{b}: {found} {want}");
                }
            }
        }
        for equal in [compare::<false>(0.7, 0.7), compare::<true>(0.7, 0.7)] {
            assert_eq!((equal.excess, equal.log1pmx), (0.0, 0.0));
        }
    }
}
