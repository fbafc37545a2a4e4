//! Derivatives by the six-point central stencil: the oracle that knows nothing of the formula.
//!
//! f′(x) ≈ (−f(x−3h) + 9f(x−2h) − 45f(x−h) + 45f(x+h) − 9f(x+2h) + f(x+3h)) / 60h, with truncation error h⁶f⁽⁷⁾/140.
//! With h = u^(1/7)·scale truncation and rounding are both of the order u^(6/7)·|f|/scale ≈ 2·10⁻¹⁴·|f|/scale, where
//! `scale` is the length over which f changes: √d rather than x for a variable of variance d, σ for σ.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::compare::{Comparison, Mismatch, MismatchKind, RATIO_LIMIT, Summary};

/// u^(1/7) for u = 2⁻⁵³.
const STEP: f64 = 0.005_257_422_627_470_143;
/// u^(6/7) = u / u^(1/7).
const ROUNDING: f64 = (f64::EPSILON / 2.0) / STEP;
/// Random directions tried by [`try_gradient`].
const DIRECTIONS: usize = 4;

/// f′(x) of a function of one variable.
///
/// ```
/// use variata_testkit::{compare::assert_relative, finite_difference::derivative};
///
/// assert_relative("sin'", derivative(f64::sin, 0.3, 1.0), 0.3_f64.cos(), 1e-12, 0.0);
/// ```
pub fn derivative(f: impl Fn(f64) -> f64, x: f64, scale: f64) -> f64 {
    stencil(f, x, scale).0
}

/// ∇f(x), one stencil per coordinate with its own natural length `scales[i]`. Coordinates beyond the shorter of `x`
/// and `scales` are left out.
///
/// ```
/// use variata_testkit::finite_difference::gradient;
///
/// let g = gradient(|x| x[0] * x[1], &[2.0, 3.0], &[1.0, 1.0]);
/// assert!((g[0] - 3.0).abs() < 1e-12 && (g[1] - 2.0).abs() < 1e-12);
/// ```
pub fn gradient(f: impl Fn(&[f64]) -> f64, x: &[f64], scales: &[f64]) -> Vec<f64> {
    x.iter().zip(scales).enumerate().map(|(i, (_, &scale))| partial(&f, x, i, scale).0).collect()
}

/// d/dt f(x + t·v) at t = 0. The length of `v` is the natural scale.
///
/// ```
/// use variata_testkit::finite_difference::directional;
///
/// let d = directional(|x| x[0] * x[1], &[2.0, 3.0], &[1.0, 1.0]);
/// assert!((d - 5.0).abs() < 1e-12);
/// ```
pub fn directional(f: impl Fn(&[f64]) -> f64, x: &[f64], v: &[f64]) -> f64 {
    along(&f, x, v).0
}

