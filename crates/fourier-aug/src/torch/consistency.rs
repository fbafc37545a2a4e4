//! AugMix's loss on tensors.

use ndarray::{ArrayViewD, Ix3};
use tch::{Kind, Tensor};
use variata_distributions::torch::jensen_shannon_batch_composed;
use variata_distributions::torch::support::{lend, wanted};
use variata_distributions::{ArgumentError, Real, check};
use variata_torch_bridge::{Element, Route, attach_gradient, route, tensor_from_array};

use super::{checked_labels, host_labels, logits_shape};
use crate::error::Error;

/// AugMix's loss and what it is made of: scalars in f64.
#[derive(Debug)]
pub struct ConsistencyLoss {
    /// `cross_entropy + weight · jensen_shannon`, with its gradient.
    pub value: Tensor,
    /// Mean over the batch of −log p(label) of the first, clean view; apart from the graph.
    pub cross_entropy: Tensor,
    /// Mean over the batch of the Jensen–Shannon divergence between the views; apart from the graph.
    pub jensen_shannon: Tensor,
}

/// [`crate::consistency_loss`] on tensors, with a gradient in the logits.
///
/// On plain CPU tensors value and gradient come from the native kernel, elsewhere from
/// [`consistency_loss_composed`]. Nothing is clamped.
///
/// # Shapes
/// `logits` [views, batch, classes], the clean view first; `labels` `[batch]`, integers on the same device.
///
/// # Errors
/// Logits that are empty, not dense or not floating-point; labels of another shape, kind or device; a weight that is negative or
/// not finite. A label that is no class, for logits of `Float` or `Double` on the CPU; the value is NaN for others.
///
/// ```
/// use variata_fourier_aug::{JSD_WEIGHT, torch::consistency_loss};
/// use variata_torch_bridge::tch::{Device, Kind, Tensor};
///
/// let logits = Tensor::zeros([2, 1, 2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
/// let loss = consistency_loss(&logits, &Tensor::from_slice(&[1i64]), JSD_WEIGHT)?;
/// assert_eq!(loss.value.double_value(&[]), std::f64::consts::LN_2);
/// loss.value.backward();
/// assert_eq!(logits.grad().double_value(&[0, 0, 0]), 0.5);
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
pub fn consistency_loss(logits: &Tensor, labels: &Tensor, weight: f64) -> Result<ConsistencyLoss, Error> {
    let labels = checked(logits, labels, weight)?;
    let native = match (route(&[logits], &[]), logits.kind()) {
        (Route::Native, Kind::Float) => native::<f32>(logits, &labels, weight)?,
        (Route::Native, Kind::Double) => native::<f64>(logits, &labels, weight)?,
        _ => None,
    };
    match native {
        Some(loss) => Ok(loss),
        None => composed(logits, &labels, weight),
    }
}

/// [`consistency_loss`] as tensor operations: any device, any derivative order. A label that is no class gives NaN.
///
/// # Errors
/// As [`consistency_loss`], but for labels.
pub fn consistency_loss_composed(
    logits: &Tensor,
    labels: &Tensor,
    weight: f64,
) -> Result<ConsistencyLoss, Error> {
    let labels = checked(logits, labels, weight)?;
    composed(logits, &labels, weight)
}

fn checked(logits: &Tensor, labels: &Tensor, weight: f64) -> Result<Tensor, Error> {
    let [_, batch, _] = logits_shape(logits, "[views, batch, classes]")?;
    check::scalar("weight", weight, "finite and >= 0", weight >= 0.0 && weight.is_finite())?;
    checked_labels(labels, batch, logits)
}

/// `None` where the kernel refuses a logit, which the composed form lets propagate.
fn native<F: Real + Element>(
    logits: &Tensor,
    labels: &Tensor,
    weight: f64,
) -> Result<Option<ConsistencyLoss>, Error> {
    let labels = host_labels(labels, logits.size().last().map_or(0, |classes| *classes as usize))?;
    let wanted = wanted(&[logits]);
    let found = lend("logits", logits, |view: ArrayViewD<'_, F>| {
        let Ok(view) = view.into_dimensionality::<Ix3>() else { return Ok(None) };
        if !wanted {
            return crate::consistency_loss(&view, &labels, weight).map(|loss| Some((loss, None)));
        }
        let found = crate::consistency_loss_with_grad(&view, &labels, weight);
        found.map(|(loss, grad)| Some((loss, Some(grad))))
    })?;
    let (loss, grad) = match found {
        Ok(Some(found)) => found,
        Ok(None) | Err(Error::Argument(ArgumentError::Value { .. }) | Error::Distributions(_)) => {
            return Ok(None);
        }
        Err(other) => return Err(other),
    };
    let mut value = Tensor::from(loss.value);
    if let Some(grad) = grad {
        value = attach_gradient("consistency_loss", value, &[(logits, tensor_from_array(grad)?)])?;
    }
    let (cross_entropy, jensen_shannon) = (loss.cross_entropy.into(), loss.jensen_shannon.into());
    Ok(Some(ConsistencyLoss { value, cross_entropy, jensen_shannon }))
}

fn composed(logits: &Tensor, labels: &Tensor, weight: f64) -> Result<ConsistencyLoss, Error> {
    let cross_entropy = cross_entropy(&logits.select(0, 0).to_kind(Kind::Double), labels).mean(Kind::Double);
    let jensen_shannon = jensen_shannon_batch_composed(logits, None)?.mean(Kind::Double);
    let value = &cross_entropy + &jensen_shannon * weight;
    let (cross_entropy, jensen_shannon) = (cross_entropy.detach(), jensen_shannon.detach());
    Ok(ConsistencyLoss { value, cross_entropy, jensen_shannon })
}

/// −log p(label) = softplus(log Σ others − label) of logits [batch, classes] in f64: digits stay when the label is nearly sure.
fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Tensor {
    let classes = logits.size()[1];
    let outside = labels.lt(0).logical_or(&labels.ge(classes));
    // An index out of bounds would be lost with its device.
    let at = labels.clamp(0, classes - 1).unsqueeze(-1);
    let own = logits.gather(-1, &at, false).squeeze_dim(-1);
    let others = logits.scatter_value(-1, &at, f64::NEG_INFINITY);
    // Where there are no others their sum has no slope, and autograd would make NaN of it.
    let alone = others.isneginf().all_dim(-1, true);
    let sum = others.masked_fill(&alone, 0.0).logsumexp([-1i64].as_slice(), false);
    let gap = (sum - own).masked_fill(&alone.squeeze_dim(-1), f64::NEG_INFINITY);
    (-(-gap).log_sigmoid()).masked_fill(&outside, f64::NAN)
}
