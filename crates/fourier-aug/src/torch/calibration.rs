//! Predictions from logits on any device.

use tch::{Kind, Tensor};
use variata_distributions::ArgumentError;
use variata_torch_bridge::{no_grad, tensor_into_array};

use super::{checked_labels, host_labels, logits_shape};
use crate::calibration::Predictions;
use crate::error::Error;

/// Stands for a label that is no class.
const NO_CLASS: f64 = 2.0;

/// [`Predictions::from_logits`] of logits [n, classes] and labels `[n]` on any device.
///
/// Softmax and the predicted class are found there in f64; one number for each example comes to the host, once.
///
/// # Errors
/// Logits that are empty, not dense or not floating-point, or a row that holds NaN or +∞ or nothing but −∞; labels of another shape, kind
/// or device; a label that is no class.
///
/// ```
/// use variata_fourier_aug::{Binning, torch::predictions};
/// use variata_torch_bridge::tch::Tensor;
///
/// let logits = Tensor::from_slice(&[2.0f32, 0.0, 0.0, 1.0, 3.0, 0.0]).view([3, 2]);
/// let found = predictions(&logits, &Tensor::from_slice(&[0i64, 0, 0]))?;
/// assert_eq!(found.correct(), [true, false, true]);
/// assert!(found.reliability(Binning::EqualWidth { bins: 10 })?.ece() > 0.0);
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
pub fn predictions(logits: &Tensor, labels: &Tensor) -> Result<Predictions, Error> {
    Predictions::from_signed(outcomes(logits, labels)?.into_iter())
}

/// Confidence of each prediction, negative where it is wrong.
pub(super) fn outcomes(logits: &Tensor, labels: &Tensor) -> Result<Vec<f64>, Error> {
    let [n, classes] = logits_shape(logits, "[n, classes]")?;
    let labels = checked_labels(labels, n, logits)?;
    let signed = no_grad(|| signed_confidence(&logits.detach(), &labels));
    let signed: Vec<f64> = tensor_into_array::<f64>("logits", &signed)?.into_iter().collect();
    if signed.contains(&NO_CLASS) {
        host_labels(&labels, classes as usize)?;
    }
    if let Some(row) = signed.iter().position(|c| !(c.abs() <= 1.0)) {
        let (argument, must) = ("logits", "in a row of numbers and -inf, not all of them -inf");
        let (index, value) = (Some(row * classes as usize), signed[row]);
        return Err(ArgumentError::Value { argument, index, value, must }.into());
    }
    Ok(signed)
}

fn signed_confidence(logits: &Tensor, labels: &Tensor) -> Tensor {
    let p = logits.softmax(-1, Kind::Double);
    // The first one at a tie, as natively.
    let top = p.argmax(-1, true);
    let confidence = p.gather(-1, &top, false).squeeze_dim(-1);
    let right = top.squeeze_dim(-1).eq_tensor(labels);
    let outside = labels.lt(0).logical_or(&labels.ge(logits.size()[1]));
    confidence.where_self(&right, &-&confidence).masked_fill(&outside, NO_CLASS)
}