/// Checks `grad` against the stencil in every coordinate and in random directions, and that a second call of `f` and
/// of `grad` gives the same bits.
///
/// With S = maxⱼ|∂ⱼf|·scaleⱼ, the bound in coordinate i is
/// `rel_bound`·S/scaleᵢ + 60·u^(6/7)·max|f|/scaleᵢ; the second term is what the stencil itself loses (`f` is taken to be
/// within 30 u). Row i of the summary is coordinate i; the directions follow.
///
/// # Errors
/// The [`Mismatch`]: lengths of `x`, `scales` and the gradient differ, `x` is empty, a second call differs, or a
/// derivative is out of bound.
pub fn try_gradient(
    name: &str,
    f: impl Fn(&[f64]) -> f64,
    x: &[f64],
    scales: &[f64],
    grad: impl Fn(&[f64]) -> Vec<f64>,
    rel_bound: f64,
) -> Result<Summary, Mismatch> {
    let g = grad(x);
    let mut comparison = Comparison::ratio(name, rel_bound, 1.0);
    for len in [g.len(), scales.len()] {
        if len != x.len() {
            comparison.refuse(MismatchKind::Length { got: len, want: x.len() });
        }
    }
    repeatable(&mut comparison, &g, &grad(x));
    repeatable(&mut comparison, &[f(x)], &[f(x)]);
    // Nothing below makes sense on faulty input.
    if x.len() != g.len() || x.len() != scales.len() || x.is_empty() {
        return comparison.finish();
    }

    let largest = g.iter().zip(scales).map(|(g, s)| (g * s).abs()).fold(0.0, f64::max);
    // The comparison divides by rel_bound · scale; the stencil's own loss must not depend on rel_bound.
    let scale_for = |max_f: f64| largest + 2.0 * RATIO_LIMIT * ROUNDING * max_f / rel_bound;
    for (i, &scale) in scales.iter().enumerate() {
        let (want, max_f) = partial(&f, x, i, scale);
        comparison.push_scaled(g[i], want, scale_for(max_f) / scale);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(0x6469_7265);
    for _ in 0..DIRECTIONS {
        // Normalised so that f changes along v as it does along one scaled coordinate.
        let norm = (x.len() as f64).sqrt();
        let v: Vec<f64> = scales.iter().map(|s| s * rng.random_range(-1.0..1.0) / norm).collect();
        let (want, max_f) = along(&f, x, &v);
        let got = g.iter().zip(&v).map(|(g, v)| g * v).sum();
        let terms: f64 = g.iter().zip(&v).map(|(g, v)| (g * v).abs()).sum();
        comparison.push_scaled(got, want, scale_for(max_f).max(terms));
    }
    comparison.finish()
}

/// [`try_gradient`] for tests.
///
/// ```
/// use variata_testkit::finite_difference::assert_gradient;
///
/// let f = |x: &[f64]| x[0].sin() * x[1];
/// let grad = |x: &[f64]| vec![x[0].cos() * x[1], x[0].sin()];
/// assert_gradient("sin(x)·y", f, &[0.3, 2.0], &[1.0, 1.0], grad, 1e-10);
/// ```
///
/// # Panics
/// With the mismatch as message.
#[track_caller]
pub fn assert_gradient(
    name: &str,
    f: impl Fn(&[f64]) -> f64,
    x: &[f64],
    scales: &[f64],
    grad: impl Fn(&[f64]) -> Vec<f64>,
    rel_bound: f64,
) {
    if let Err(mismatch) = try_gradient(name, f, x, scales, grad, rel_bound) {
        panic!("{mismatch}");
    }
}

fn repeatable(comparison: &mut Comparison, first: &[f64], second: &[f64]) {
    if first.len() != second.len() {
        comparison.refuse(MismatchKind::Length { got: second.len(), want: first.len() });
    }
    let differs = first.iter().zip(second).position(|(a, b)| a.to_bits() != b.to_bits());
    if let Some(index) = differs {
        let (first, second) = (first[index], second[index]);
        comparison.refuse(MismatchKind::NotRepeatable { index, first, second });
    }
}

fn partial(f: &impl Fn(&[f64]) -> f64, x: &[f64], i: usize, scale: f64) -> (f64, f64) {
    let mut point = x.to_vec();
    stencil(
        |t| {
            point[i] = t;
            f(&point)
        },
        x[i],
        scale,
    )
}

fn along(f: &impl Fn(&[f64]) -> f64, x: &[f64], v: &[f64]) -> (f64, f64) {
    let point = |t: f64| -> Vec<f64> { x.iter().zip(v).map(|(x, v)| x + t * v).collect() };
    stencil(|t| f(&point(t)), 0.0, 1.0)
}

/// The derivative, and the largest |f| that it was made of.
fn stencil(mut f: impl FnMut(f64) -> f64, x: f64, scale: f64) -> (f64, f64) {
    // The step that the rounded points really have.
    let h = (x + STEP * scale) - x;
    let mut pair = |k: f64| (f(x + k * h), f(x - k * h));
    let (p1, m1) = pair(1.0);
    let (p2, m2) = pair(2.0);
    let (p3, m3) = pair(3.0);
    let slope = (45.0 * (p1 - m1) - 9.0 * (p2 - m2) + (p3 - m3)) / (60.0 * h);
    (slope, [p1, m1, p2, m2, p3, m3].iter().fold(0.0, |m, f| f.abs().max(m)))
}
