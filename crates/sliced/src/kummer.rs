//! Kummer's function ₁F₁(½; D/2; −s): the mean of e^(−s v²) over a coordinate v of the unit sphere in D dimensions.
//!
//! By Kummer's transformation it is E[(a)_K/(b)_K] with K Poisson of mean s, a = (D − 1)/2 and b = D/2, a sum of positive
//! terms, and so is each derivative with b one larger. A table of these in 1 + s/b and quintic interpolation serve pairs of points; it
//! depends on D alone and is kept. Its pieces are equal parts of octaves, so that the bits of 1 + s/b tell the piece and the place in it.

use std::sync::Arc;

use variata_distributions::parallel::collect;

use crate::pairs::{PANEL, Pairs};
use crate::recent::Recent;

/// An octave has two to the power of this pieces. Interpolation then leaves at most 8e-16 of a value and 1e-14 of a derivative: where the
/// function is steepest, u^(−½) for large D.
const HALVINGS: u32 = 7;
/// Bits of a number below those that tell its piece.
const REST: u32 = f64::MANTISSA_DIGITS - 1 - HALVINGS;
const ONE: u64 = 1f64.to_bits();

/// ₁F₁(½; D/2; −s) and its derivative, for one D.
#[derive(Debug)]
pub(crate) struct Kummer {
    dimensions: usize,
    /// Coefficients in the fraction of a piece, of the value and of the derivative in s: differentiating the first would lose
    /// digits.
    pieces: Vec<[[f64; 2]; 6]>,
    /// 2/D.
    per_b: f64,
    /// Beyond this s the asymptotic series holds.
    far: f64,
    /// Γ(b)/Γ(b − ½).
    leading: f64,
}

/// The piece of u ≥ 1, and how far into it.
#[inline(always)]
fn place(u: f64) -> (usize, f64) {
    let bits = u.to_bits() - ONE;
    let rest = (bits << HALVINGS) & ((1 << (f64::MANTISSA_DIGITS - 1)) - 1);
    ((bits >> REST) as usize, f64::from_bits(ONE | rest) - 1.0)
}

/// Where a piece begins.
fn beginning(piece: usize) -> f64 {
    f64::from_bits(ONE + ((piece as u64) << REST))
}

impl Kummer {
    /// For D ≥ 1.
    pub(crate) fn of(dimensions: usize) -> Arc<Self> {
        static RECENT: Recent<Kummer> = Recent::new();
        RECENT.get(dimensions, || Self::new(dimensions))
    }

    fn new(dimensions: usize) -> Self {
        let b = 0.5 * dimensions as f64;
        let far = 50.0 * (dimensions as f64 + 8.0);
        let last = place(1.0 + far / b).0;
        let ends = collect(last + 2, |k| {
            let s = b * (beginning(k) - 1.0);
            [0, 1, 2, 3].map(|m| derivative(dimensions, m, s))
        });
        let piece = |k: usize| {
            // Derivatives in the fraction.
            let width = b * (beginning(k + 1) - beginning(k));
            let end = |[f, first, second]: [f64; 3]| [f, first * width, second * width * width];
            let of = |m: usize| {
                let [low, high] = [&ends[k], &ends[k + 1]].map(|all| end([all[m], all[m + 1], all[m + 2]]));
                quintic(low, high)
            };
            let (value, slope) = (of(0), of(1));
            std::array::from_fn(|power| [value[power], slope[power]])
        };
        let pieces = (0..=last).map(piece).collect();
        // The rounding of a long product adds up.
        let leading = if b < 64.0 { gamma_ratio(b) } else { half_step(b - 0.5) };
        Self { dimensions, pieces, per_b: 1.0 / b, far, leading }
    }

