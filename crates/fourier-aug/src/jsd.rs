//! Consistency between the views of an image: AugMix's loss.

use ndarray::{Array1, Array3, ArrayRef3, Axis};
use variata_distributions::{
    ArgumentError, Real, check, jensen_shannon_batch, jensen_shannon_batch_with_grad, lanes, parallel,
};

use crate::Error;
use crate::calibration::checked_labels;

/// AugMix's loss and what it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsistencyLoss {
    /// `cross_entropy + weight · jensen_shannon`.
    pub value: f64,
    /// Mean over the batch of −log p(label) of the first, clean view.
    pub cross_entropy: f64,
    /// Mean over the batch of the Jensen–Shannon divergence between the views.
    pub jensen_shannon: f64,
}

/// AugMix's weight of the divergence.
pub const JSD_WEIGHT: f64 = 12.0;

/// Cross entropy of the clean view plus `weight` times the Jensen–Shannon divergence between all views.
///
/// ```text
/// mean_b ( −log p₀(label_b) + λ JSD(p₀, …, pₙ₋₁) ),   pᵢ = softmax(logits[i][b])
/// ```
/// Source: Hendrycks et al., "AugMix" (2020), eq. 2 and 3, λ = [`JSD_WEIGHT`]; paper fourier-aug, section 2. AugMix's own
/// code clamps the mixture at 1e-7, which is 340 times off at a divergence of 3e-9: this one does not clamp.
///
/// # Shapes
/// `logits` [views, batch, classes], the clean view first: what a network gives for the views stacked along the batch,
/// reshaped. `labels` `[batch]`.
///
/// # Errors
/// No view, item or class; a logit of NaN or +∞, a row of −∞; a label that is no class; a weight that is negative or not
/// finite.
///
/// # Numerics
/// f64 throughout; the divergence as in [`jensen_shannon_batch`]. +∞ when the label's logit is −∞.
///
/// ```
/// use ndarray::array;
/// use variata_fourier_aug::{JSD_WEIGHT, consistency_loss};
///
/// let logits = array![[[0.0, 0.0]], [[0.0, 0.0]], [[0.0, 0.0]]];
/// let loss = consistency_loss(&logits, &[1], JSD_WEIGHT)?;
/// assert_eq!((loss.value, loss.jensen_shannon), (std::f64::consts::LN_2, 0.0));
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
pub fn consistency_loss<F: Real>(
    logits: &ArrayRef3<F>,
    labels: &[usize],
    weight: f64,
) -> Result<ConsistencyLoss, Error> {
    checked(logits, labels, weight)?;
    let divergences = jensen_shannon_batch(logits, None)?;
    let entropies = parallel::collect(labels.len(), |b| cross_entropy(logits, b, labels[b], &mut []));
    Ok(put_together(&divergences, &entropies, weight))
}

/// [`consistency_loss`] and its partial derivatives in the logits, [views, batch, classes].
///
/// # Errors
/// As [`consistency_loss`].
///
/// ```
/// use ndarray::array;
/// let logits = array![[[0.0, 0.0]], [[0.0, 0.0]]];
/// let (_, grad) = variata_fourier_aug::consistency_loss_with_grad(&logits, &[1], 12.0)?;
/// assert_eq!(grad, array![[[0.5, -0.5]], [[0.0, 0.0]]]);
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
pub fn consistency_loss_with_grad<F: Real>(
    logits: &ArrayRef3<F>,
    labels: &[usize],
    weight: f64,
) -> Result<(ConsistencyLoss, Array3<F>), Error> {
    checked(logits, labels, weight)?;
    let (divergences, mut grad) = jensen_shannon_batch_with_grad(logits, None)?;
    let (views, batch, classes) = logits.dim();
    let scale = weight / batch as f64;
    let slices = grad.as_slice_mut().unwrap_or_default().chunks_mut(classes);
    let mut entropies = vec![0.0; batch];
    // The clean view's rows come first, then those that only need scaling.
    let targets =
        entropies.iter_mut().map(Some).chain(std::iter::repeat_with(|| None).take((views - 1) * batch));
    let rows: Vec<_> = slices.zip(targets).enumerate().collect();
    parallel::for_each(rows, |(row, (grad, entropy))| {
        let Some(entropy) = entropy else {
            for g in grad {
                *g = F::from_f64(scale * g.to_f64());
            }
            return;
        };
        let mut own = vec![0.0; classes];
        *entropy = cross_entropy(logits, row, labels[row], &mut own);
        for (g, own) in grad.iter_mut().zip(own) {
            *g = F::from_f64(scale * g.to_f64() + own / batch as f64);
        }
    });
    Ok((put_together(&divergences, &entropies, weight), grad))
}

fn checked<F: Real>(logits: &ArrayRef3<F>, labels: &[usize], weight: f64) -> Result<(), Error> {
    if logits.is_empty() {
        let want = "[views, batch, classes], not empty".to_owned();
        return Err(ArgumentError::Shape { argument: "logits", got: logits.shape().to_vec(), want }.into());
    }
    let (_, batch, classes) = logits.dim();
    checked_labels(labels, (batch, classes))?;
    check::scalar("weight", weight, "finite and >= 0", weight >= 0.0 && weight.is_finite())?;
    Ok(())
}

fn put_together(divergences: &Array1<f64>, entropies: &[f64], weight: f64) -> ConsistencyLoss {
    let batch = entropies.len() as f64;
    let (cross_entropy, jensen_shannon) = (entropies.iter().sum::<f64>() / batch, divergences.sum() / batch);
    ConsistencyLoss { value: cross_entropy + weight * jensen_shannon, cross_entropy, jensen_shannon }
}

/// −log p(label) of the clean view of item `b`, and its gradient p − onehot, where there is room for it. The logits have been
/// checked.
fn cross_entropy<F: Real>(logits: &ArrayRef3<F>, b: usize, label: usize, grad: &mut [f64]) -> f64 {
    let view = logits.index_axis(Axis(0), 0);
    let row = view.row(b);
    let top = row.iter().fold(f64::NEG_INFINITY, |top, l| top.max(l.to_f64()));
    let mut terms: Vec<f64> = row.iter().map(|l| (l.to_f64() - top).max(-690.0)).collect();
    lanes::widest(
        #[inline(always)]
        || terms.iter_mut().for_each(|term| *term = lanes::exp(*term)),
    );
    // `lanes::exp` is only given arguments of at least −690. Terms below are found by `libm::exp`: they may be all of the others' weight.
    let far = |l: &F| l.to_f64() - top < -690.0;
    for (term, l) in terms.iter_mut().zip(&row).filter(|(_, l)| far(l)) {
        *term = libm::exp(l.to_f64() - top);
    }
    // −log p = log(1 + Σ others/label): digits stay when the label is nearly sure.
    let sum: f64 = terms.iter().sum();
    let others: f64 = terms.iter().enumerate().filter(|(k, _)| *k != label).map(|(_, t)| t).sum();
    for (k, (g, term)) in grad.iter_mut().zip(&terms).enumerate() {
        *g = if k == label { -others / sum } else { term / sum };
    }
    let gap = row[label].to_f64() - top;
    if gap < -690.0 { sum.ln() - gap } else { (others / terms[label]).ln_1p() }
}
