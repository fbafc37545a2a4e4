//! The standard normal at sorted points.

use variata_distributions::lanes::{
    Compute, coarse_tail_and_density, fused, mul_add, upper_tail_and_density, widest,
};

/// Points that share an expansion.
const BLOCK: usize = 32;
/// Terms of an expansion.
const TERMS: usize = 7;

/// Φ(−|x|) and φ(x), for points of type `T`: what f32 is known to needs half the time.
#[inline(always)]
pub(crate) fn tail_and_density<T: Compute>(x: f64) -> (f64, f64) {
    if T::SINGLE { coarse_tail_and_density(x) } else { upper_tail_and_density(x) }
}

/// Φ and φ of ascending x, which are of type `T`.
pub(crate) fn distribution<T: Compute>(x: &[f64], cdf: &mut [f64], pdf: &mut [f64]) {
    if fused() { distribution_by::<T, true>(x, cdf, pdf) } else { distribution_by::<T, false>(x, cdf, pdf) }
}

fn distribution_by<T: Compute, const FUSED: bool>(x: &[f64], cdf: &mut [f64], pdf: &mut [f64]) {
    // How far from its centre an expansion serves: its rest is at most 0.003 t⁷ of φ, and 0.0004 t⁸ of Φ; and how far out, as
    // density and tail are held from there on.
    let (reach, far) = if T::SINGLE { (1.0 / 16.0, 8.0) } else { (1.0 / 96.0, 37.0) };
    widest(
        #[inline(always)]
        || {
            let blocks = x.chunks(BLOCK).zip(cdf.chunks_mut(BLOCK)).zip(pdf.chunks_mut(BLOCK));
            for ((x, cdf), pdf) in blocks {
                let (low, high) = (x[0], x[x.len() - 1]);
                let half = 0.5 * (high - low);
                if half <= reach && low >= -far && high <= far {
                    expand::<T, FUSED>(low + half, x, cdf, pdf);
                    continue;
                }
                for ((&x, cdf), pdf) in x.iter().zip(cdf.iter_mut()).zip(pdf.iter_mut()) {
                    (*cdf, *pdf) = cdf_and_pdf::<T>(x);
                }
            }
        },
    );
}

#[inline(always)]
fn cdf_and_pdf<T: Compute>(x: f64) -> (f64, f64) {
    let (tail, density) = tail_and_density::<T>(x);
    (if x < 0.0 { tail } else { 1.0 - tail }, density)
}

/// Φ and φ by their Taylor series around a point next to all x.
///
/// φ(c + t) = Σ fₖ tᵏ with (k + 1) fₖ₊₁ = −c fₖ − fₖ₋₁, because φ′(x) = −x φ(x), and Φ(c + t) = Φ(c) + Σ fₖ tᵏ⁺¹/(k + 1).
#[inline(always)]
fn expand<T: Compute, const FUSED: bool>(centre: f64, x: &[f64], cdf: &mut [f64], pdf: &mut [f64]) {
    const INVERSE: [f64; TERMS] = [1.0, 1.0 / 2.0, 1.0 / 3.0, 1.0 / 4.0, 1.0 / 5.0, 1.0 / 6.0, 1.0 / 7.0];
    let (at, density) = cdf_and_pdf::<T>(centre);
    let mut f = [density; TERMS];
    f[1] = -centre * density;
    for k in 1..TERMS - 1 {
        f[k + 1] = -mul_add::<FUSED>(centre, f[k], f[k - 1]) * INVERSE[k];
    }
    let mut area = f;
    area.iter_mut().zip(INVERSE).for_each(|(area, inverse)| *area *= inverse);
    for ((x, cdf), pdf) in x.iter().zip(cdf.iter_mut()).zip(pdf.iter_mut()) {
        let t = x - centre;
        let (mut slope, mut rise) = (f[TERMS - 1], area[TERMS - 1]);
        for k in (0..TERMS - 1).rev() {
            slope = mul_add::<FUSED>(slope, t, f[k]);
            rise = mul_add::<FUSED>(rise, t, area[k]);
        }
        (*cdf, *pdf) = (mul_add::<FUSED>(rise, t, at), slope);
    }
}

#[cfg(test)]
mod tests {
    use variata_distributions::special::{ndtr, norm_pdf};

    use super::*;

    /// The largest errors of Φ and φ at n quantiles of the law from −8 to 8, and then some points beyond.
    fn errors<T: Compute>(n: usize) -> [f64; 2] {
        let at = |k: usize| 8.0 * libm::sinh(3.0 * (2.0 * k as f64 / (n - 1) as f64 - 1.0)) / libm::sinh(3.0);
        let mut x: Vec<f64> = (0..n).map(at).collect();
        // Points that lie close together anywhere, where both are next to nothing too.
        for centre in [7.97, 8.1, 9.0, 36.99, 37.2, 40.0, 1e3, 1e5, 1e20, 1e110, 1e150] {
            x.extend((0..2 * BLOCK).map(|k| centre + k as f64 * 1e-3));
        }
        let others: Vec<f64> = x.iter().map(|x| -x).collect();
        x.extend(others);
        x.sort_unstable_by(f64::total_cmp);
        let (mut cdf, mut pdf) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        distribution::<T>(&x, &mut cdf, &mut pdf);
        let largest = |found: &[f64], truth: fn(f64) -> f64| {
            x.iter().zip(found).map(|(x, found)| (found - truth(*x)).abs()).fold(0.0, f64::max)
        };
        [largest(&cdf, ndtr), largest(&pdf, norm_pdf)]
    }

    #[test]
    fn expansions_agree_with_the_functions() {
        for n in [100, 1_000, 10_000, 100_000] {
            let [cdf, pdf] = errors::<f64>(n);
            assert!(cdf <= 3.0 * f64::EPSILON && pdf <= 3.0 * f64::EPSILON, "f64, {n}: {cdf:e} {pdf:e}");
            let [cdf, pdf] = errors::<f32>(n);
            assert!(cdf <= 6e-11 && pdf <= 6e-11, "f32, {n}: {cdf:e} {pdf:e}");
        }
    }
}