    /// Value and derivative at s ≥ 0.
    pub(crate) fn at(&self, s: f64) -> (f64, f64) {
        if self.dimensions == 1 {
            let value = libm::exp(-s);
            return (value, -value);
        }
        let (piece, t) = place(1.0 + s * self.per_b);
        if let Some(piece) = self.pieces.get(piece)
            && s <= self.far
        {
            return along(piece, t);
        }
        // Σ (½)ₖ(3/2 − b)ₖ/(k! sᵏ), for even and odd D: it ends, or its terms fall for more terms than are needed.
        let b = 0.5 * self.dimensions as f64;
        let (mut term, mut sum, mut slope) = (1.0, 0.0, 0.0);
        for k in 0..24 {
            let k = f64::from(k);
            sum += term;
            slope -= (0.5 + k) * term;
            term *= (k + 0.5) * (k + 1.5 - b) / ((k + 1.0) * s);
        }
        let power = self.leading / libm::sqrt(s);
        (power * sum, power * slope / s)
    }

    /// Values and derivatives at each `factor`·square.
    #[inline(always)]
    pub(crate) fn of_pairs(&self, squares: &Pairs, factor: f64) -> (Pairs, Pairs) {
        let (mut values, mut slopes) = ([0.0; PANEL], [0.0; PANEL]);
        let to = values.iter_mut().zip(&mut slopes);
        let mut beyond = self.dimensions == 1;
        for square in squares {
            beyond |= square * factor > self.far;
        }
        if beyond {
            for ((value, slope), square) in to.zip(squares) {
                (*value, *slope) = self.at(factor * square);
            }
            return (values, slopes);
        }
        // The places of all first, in vectors.
        let (mut pieces, mut fractions) = ([0usize; PANEL], [0.0; PANEL]);
        let factor_per_b = factor * self.per_b;
        for ((square, piece), t) in squares.iter().zip(&mut pieces).zip(&mut fractions) {
            (*piece, *t) = place(1.0 + square * factor_per_b);
        }
        // That of `far` is the last.
        let last = self.pieces.len() - 1;
        for (((value, slope), piece), t) in to.zip(pieces).zip(fractions) {
            (*value, *slope) = along(&self.pieces[piece.min(last)], t);
        }
        (values, slopes)
    }
}

/// Value and derivative at a fraction of a piece.
#[inline(always)]
fn along(piece: &[[f64; 2]; 6], t: f64) -> (f64, f64) {
    let [value, slope] = piece.iter().rev().fold([0.0; 2], |sum, c| [sum[0] * t + c[0], sum[1] * t + c[1]]);
    (value, slope)
}

/// The polynomial on [0, 1] with these values and two derivatives at its ends.
fn quintic([f, d, e]: [f64; 3], [g, h, i]: [f64; 3]) -> [f64; 6] {
    let (rise, e, i) = (g - f, 0.5 * e, 0.5 * i);
    [
        f,
        d,
        e,
        10.0 * rise - 6.0 * d - 4.0 * h - 3.0 * e + i,
        -15.0 * rise + 8.0 * d + 7.0 * h + 3.0 * e - 2.0 * i,
        6.0 * rise - 3.0 * (d + h) - e + i,
    ]
}

/// Γ(b)/Γ(b − ½) for 2b a natural number, by recurrence from Γ(1)/Γ(½) or Γ(½)/Γ(0).
fn gamma_ratio(b: f64) -> f64 {
    let root_pi = libm::sqrt(std::f64::consts::PI);
    // Γ(x + 1)/Γ(x + ½) = x/(x − ½)·Γ(x)/Γ(x − ½).
    let (mut x, mut ratio) = if b == libm::floor(b) { (1.0, 1.0 / root_pi) } else { (1.5, 0.5 * root_pi) };
    while x < b {
        ratio *= x / (x - 0.5);
        x += 1.0;
    }
    ratio
}

