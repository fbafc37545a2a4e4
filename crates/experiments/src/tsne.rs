//! t-SNE without approximation, for a few thousand points.

use anyhow::{Result, bail};
use ndarray::{Array2, ArrayView1};
use variata_models::{Noise, Purpose};

/// Settings of [`Tsne::embed`]; what is not among them is fixed: 250 steps at first with the affinities times 12 and momentum 0.5, then
/// momentum 0.8; a learning rate of n/48, at least 50, with a gain for each coordinate; a start from N(0, 10⁻⁸).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tsne {
    /// e^entropy of each point's neighbourhood.
    pub(crate) perplexity: f64,
    /// Steps of gradient descent.
    pub(crate) steps: usize,
    /// Seed of the start.
    pub(crate) seed: u64,
}

/// Steps with exaggerated affinities.
pub(crate) const EARLY: usize = 250;
const EXAGGERATION: f64 = 12.0;
/// Address of the start's noise.
const START: u64 = 1 << 43;

impl Tsne {
    /// Places in the plane for points with these squared distances [n, n].
    ///
    /// ```text
    /// pⱼ|ᵢ ∝ e^(−βᵢ d²ᵢⱼ) with the wanted perplexity,   pᵢⱼ = (pⱼ|ᵢ + pᵢ|ⱼ)/2n,   qᵢⱼ ∝ 1/(1 + ‖yᵢ − yⱼ‖²)
    /// ∂KL(p‖q)/∂yᵢ = 4 Σⱼ (pᵢⱼ − qᵢⱼ)(yᵢ − yⱼ)/(1 + ‖yᵢ − yⱼ‖²)
    /// ```
    /// Source: van der Maaten and Hinton 2008.
    ///
    /// # Errors
    /// Fewer than three points for each unit of perplexity, more than 5000, or a distance that is not finite.
    pub(crate) fn embed(&self, squared: &Array2<f64>) -> Result<Vec<(f64, f64)>> {
        let n = squared.nrows();
        if (n as f64) < 3.0 * self.perplexity || n > 5000 {
            bail!(
                "t-SNE has {n} points, must have at least 3 for each unit of perplexity {} and at most 5000",
                self.perplexity
            );
        }
        if squared.iter().any(|d| !d.is_finite()) {
            bail!("t-SNE has a distance that is not finite");
        }
        let p = self.affinities(squared);
        let start = Noise::new(self.seed).normal_rows(Purpose::Report, START, 0..n as u64, 2);
        let mut y: Vec<[f64; 2]> =
            start.chunks_exact(2).map(|z| [1e-4 * f64::from(z[0]), 1e-4 * f64::from(z[1])]).collect();
        let (mut velocity, mut gains) = (vec![[0.0f64; 2]; n], vec![[1.0f64; 2]; n]);
        let rate = (n as f64 / 48.0).max(50.0);
        let mut kernel = Array2::<f64>::zeros((n, n));
        for step in 0..self.steps {
            let (scale, momentum) = if step < EARLY { (EXAGGERATION, 0.5) } else { (1.0, 0.8) };
            let mut total = 0.0;
            for i in 0..n {
                for j in 0..i {
                    let (a, b) = (y[i][0] - y[j][0], y[i][1] - y[j][1]);
                    let k = 1.0 / (1.0 + a * a + b * b);
                    (kernel[[i, j]], kernel[[j, i]]) = (k, k);
                    total += 2.0 * k;
                }
            }
            for i in 0..n {
                let mut slope = [0.0; 2];
                let rows = p.row(i).into_iter().zip(kernel.row(i)).zip(&y);
                for ((p, k), other) in rows {
                    let pull = 4.0 * (scale * p - k / total) * k;
                    slope[0] += pull * (y[i][0] - other[0]);
                    slope[1] += pull * (y[i][1] - other[1]);
                }
                for (axis, slope) in slope.into_iter().enumerate() {
                    let (v, g) = (&mut velocity[i][axis], &mut gains[i][axis]);
                    // A coordinate that keeps its direction goes faster.
                    *g = if slope * *v > 0.0 { (*g * 0.8).max(0.01) } else { *g + 0.2 };
                    *v = momentum * *v - rate * *g * slope;
                }
            }
            for (to, v) in y.iter_mut().zip(&velocity) {
                *to = [to[0] + v[0], to[1] + v[1]];
            }
            let centre = y.iter().fold([0.0; 2], |c, y| [c[0] + y[0] / n as f64, c[1] + y[1] / n as f64]);
            for y in &mut y {
                *y = [y[0] - centre[0], y[1] - centre[1]];
            }
        }
        Ok(y.into_iter().map(|[a, b]| (a, b)).collect())
    }

    fn affinities(&self, squared: &Array2<f64>) -> Array2<f64> {
        let n = squared.nrows();
        let mut conditional = Array2::zeros((n, n));
        for i in 0..n {
            let row = neighbourhood(&squared.row(i), i, self.perplexity.ln());
            conditional.row_mut(i).assign(&ArrayView1::from(&row));
        }
        let both = &conditional + &conditional.t();
        both.mapv(|p| (p / (2.0 * n as f64)).max(1e-12))
    }
}

