//! Convolutional encoder and decoder.

use tch::Tensor;

use super::{Conv2d, ConvTranspose2d, Linear, Window};
use crate::{Condition, Error, ImageShape, Init, Path};

/// Sizes (height, width) of the image before and after each halving.
fn pyramid(image: ImageShape, levels: usize) -> Vec<[i64; 2]> {
    let mut sizes = vec![[image.height, image.width]];
    for _ in 0..levels {
        let [h, w] = sizes[sizes.len() - 1];
        sizes.push([h / 2, w / 2]);
    }
    sizes
}

/// Fully connected layers of these widths, and the width of what they give.
fn dense<'a>(
    path: &mut Path<'_>,
    mut width: i64,
    widths: impl Iterator<Item = &'a i64>,
) -> Result<(Vec<Linear>, i64), Error> {
    let mut layers = Vec::new();
    for (i, &next) in widths.enumerate() {
        // One layer alone has no number.
        let name = if i == 0 { "hidden".to_owned() } else { format!("hidden{i}") };
        layers.push(Linear::new(&mut path.sub(&name), width, next, Init::he(width))?);
        width = next;
    }
    Ok((layers, width))
}

fn through(layers: &[Linear], x: Tensor) -> Result<Tensor, Error> {
    layers.iter().try_fold(x, |h, layer| Ok(layer.forward(&h)?.relu_()))
}

/// Halving convolutions with ReLU, then fully connected layers; the label enters as constant planes.
#[derive(Debug)]
pub(super) struct ConvEncoder {
    convs: Vec<Conv2d>,
    hidden: Vec<Linear>,
    features: i64,
    image: ImageShape,
}

impl ConvEncoder {
    pub(crate) fn new(
        path: &mut Path<'_>,
        channels: &[i64],
        hidden: &[i64],
        image: ImageShape,
        classes: i64,
    ) -> Result<Self, Error> {
        let mut convs = Vec::new();
        let mut width = image.channels + classes;
        for (i, &next) in channels.iter().enumerate() {
            convs.push(Conv2d::new(&mut path.sub(&i.to_string()), width, next, Window::HALVING, Init::he)?);
            width = next;
        }
        let [h, w] = pyramid(image, channels.len())[channels.len()];
        let (hidden, features) = dense(path, width * h * w, hidden.iter())?;
        Ok(Self { convs, hidden, features, image })
    }

    pub(crate) fn features(&self) -> i64 {
        self.features
    }

    pub(crate) fn forward(&self, x: &Tensor, condition: Option<&Condition>) -> Result<Tensor, Error> {
        let mut h = Condition::beside(condition, x, self.image)?;
        for conv in &self.convs {
            h = conv.forward(&h)?.relu_();
        }
        through(&self.hidden, h.flatten(1, -1))
    }
}

/// The encoder in reverse.
#[derive(Debug)]
pub(super) struct ConvDecoder {
    hidden: Vec<Linear>,
    expand: Linear,
    convs: Vec<ConvTranspose2d>,
    start: [i64; 3],
}

impl ConvDecoder {
    pub(crate) fn new(
        path: &mut Path<'_>,
        channels: &[i64],
        hidden: &[i64],
        image: ImageShape,
        (planes, output): (i64, fn(i64) -> Init),
        code: i64,
    ) -> Result<Self, Error> {
        let sizes = pyramid(image, channels.len());
        let deepest = channels.last().copied().unwrap_or(image.channels);
        let [h, w] = sizes[channels.len()];
        let (hidden, width) = dense(path, code, hidden.iter().rev())?;
        let expand = Linear::new(&mut path.sub("expand"), width, deepest * h * w, Init::he(width))?;
        let mut convs = Vec::new();
        for level in (0..channels.len()).rev() {
            let outputs = if level == 0 { planes } else { channels[level - 1] };
            let extra =
                [sizes[level][0] - 2 * sizes[level + 1][0], sizes[level][1] - 2 * sizes[level + 1][1]];
            let init = if level == 0 { output } else { Init::he };
            let mut place = path.sub(&format!("up{level}"));
            let layer =
                ConvTranspose2d::new(&mut place, channels[level], outputs, Window::HALVING, extra, init)?;
            convs.push(layer);
        }
        Ok(Self { hidden, expand, convs, start: [deepest, h, w] })
    }

    pub(crate) fn forward(&self, code: &Tensor) -> Result<Tensor, Error> {
        let [c, height, width] = self.start;
        let inner = through(&self.hidden, code.shallow_clone())?;
        let mut h = self.expand.forward(&inner)?.relu_().view([-1, c, height, width]);
        for (i, conv) in self.convs.iter().enumerate() {
            h = conv.forward(&h)?;
            if i + 1 < self.convs.len() {
                h = h.relu_();
            }
        }
        Ok(h)
    }
}