/// Γ(x + ½)/Γ(x): √w and an asymptotic series in w = x − ¼, of which the next term is 2e-18 from x = 32 on.
fn half_step(x: f64) -> f64 {
    let (mut x, mut factor) = (x, 1.0);
    while x < 32.0 {
        factor *= x / (x + 0.5);
        x += 1.0;
    }
    // 2B₂ₖ₊₁(¼)/(2k(2k + 1)) w⁻²ᵏ, from Stirling's series of both about w.
    let w = x - 0.25;
    let over = 1.0 / (w * w);
    let c = [1.0 / 64.0, -5.0 / 2048.0, 61.0 / 49152.0, -1385.0 / 1_048_576.0];
    factor * libm::sqrt(w) * libm::exp(over * c.iter().rev().fold(0.0, |sum, c| sum * over + c))
}

/// (a)ₖ/(a + ½ + m)ₖ.
fn rising(a: f64, m: usize, k: f64) -> f64 {
    if k == 0.0 {
        return 1.0;
    }
    let rest = (0..m).map(|i| (a + 0.5 + i as f64) / (a + k + 0.5 + i as f64));
    half_step(a) / half_step(a + k) * rest.product::<f64>()
}

/// The m-th derivative of ₁F₁(½; D/2; −s): (−1)ᵐ (½)ₘ/(D/2)ₘ E[(a)_K/(D/2 + m)_K].
fn derivative(dimensions: usize, m: usize, s: f64) -> f64 {
    let (a, b) = (0.5 * (dimensions as f64 - 1.0), 0.5 * dimensions as f64 + m as f64);
    let mut factor = 1.0;
    for k in 0..m {
        let k = k as f64;
        factor *= -(0.5 + k) / (0.5 * dimensions as f64 + k);
    }
    // Poisson probabilities relative to the largest, from where they matter.
    let mode = libm::floor(s);
    let reach = 12.0 * libm::sqrt(s) + 40.0;
    let first = libm::fmax(0.0, mode - reach);
    let (mut ratio, mut k) = (rising(a, m, first), first);
    // From below the mode upwards: the recurrence P(k + 1) = P(k)·s/(k + 1) is stable. Up to the mode it grows by e²⁰⁰ at most.
    let (mut weight, mut sum, mut total) = (1e-100, 0.0, 0.0);
    while k <= mode + reach {
        sum += weight * ratio;
        total += weight;
        weight *= s / (k + 1.0);
        ratio *= (a + k) / (b + k);
        k += 1.0;
    }
    factor * sum / total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dimensions_agree_with_their_closed_forms() {
        let two = |s: f64| {
            // e^(−s/2) I₀(s/2), by the integral over the circle.
            let n = 4000;
            (0..n)
                .map(|k| (-s * (std::f64::consts::TAU * k as f64 / n as f64).cos().powi(2)).exp())
                .sum::<f64>()
                / n as f64
        };
        let three = |s: f64| 0.5 * (std::f64::consts::PI / s).sqrt() * libm::erf(s.sqrt());
        for s in [1e-6, 1e-3, 0.2, 1.0, 3.7, 20.0, 111.0, 499.0, 501.0, 549.0, 551.0, 3000.0, 1e6] {
            let (value, _) = Kummer::of(3).at(s);
            assert!((value / three(s) - 1.0).abs() < 2e-14, "{s}: {value} {}", three(s));
            if s < 1e4 {
                let (value, _) = Kummer::of(2).at(s);
                assert!((value / two(s) - 1.0).abs() < 2e-14, "{s}: {value} {}", two(s));
            }
            assert_eq!(Kummer::of(1).at(s).0, libm::exp(-s));
        }
    }

    #[test]
    fn table_of_mpmath_is_met() {
        let table =
            variata_testkit::golden::Table::parse(include_str!("../tests/golden/kummer.tsv")).unwrap();
        for row in table.rows() {
            let (value, slope) = Kummer::of(row[0] as usize).at(row[1]);
            let relative =
                |got: f64, want: f64| if want == 0.0 { got.abs() } else { (got / want - 1.0).abs() };
            // e⁻²⁰⁰⁰ is 0.
            if row[2] > 1e-300 {
                assert!(relative(value, row[2]) < 2e-14, "{row:?}: {value}");
                assert!(relative(slope, row[3]) < 2e-14, "{row:?}: {slope}");
            }
        }
    }

    #[test]
    fn rising_factorials_are_their_products() {
        for a in [0.5, 1.0, 7.5, 31.0, 32.5, 255.5, 75_263.5] {
            for m in 0..4 {
                let (mut ratio, mut k) = (1.0, 0.0);
                for end in [1.0, 10.0, 300.0, 20_000.0] {
                    while k < end {
                        ratio *= (a + k) / (a + 0.5 + m as f64 + k);
                        k += 1.0;
                    }
                    let got = rising(a, m, end);
                    // The product's own rounding adds up as a random walk.
                    assert!(
                        (got / ratio - 1.0).abs() < 1e-15 * (4.0 + k.sqrt()),
                        "{a} {m} {k}: {got} {ratio}"
                    );
                }
            }
        }
    }

    /// As many dimensions as a large image has: the table would take 10¹⁰ steps one after the other.
    #[test]
    fn many_dimensions_have_their_table_in_no_time() {
        let start = std::time::Instant::now();
        let kummer = Kummer::of(150_528);
        assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
        for s in [1.0, 3e4, 1e6, 0.999_999 * kummer.far] {
            // The asymptotic series of large D: v is almost N(0, 1/D), with a fourth moment less by 6/(D(D + 2)).
            let d = 150_528.0;
            let t = 1.0 + 2.0 * s / d;
            let want = (1.0 - 1.5 * (2.0 * s / d / t).powi(2) / (d + 2.0) * 0.5) / t.sqrt();
            let (value, _) = kummer.at(s);
            assert!((value / want - 1.0).abs() < 1e-4, "{s}: {value} {want}");
        }
        let (near, far) = (kummer.at(kummer.far), kummer.at(kummer.far * (1.0 + 1e-15)));
        let [value, slope] = [near.0 / far.0 - 1.0, near.1 / far.1 - 1.0];
        // As documented: the sum below has 10⁵ steps of rounding.
        assert!(value.abs() < 1e-13 && slope.abs() < 1e-13, "{value} {slope}");
    }

    #[test]
    fn slopes_are_those_of_the_values() {
        for dimensions in [2, 3, 8, 64, 513] {
            let kummer = Kummer::of(dimensions);
            for s in [0.1, 1.0, 17.0, 300.0, 0.999 * kummer.far, 1.001 * kummer.far, 1e7] {
                let want =
                    variata_testkit::finite_difference::derivative(|s| kummer.at(s).0, s, 0.3 * s.max(0.3));
                let (value, slope) = kummer.at(s);
                assert!((slope - want).abs() < 1e-10 * value / s, "{dimensions} {s}: {slope} {want}");
            }
            assert_eq!(kummer.at(0.0).0, 1.0);
            assert!((kummer.at(0.0).1 + 1.0 / dimensions as f64).abs() < 1e-14);
        }
    }

    #[test]
    fn pairs_have_what_each_has_alone() {
        for dimensions in [1, 2, 3, 8, 20, 1600] {
            let kummer = Kummer::of(dimensions);
            // All within the table, with its ends; and some beyond it.
            for largest in [kummer.far, 1.5 * kummer.far, f64::INFINITY] {
                let mut squares: Pairs =
                    std::array::from_fn(|k| kummer.far * (k as f64 / (PANEL - 2) as f64).powi(4));
                squares[PANEL - 1] = largest;
                let (values, slopes) = kummer.of_pairs(&squares, 1.0);
                for ((square, value), slope) in squares.into_iter().zip(values).zip(slopes) {
                    let (want, want_slope) = kummer.at(square);
                    assert!((value - want).abs() <= 1e-15 * want, "{dimensions} {square}: {value} {want}");
                    assert!((slope - want_slope).abs() <= 1e-14 * want_slope.abs(), "{dimensions} {square}");
                }
            }
        }
    }
}
