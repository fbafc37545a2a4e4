//! Fully connected encoder and decoder.

use tch::Tensor;

use super::Linear;
use crate::{Condition, Error, ImageShape, Init, Path};

/// Flattened image, then the one-hot label, through ReLU layers.
#[derive(Debug)]
pub(super) struct MlpEncoder {
    layers: Vec<Linear>,
    features: i64,
}

impl MlpEncoder {
    pub(crate) fn new(
        path: &mut Path<'_>,
        hidden: &[i64],
        image: ImageShape,
        classes: i64,
    ) -> Result<Self, Error> {
        let mut layers = Vec::new();
        let mut width = image.numel() + classes;
        for (i, &next) in hidden.iter().enumerate() {
            layers.push(Linear::new(&mut path.sub(&i.to_string()), width, next, Init::he(width))?);
            width = next;
        }
        Ok(Self { layers, features: width })
    }

    pub(crate) fn features(&self) -> i64 {
        self.features
    }

    pub(crate) fn forward(&self, x: &Tensor, condition: Option<&Condition>) -> Result<Tensor, Error> {
        let flat = x.flatten(1, -1);
        let mut h = match condition {
            Some(c) => Tensor::f_cat(&[&flat, c.tensor()], 1)?,
            None => flat,
        };
        for layer in &self.layers {
            h = layer.forward(&h)?.relu_();
        }
        Ok(h)
    }
}

/// ReLU layers of the encoder's widths in reverse, then one linear layer to the pixels.
#[derive(Debug)]
pub(super) struct MlpDecoder {
    layers: Vec<Linear>,
    output: Linear,
    shape: [i64; 3],
}

impl MlpDecoder {
    pub(crate) fn new(
        path: &mut Path<'_>,
        hidden: &[i64],
        image: ImageShape,
        (planes, init): (i64, fn(i64) -> Init),
        code: i64,
    ) -> Result<Self, Error> {
        let mut layers = Vec::new();
        let mut width = code;
        for (i, &next) in hidden.iter().rev().enumerate() {
            layers.push(Linear::new(&mut path.sub(&i.to_string()), width, next, Init::he(width))?);
            width = next;
        }
        let shape = [planes, image.height, image.width];
        let output = Linear::new(&mut path.sub("output"), width, shape.iter().product(), init(width))?;
        Ok(Self { layers, output, shape })
    }

    pub(crate) fn forward(&self, code: &Tensor) -> Result<Tensor, Error> {
        let mut h = code.shallow_clone();
        for layer in &self.layers {
            h = layer.forward(&h)?.relu_();
        }
        let [c, height, width] = self.shape;
        Ok(self.output.forward(&h)?.view([-1, c, height, width]))
    }
}
