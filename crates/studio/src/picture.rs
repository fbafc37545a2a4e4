//! Values as pixels.

use image::ImageEncoder;
use image::codecs::png::PngEncoder;
use ndarray::ArrayRef2;

use crate::error::Refused;

/// An image in red, green, blue, opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    width: usize,
    height: usize,
    pub(crate) rgba: Vec<u8>,
}

impl Picture {
    /// From one row of values in [0, 1], channel after channel; what lies outside is clipped.
    pub(crate) fn new(values: &ArrayRef2<f32>, [channels, height, width]: [usize; 3]) -> Self {
        let byte = |v: f32| (v.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        let area = height * width;
        let at = |c: usize, pixel: usize| byte(values[(0, c.min(channels - 1) * area + pixel)]);
        let rgba = (0..area).flat_map(|pixel| [at(0, pixel), at(1, pixel), at(2, pixel), 255]).collect();
        Self { width, height, rgba }
    }

    pub(crate) fn png(&self) -> Result<Vec<u8>, Refused> {
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes)
            .write_image(&self.rgba, self.width as u32, self.height as u32, image::ExtendedColorType::Rgba8)
            .map_err(|e| Refused::model(e.to_string()))?;
        Ok(bytes)
    }
}
