//! Goodness-of-fit tests: the laws of the distances when the sample comes from the target.

mod cramer_von_mises;

use ndarray::ArrayRef1;
use variata_distributions::linalg::{identity, product};
use variata_distributions::special::lgamma;
use variata_distributions::{ArgumentError, check};

use crate::distance::{Discrepancy, Distance};
use crate::error::Error;
use variata_distributions::lanes::Sample;

/// Up to this sample size the Kolmogorov–Smirnov law is exact.
const EXACT: usize = 200;
/// Below this p-value both tails of the Kolmogorov–Smirnov statistic are practically exclusive: p counts p⁴/8 of it twice.
const EXCLUSIVE: f64 = 0.01;
/// The same where the law is exact to 1e-10.
const EXCLUSIVE_EXACT: f64 = 0.004;

/// Outcome of a goodness-of-fit test.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct GoodnessOfFit {
    /// The statistic as tables have it: D, W² = n ω², A².
    pub statistic: f64,
    /// Probability of this distance or a larger one when the sample comes from the target.
    pub p_value: f64,
}

impl Distance {
    /// Probability that n independent draws of the target are this far from it or farther; the target must be continuous and
    /// not fitted to the sample.
    ///
    /// # Numerics
    /// Kolmogorov–Smirnov: exact to 1e-10 up to n = 200, beyond within 2e-4, and everywhere within 1e-6 relative where p ≤ 0.01.
    /// Cramér–von Mises: exact for n ≤ 2, then the limiting law and Csörgő and Faraway's term in 1/n (1996), within 0.0015 from n = 6 on, 0.003 of
    /// n = 5, 0.0045 of 4 and 0.007 of 3, for p ≤ 0.1 within 4e-4, 7e-4, 0.0013 and 0.002, where small p are taken too large. Anderson–Darling: exact for n = 1, then Marsaglia and Marsaglia 2004, for p ≤ 0.1
    /// within 3e-4 from n = 4 on, 0.001 of n = 2 and 3; below 3e-4 the tail of the limiting law, within some per cent of it.
    ///
    /// # Errors
    /// [`Error::UnknownNull`] for the other distances; a value < 0 or not finite, or n = 0.
    ///
    /// ```
    /// use variata_sliced::Distance;
    ///
    /// // One point: D is uniform on [½, 1].
    /// assert!((Distance::KolmogorovSmirnov.p_value(0.8, 1)? - 0.4).abs() < 1e-12);
    /// # Ok::<(), variata_sliced::Error>(())
    /// ```
    pub fn p_value(self, value: f64, n: usize) -> Result<f64, Error> {
        check::scalar("value", value, "finite and >= 0", value >= 0.0 && value.is_finite())?;
        if n == 0 {
            return Err(
                ArgumentError::Value { argument: "n", index: None, value: 0.0, must: "at least 1" }.into()
            );
        }
        let statistic = self.statistic(value, n)?;
        Ok(match self {
            Self::KolmogorovSmirnov => kolmogorov_smirnov(value, n),
            Self::CramerVonMises => cramer_von_mises::beyond(statistic, n as f64),
            _ => anderson_darling(statistic, n as f64),
        }
        .clamp(0.0, 1.0))
    }

    fn statistic(self, value: f64, n: usize) -> Result<f64, Error> {
        match self {
            Self::KolmogorovSmirnov => Ok(value),
            Self::CramerVonMises | Self::AndersonDarling => Ok(n as f64 * value),
            _ => Err(Error::UnknownNull { distance: self.description(), why: "only simulation gives it" }),
        }
    }
}

