//! Sums of products of f64 as integers: nothing is rounded, nothing is too small or too large.

use std::cmp::Ordering;

/// The lowest bit stands for 2⁻²¹⁴⁸, the square of the smallest f64.
const LOWEST: i32 = 2148;
/// Digits of 32 bits, up to 2²²⁰⁴: 2⁶⁴ products of the largest f64 and more.
const DIGITS: usize = 136;

/// A multiple of a power of two, as its size in digits of 32 bits, the lowest first, and its sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Integer {
    digits: Vec<u32>,
    /// Against 0.
    pub(crate) sign: Ordering,
}

impl Integer {
    /// Σ aᵢbᵢ in units of 2⁻²¹⁴⁸, of finite numbers.
    pub(crate) fn sum(products: impl Iterator<Item = (f64, f64)>) -> Self {
        // Carries wait until the end: a digit holds 2⁶⁴ parts of 63 bits.
        let mut sums = [0i128; DIGITS];
        for (a, b) in products {
            let ((a, at_a), (b, at_b)) = (mantissa(a), mantissa(b));
            let place = (at_a + at_b + LOWEST) as usize;
            let mut product = a.unsigned_abs() * b.unsigned_abs();
            for sum in &mut sums[place / 32..][..4] {
                let part = i128::from(product as u32) << (place % 32);
                *sum += if (a < 0) == (b < 0) { part } else { -part };
                product >>= 32;
            }
        }
        let negative = carried(&mut sums) < 0;
        if negative {
            // What is missing up to 2⁴³⁵² is the size.
            for sum in &mut sums {
                *sum = -*sum;
            }
            carried(&mut sums);
        }
        let digits: Vec<u32> = sums.iter().map(|sum| *sum as u32).collect();
        let sign = if negative { Ordering::Less } else { digits.iter().any(|digit| *digit != 0).cmp(&false) };
        Self { digits, sign }
    }

    /// The sizes of x²·p against y²·q.
    pub(crate) fn compare_squares([x, p]: [&Self; 2], [y, q]: [&Self; 2]) -> Ordering {
        let size = |x: &Self, p: &Self| product(&product(&x.digits, &x.digits), &p.digits);
        size(x, p).iter().rev().cmp(size(y, q).iter().rev())
    }
}

/// x as an integer times a power of two.
fn mantissa(x: f64) -> (i128, i32) {
    let bits = x.to_bits();
    let (exponent, fraction) = ((bits >> 52 & 0x7FF) as i32, i128::from(bits & 0xF_FFFF_FFFF_FFFF));
    let size = if exponent > 0 { fraction | 1 << 52 } else { fraction };
    (if x.is_sign_negative() { -size } else { size }, exponent.max(1) - 1075)
}

/// Leaves 32 bits of each digit, and returns what goes beyond the last.
fn carried(digits: &mut [i128]) -> i128 {
    digits.iter_mut().fold(0, |carry, digit| {
        let whole = *digit + carry;
        *digit = whole & 0xFFFF_FFFF;
        whole >> 32
    })
}

/// a·b; the digits that are 0, of which there are many, cost nothing.
fn product(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut out = vec![0u32; a.len() + b.len()];
    let first = b.iter().position(|digit| *digit != 0).unwrap_or(b.len());
    for (i, &a) in a.iter().enumerate().filter(|(_, digit)| **digit != 0) {
        let mut carry = 0;
        for (to, b) in out[i + first..].iter_mut().zip(b[first..].iter().chain([&0])) {
            let whole = u64::from(*to) + u64::from(a) * u64::from(*b) + carry;
            *to = whole as u32;
            carry = whole >> 32;
        }
    }
    out
}
