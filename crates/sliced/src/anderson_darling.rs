//! Anderson–Darling: the gap between the distribution functions, weighted up in the tails.

use variata_distributions::lanes::{Compute, compare, widest};
use variata_distributions::special::{log_ndtr, log_ndtr_grad};

use crate::column::{Against, Gradient, Scratch, Step, steps};
use crate::normal::tail_and_density;
use crate::recent::Recent;
use crate::target::Target;
use crate::vectors::sum;

/// Beyond this the vector form leaves the range of `compare`, and that for f32 what it approximates.
const FAR: f64 = 20.0;
const FAR_COARSE: f64 = 8.0;
/// Ratios of probabilities above this are numbers.
const SMALL: f64 = 1e-90;

/// ∫ (Fₙ − F)²/(F(1 − F)) dF as a sum of positive terms: 2 Σ wₖ KL(cₖ‖zₖ) between Bernoulli laws, plus what the step
/// function cannot do better than, a function of the weights alone: `equal_floor`, where they are equal.
pub(crate) fn run<T: Compute>(
    y: &[T],
    equal_floor: f64,
    against: Against<'_>,
    mut gradient: Option<Gradient<'_, T>>,
    scratch: &mut Scratch,
) -> f64 {
    scratch.sort(y);
    let n = y.len();
    let Scratch { places, sorted, first, second, third, .. } = scratch;
    // The coin's side at the near end of the law, which has its digits there however small it is: of sorted points, the lower one first.
    let below = sorted.partition_point(|x| *x < 0.0);
    third.clear();
    match against.weights {
        None => {
            let each = 1.0 / n as f64;
            third.extend((0..below).map(|k| (k as f64 + 0.5) * each));
            third.extend((below..n).map(|k| ((n - k) as f64 - 0.5) * each));
        }
        Some(_) => third.extend(
            steps(places, against.weights)
                .enumerate()
                .map(|(k, (_, step))| if k < below { step.middle() } else { step.middle_rest() }),
        ),
    }
    // Unequal steps come in the order of the points.
    let floor = match against.weights {
        None => equal_floor,
        Some(_) => steps(places, against.weights).map(|(_, step)| step_floor(step)).sum(),
    };
    first.resize(n, 0.0);
    second.resize(n, 0.0);
    match against.target {
        None => normal_terms::<T>(sorted, third, first, second),
        Some(target) => {
            let terms = first.iter_mut().zip(&mut *second);
            for (((_, step), &x), (kl, slope)) in steps(places, against.weights).zip(&*sorted).zip(terms) {
                (*kl, *slope) = target_term(target, x, step);
            }
        }
    }
    if against.weights.is_none() {
        let twice = 2.0 / n as f64;
        if let Some(mut gradient) = gradient {
            gradient.scatter(places, second, twice);
        }
        return twice * sum(first) + floor;
    }
    let mut total = 0.0;
    for ((place, step), (kl, slope)) in steps(places, against.weights).zip(first.iter().zip(&*second)) {
        let terms = if step.weight > 0.0 { (*kl, *slope) } else { (0.0, 0.0) };
        total += 2.0 * step.weight * terms.0;
        if let Some(gradient) = &mut gradient {
            gradient.set(place, 2.0 * step.weight * terms.1);
        }
    }
    total + floor
}

/// The floor of n equal steps.
pub(crate) fn equal_floor(n: usize) -> f64 {
    static RECENT: Recent<f64> = Recent::new();
    let each = 1.0 / n as f64;
    *RECENT.get(n, || (0..n).map(|k| step_floor(Step::equal(k, n, each))).sum())
}

/// 2 ∫ over the step of H(c) − H(u) du, with H the entropy of a coin and c the middle: 0 only for a step of width 0.
fn step_floor(step: Step) -> f64 {
    if !(step.weight > 0.0) {
        return 0.0;
    }
    let half = 0.5 * step.weight;
    let side = |c: f64| c * c * double_entropy_gap((half / c).min(1.0));
    2.0 * (side(step.middle()) + side(step.middle_rest()))
}