impl Discrepancy<'_> {
    /// Tests whether `y` `[n]` comes from the target.
    ///
    /// # Errors
    /// As [`value`](Self::value) and [`Distance::p_value`]; with weights the law is not known.
    ///
    /// ```
    /// use ndarray::Array1;
    /// use variata_sliced::{Discrepancy, Distance};
    ///
    /// let shifted = Array1::linspace(-1.0, 3.0, 100);
    /// let test = Discrepancy::new(Distance::AndersonDarling).test(&shifted)?;
    /// assert!(test.p_value < 1e-4);
    /// # Ok::<(), variata_sliced::Error>(())
    /// ```
    pub fn test<S: Sample>(&self, y: &ArrayRef1<S>) -> Result<GoodnessOfFit, Error> {
        let distance = self.distance();
        if self.weights.is_some() {
            return Err(Error::UnknownNull {
                distance: distance.description(),
                why: "the points have weights",
            });
        }
        let value = self.value(y)?;
        let p_value = distance.p_value(value, y.len())?;
        Ok(GoodnessOfFit { statistic: distance.statistic(value, y.len())?, p_value })
    }
}

/// Draws beyond which the sum of [`smirnov`] gives way to its limit: seconds, and logarithms of factorials without digits to spare.
const MANY: usize = 10_000_000;

/// P(D ≥ d).
fn kolmogorov_smirnov(d: f64, n: usize) -> f64 {
    let size = n as f64;
    if d * size <= 0.5 {
        return 1.0;
    }
    if d >= 1.0 {
        return 0.0;
    }
    let one_sided = smirnov(d, n);
    let exclusive = if n <= EXACT { EXCLUSIVE_EXACT } else { EXCLUSIVE };
    if 2.0 * one_sided <= exclusive || d >= 0.5 {
        return 2.0 * one_sided;
    }
    if n <= EXACT {
        return 1.0 - below(d, n);
    }
    // J. Vrbik's argument of the limiting law: error of order n^(−3/2).
    let root = libm::sqrt(size);
    let x = d * root + 1.0 / (6.0 * root) + (d * root - 1.0) / (4.0 * size);
    limit(x)
}

/// P(K ≥ x) of Kolmogorov's law, x > 0: his alternating series, and below 1, where that needs some 4.5/x terms, Jacobi's transform of it,
/// √(2π)/x Σ e^(−(2k − 1)²π²/8x²) for P(K < x). The terms that are left out are below 1e-21.
fn limit(x: f64) -> f64 {
    let pi = std::f64::consts::PI;
    if x < 1.0 {
        let term = |odd: f64| libm::exp(-odd * odd * pi * pi / (8.0 * x * x));
        return 1.0 - libm::sqrt(2.0 * pi) / x * (term(1.0) + term(3.0) + term(5.0));
    }
    let term = |k: f64| libm::exp(-2.0 * k * k * x * x);
    2.0 * (term(1.0) - term(2.0) + term(3.0) - term(4.0))
}

/// P(max(F̂ − F) ≥ d): Birnbaum and Tingey's sum of positive terms.
fn smirnov(d: f64, n: usize) -> f64 {
    let size = n as f64;
    if n > MANY {
        // The limiting law and its next terms (Smirnov 1944; the exponent to d⁴, the factor to d²), of error some n·d⁶ and d³.
        let square = d * d;
        return libm::exp(-size * square * (2.0 + 4.0 / 9.0 * square)) * (1.0 - 2.0 / 3.0 * (d - square));
    }
    let all = lgamma(size + 1.0);
    let mut sum = 0.0;
    for j in 0..=libm::floor(size * (1.0 - d)) as usize {
        let j = j as f64;
        let (above, rest) = (d + j / size, 1.0 - d - j / size);
        let choose = all - lgamma(j + 1.0) - lgamma(size - j + 1.0);
        let tail = if size == j { 0.0 } else { (size - j) * libm::log(rest.max(0.0)) };
        sum += libm::exp(choose + (j - 1.0) * libm::log(above) + tail);
    }
    d * sum
}

