//! Exact derivatives of textbook formulas: forward dual numbers, the oracle for closed-form gradients.
//!
//! Write the formula once, generic over [`Scalar`], as plainly as the textbook has it; evaluate it with `f64` for the
//! value and with [`gradient_by_dual`] for the gradient.

mod number;
mod scalar;

pub use number::Dual;
pub use scalar::Scalar;

/// A formula that can be evaluated with every [`Scalar`]: what a closure cannot be.
pub trait Formula {
    /// The value at `x`.
    fn eval<S: Scalar>(&self, x: &[S]) -> S;
}

/// ∇f(x), exact up to round-off, by one evaluation per coordinate.
///
/// ```
/// use variata_testkit::dual::{Formula, Scalar, gradient_by_dual};
///
/// /// −ln σ − ½((x − μ)/σ)²
/// struct LogDensity;
/// impl Formula for LogDensity {
///     fn eval<S: Scalar>(&self, v: &[S]) -> S {
///         let (x, mu, sigma) = (v[0], v[1], v[2]);
///         -sigma.ln() - ((x - mu) / sigma).powi(2) * S::from(0.5)
///     }
/// }
/// assert_eq!(gradient_by_dual(&LogDensity, &[3.0, 1.0, 2.0]), [-0.5, 0.5, 0.0]);
/// ```
pub fn gradient_by_dual(f: &impl Formula, x: &[f64]) -> Vec<f64> {
    (0..x.len())
        .map(|i| {
            let seeded: Vec<Dual> =
                x.iter().enumerate().map(|(j, &x)| Dual::new(x, if i == j { 1.0 } else { 0.0 })).collect();
            f.eval(&seeded).tangent
        })
        .collect()
}
