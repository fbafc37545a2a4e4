//! The label that a conditional model gives to both sides.

use tch::{Device, Tensor};

use crate::{Error, ImageShape};

/// Most classes of a model.
pub(crate) const MOST_CLASSES: i64 = 65_536;

/// One-hot labels, [batch, classes].
///
/// Source: VAE tutorial, section "Conditional VAE": c enters q(z|x, c) and p(x|z, c); the prior stays N(0, I).
#[derive(Debug)]
pub struct Condition {
    one_hot: Tensor,
}

impl Condition {
    /// One-hot rows of the labels.
    ///
    /// # Errors
    /// A label is not in 0..classes; a negative number of classes, or more than 65,536; memory does not hold so many rows.
    ///
    /// # Examples
    /// ```
    /// use variata_models::{Condition, tch::Device};
    /// let c = Condition::one_hot(&[2, 0], 3, Device::Cpu)?;
    /// assert_eq!(Vec::<f32>::try_from(c.tensor().view([-1])).unwrap(), [0., 0., 1., 1., 0., 0.]);
    /// # Ok::<(), variata_models::Error>(())
    /// ```
    pub fn one_hot(labels: &[i64], classes: i64, device: Device) -> Result<Self, Error> {
        if let Some((index, &label)) = labels.iter().enumerate().find(|(_, l)| !(0..classes).contains(*l)) {
            return Err(Error::Label { index, label, classes });
        }
        let Some(width) = usize::try_from(classes).ok().filter(|_| classes <= MOST_CLASSES) else {
            return Err(Error::config("classes", classes, format!("in 0..={MOST_CLASSES}")));
        };
        let mut data: Vec<f32> = Vec::new();
        let n = labels.len().checked_mul(width).filter(|&n| data.try_reserve_exact(n).is_ok());
        let Some(n) = n else {
            let must = format!("few enough for {} rows to be in memory", labels.len());
            return Err(Error::config("classes", classes, must));
        };
        data.resize(n, 0.0);
        for (row, &label) in labels.iter().enumerate() {
            data[row * width + label as usize] = 1.0;
        }
        let one_hot = variata_torch_bridge::tensor_from_slice(&data, &[labels.len(), width])?;
        Ok(Self { one_hot: one_hot.to_device(device) })
    }

    /// [batch, classes], f32.
    pub fn tensor(&self) -> &Tensor {
        &self.one_hot
    }

    /// Images with the one-hot vector behind their channels as constant planes [batch, classes, height, width], for convolutions.
    pub(crate) fn beside(condition: Option<&Self>, x: &Tensor, image: ImageShape) -> Result<Tensor, Error> {
        let Some(Self { one_hot }) = condition else { return Ok(x.shallow_clone()) };
        let (b, c) = (one_hot.size()[0], one_hot.size()[1]);
        let planes = one_hot.view([b, c, 1, 1]).expand([b, c, image.height, image.width], false);
        Ok(Tensor::f_cat(&[x, &planes], 1)?)
    }
}