/// P(D < d): the matrix power of Marsaglia, Tsang and Wang 2003.
fn below(d: f64, n: usize) -> f64 {
    let size = n as f64;
    let k = libm::floor(size * d) as usize + 1;
    let m = 2 * k - 1;
    let h = k as f64 - size * d;
    // First column and last row carry what the band cuts off.
    let mut matrix = vec![0.0; m * m];
    let mut factorial = vec![1.0; m + 1];
    for i in 1..=m {
        factorial[i] = factorial[i - 1] * i as f64;
    }
    for i in 0..m {
        for j in 0..m.min(i + 2) {
            matrix[i * m + j] = 1.0 / factorial[i + 1 - j];
        }
    }
    let cut = |i: usize| libm::pow(h, i as f64 + 1.0);
    for i in 0..m {
        matrix[i * m] -= cut(i) / factorial[i + 1];
        matrix[(m - 1) * m + i] -= cut(m - 1 - i) / factorial[m - i];
    }
    if 2.0 * h > 1.0 {
        matrix[(m - 1) * m] += libm::pow(2.0 * h - 1.0, m as f64) / factorial[m];
    }
    let (mut power, mut result) = (n, identity(m));
    let mut base = matrix;
    // Powers with their decimal exponents, which overflow before n = 200.
    let (mut base_log, mut log) = (0.0, 0.0);
    while power > 0 {
        if power % 2 == 1 {
            result = product(&result, &base, m);
            log += base_log + rescale(&mut result);
        }
        base = product(&base, &base, m);
        base_log = 2.0 * base_log + rescale(&mut base);
        power /= 2;
    }
    let value = result[(k - 1) * m + k - 1];
    value * libm::exp(log + lgamma(size + 1.0) - size * libm::log(size))
}

/// Divides by the largest element; its logarithm.
fn rescale(a: &mut [f64]) -> f64 {
    let largest = a.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    for v in a.iter_mut() {
        *v /= largest;
    }
    libm::log(largest)
}

/// From this A² on the law's tail is its own formula: the approximations below say 10⁻⁵ of 2·10⁻⁵ at 10, and nothing at 15.
const FAR_OUT: f64 = 7.0;

/// P(A² ≥ a): approximations of the limiting law and of its error at n by Marsaglia and Marsaglia 2004, and its tail.
fn anderson_darling(a: f64, n: f64) -> f64 {
    if !(a > 0.0) {
        return 1.0;
    }
    // A² is Σ Zₖ²/(k(k + 1)) in the limit: the tail of its largest part times Π (1 − 2/(k(k + 1)))^(−½) = √3 over k ≥ 2, and the next term,
    // 1.8 % off at 2 and 0.3 % at 5.
    let tail = |a: f64| libm::sqrt(3.0) * libm::erfc(libm::sqrt(a)) * (1.0 + 0.3 / a);
    if n == 1.0 {
        // a = −1 − log z − log(1 − z) with z uniform.
        return 1.0 - libm::sqrt((1.0 - 4.0 * libm::exp(-1.0 - a)).max(0.0));
    }
    if a >= FAR_OUT {
        return tail(a);
    }
    let horner = |x: f64, c: &[f64]| c.iter().rev().fold(0.0, |sum, c| sum * x + c);
    let limit = if a < 2.0 {
        let c = [2.00012, 0.247105, -0.0649821, 0.0347962, -0.011672, 0.00168691];
        libm::exp(-1.2337141 / a) / libm::sqrt(a) * horner(a, &c)
    } else {
        let c = [1.0776, -2.30695, 0.43424, -0.082433, 0.008056, -0.0003146];
        libm::exp(-libm::exp(horner(a, &c)))
    };
    let from = 0.01265 + 0.1757 / n;
    let error = if limit > 0.8 {
        // Less a straight line that takes away what the published coefficients leave at 1, where there is no error.
        let c = [-130.2137, 745.2337, -1705.091, 1950.646, -1116.360, 255.7844];
        (horner(limit, &c) - horner(1.0, &c) * (limit - 0.8) / 0.2) / n
    } else if limit < from {
        let t = limit / from;
        libm::sqrt(t) * (1.0 - t) * (49.0 * t - 102.0) * (0.0037 / (n * n) + 0.00078 / n + 0.00006) / n
    } else {
        let t = (limit - from) / (0.8 - from);
        let c = [-0.00022633, 6.54034, -14.6538, 14.458, -8.259, 1.91864];
        horner(t, &c) * (0.04213 + 0.01365 / n) / n
    };
    (1.0 - limit - error).max(tail(FAR_OUT))
}