/// ∫₀ᴬ (1 + a) log(1 + a) + (1 − a) log(1 − a) da for 0 ≤ A ≤ 1.
fn double_entropy_gap(a: f64) -> f64 {
    if a > 0.5 {
        let (up, down) = (1.0 + a, 1.0 - a);
        let lower = if down > 0.0 { down * down * libm::log(down) } else { 0.0 };
        return 0.5 * (up * up * libm::log1p(a) - lower) - a;
    }
    // Σ 2 a^(2j+1)/(2j(2j − 1)(2j + 1)); the 22nd term is below 2⁻⁵³ of the sum.
    let square = a * a;
    let mut sum = 0.0;
    for j in (1..=22).rev() {
        let k = 2.0 * f64::from(j);
        sum = sum * square + 2.0 / (k * (k - 1.0) * (k + 1.0));
    }
    sum * square * a
}

/// KL between the coins c and Φ(x), and its derivative in x, for every point. `near` is c where x < 0, and 1 − c elsewhere.
fn normal_terms<T: Compute>(x: &[f64], near: &[f64], kl: &mut [f64], slope: &mut [f64]) {
    let far = if T::SINGLE { FAR_COARSE } else { FAR };
    widest(
        #[inline(always)]
        || {
            for (((&x, &near), kl), slope) in x.iter().zip(near).zip(kl.iter_mut()).zip(slope.iter_mut()) {
                let (tail, density) = tail_and_density::<T>(x);
                let other = 1.0 - near;
                let (a, b) = (compare::<false>(tail, near), compare::<false>(1.0 - tail, other));
                *kl = -(near * a.log1pmx + other * b.log1pmx);
                let gap = (tail - near) * density / (tail * (1.0 - tail));
                *slope = if x < 0.0 { gap } else { -gap };
            }
        },
    );
    for (((&x, &near), kl), slope) in x.iter().zip(near).zip(kl).zip(slope) {
        // A coin that small, or all of it but what rounds away, has no ratio to the tail either.
        if !(x.abs() < far && near > SMALL && near < 1.0) {
            let (log_near, log_other) = (log_ndtr(-x.abs()), log_ndtr(x.abs()));
            let head = if near > 0.0 { near * (libm::log(near) - log_near) } else { 0.0 };
            *kl = head + if near < 1.0 { (1.0 - near) * (libm::log1p(-near) - log_other) } else { 0.0 };
            let gap = (1.0 - near) * log_ndtr_grad(x.abs()) - near * log_ndtr_grad(-x.abs());
            *slope = if x < 0.0 { gap } else { -gap };
        }
    }
}

/// The same for any target.
fn target_term(target: &dyn Target, x: f64, step: Step) -> (f64, f64) {
    let (z, rest, c, other) = (target.cdf(x), target.sf(x), step.middle(), step.middle_rest());
    if z > SMALL && rest > SMALL && c > SMALL && other > 0.0 {
        let kl = -(c * compare::<false>(z, c).log1pmx + other * compare::<false>(rest, other).log1pmx);
        let gap = if z < rest { z - c } else { other - rest };
        return (kl, gap * target.pdf(x) / (z * rest));
    }
    // Far out, where tail and density are 0 as numbers, their logarithms are not.
    let part = |c: f64, log: f64| if c > 0.0 { c * (libm::log(c) - log) } else { 0.0 };
    let pull = |c: f64, grad: f64| if c > 0.0 { -c * grad } else { 0.0 };
    let slope = pull(c, target.log_cdf_grad(x)) + pull(other, target.log_sf_grad(x));
    (part(c, target.log_cdf(x)) + part(other, target.log_sf(x)), slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_gap_meet() {
        for a in [0.3, 0.4999999, 0.5] {
            let closed =
                0.5 * ((1.0 + a) * (1.0 + a) * f64::ln_1p(a) - (1.0 - a) * (1.0 - a) * f64::ln_1p(-a)) - a;
            assert!((double_entropy_gap(a) / closed - 1.0).abs() < 1e-14, "{a}");
        }
        assert!((double_entropy_gap(1.0) / (2.0 * 2f64.ln() - 1.0) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn the_floor_of_one_step_is_that_of_the_median() {
        // n = 1 at the median: −1 − (log ½ + log ½).
        assert!((step_floor(Step::equal(0, 1, 1.0)) / (2.0 * 2f64.ln() - 1.0) - 1.0).abs() < 1e-15);
    }
}