/// pⱼ|ᵢ with this entropy, by bisection of β.
fn neighbourhood(squared: &ArrayView1<'_, f64>, i: usize, entropy: f64) -> Vec<f64> {
    let others = || squared.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, d)| *d);
    let nearest = others().fold(f64::INFINITY, f64::min);
    let mean = others().map(|d| d - nearest).sum::<f64>() / squared.len() as f64;
    let weights = |beta: f64| -> Vec<f64> {
        let at = |(j, d): (usize, &f64)| if j == i { 0.0 } else { (-beta * (d - nearest)).exp() };
        let raw: Vec<f64> = squared.iter().enumerate().map(at).collect();
        let total: f64 = raw.iter().sum();
        raw.into_iter().map(|w| w / total).collect()
    };
    let spread = |p: &[f64]| p.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum::<f64>();
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let mut beta = if mean > 0.0 { 1.0 / mean } else { 1.0 };
    for _ in 0..100 {
        // The entropy falls as β grows.
        if spread(&weights(beta)) > entropy {
            low = beta;
        } else {
            high = beta;
        }
        beta = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * beta };
    }
    weights(beta)
}

/// ‖xᵢ − xⱼ‖² of rows [n, d].
pub(crate) fn squared_distances(x: &Array2<f64>) -> Array2<f64> {
    // About their mean: a common offset would cost digits.
    let centred = match x.mean_axis(ndarray::Axis(0)) {
        Some(mean) => x - &mean,
        None => x.clone(),
    };
    let gram = centred.dot(&centred.t());
    let norms = gram.diag().to_owned();
    Array2::from_shape_fn(gram.dim(), |(i, j)| {
        if i == j { 0.0 } else { (norms[i] + norms[j] - 2.0 * gram[[i, j]]).max(0.0) }
    })
}

/// Share of points of the same class among each point's `k` nearest that are of another group; the mean over all that have any, `None`
/// where none has: in a single group.
pub(crate) fn purity(squared: &Array2<f64>, classes: &[usize], groups: &[usize], k: usize) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0usize);
    for (i, row) in squared.rows().into_iter().enumerate() {
        let mut others: Vec<usize> = (0..row.len()).filter(|&j| groups[j] != groups[i]).collect();
        others.sort_by(|&a, &b| row[a].total_cmp(&row[b]));
        let near = &others[..k.min(others.len())];
        if !near.is_empty() {
            let alike = near.iter().filter(|&&j| classes[j] == classes[i]).count();
            sum += alike as f64 / near.len() as f64;
            count += 1;
        }
    }
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three groups of points far from each other in five dimensions.
    fn groups() -> Array2<f64> {
        Array2::from_shape_fn((60, 5), |(i, d)| {
            let noise = ((i * 31 + d * 17) as f64 * 0.618).sin();
            noise + if d == i % 3 { 20.0 } else { 0.0 }
        })
    }

    #[test]
    fn distances_are_those_of_differences() {
        let x = groups() + 1e6;
        let squared = squared_distances(&x);
        for (i, j) in [(0, 1), (3, 7), (59, 2), (4, 4)] {
            let want: f64 = (0..5).map(|d| (x[[i, d]] - x[[j, d]]).powi(2)).sum();
            assert!((squared[[i, j]] - want).abs() <= 1e-6 * want.max(1e-3), "{i} {j}");
        }
    }

    #[test]
    fn neighbourhoods_have_the_wanted_perplexity() {
        let squared = squared_distances(&groups());
        for perplexity in [2.0, 5.0, 15.0] {
            let p = neighbourhood(&squared.row(7), 7, f64::ln(perplexity));
            let entropy: f64 = p.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum();
            assert!((entropy.exp() - perplexity).abs() < 1e-9 * perplexity);
            assert!(p[7] == 0.0 && (p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn groups_stay_together_and_the_map_repeats() {
        let squared = squared_distances(&groups());
        let tsne = Tsne { perplexity: 10.0, steps: 600, seed: 1 };
        let y = tsne.embed(&squared).unwrap();
        let flat = Array2::from_shape_fn((60, 2), |(i, d)| if d == 0 { y[i].0 } else { y[i].1 });
        let (classes, alone): (Vec<usize>, Vec<usize>) = (0..60).map(|i| (i % 3, i)).unzip();
        assert!(purity(&squared_distances(&flat), &classes, &alone, 10).unwrap() > 0.99);
        assert_eq!(tsne.embed(&squared).unwrap(), y);
        assert!(Tsne { perplexity: 30.0, ..tsne }.embed(&squared).is_err());
    }

    #[test]
    fn purity_leaves_the_own_group_out() {
        // On a line: 0, 1 | 2, 3 with classes a, a, b, a. Groups pair the neighbours.
        let x = Array2::from_shape_vec((4, 1), vec![0.0, 1.0, 2.0, 3.0]).unwrap();
        let squared = squared_distances(&x);
        assert_eq!(purity(&squared, &[0, 0, 1, 0], &[0, 1, 2, 3], 1), Some(0.5));
        // The neighbours of 0, 1, 2, 3 are then 2, 2, 1, 1.
        assert_eq!(purity(&squared, &[0, 0, 1, 0], &[0, 0, 1, 1], 1), Some(0.25));
        // A single group leaves nobody to be near.
        assert_eq!(purity(&squared, &[0, 0, 1, 0], &[7; 4], 1), None);
    }
}
