//! Augmented batches.

use std::sync::Arc;

use anyhow::Result;
use ndarray::{Array4, Axis, concatenate};
use variata_datasets::{ExampleSource, ImageDataset, Position};
use variata_fourier_aug::{AugmentationSet, Pipeline};

use super::FourierAugConfig;

/// The images of a data set, with two augmented views of each; for Base the flipped and cropped image alone, since views that are
/// alike have no divergence.
#[derive(Debug)]
pub(super) struct Views {
    data: Arc<ImageDataset>,
    pipeline: Pipeline,
    forked: bool,
    seed: u64,
}

impl Views {
    /// # Errors
    /// A setting is outside its range.
    pub(super) fn new(
        data: &Arc<ImageDataset>,
        config: &FourierAugConfig,
        set: AugmentationSet,
        seed: u64,
    ) -> Result<Self> {
        let forked = set != AugmentationSet::Base;
        let pipeline = config.pipeline(data, set)?;
        Ok(Self { data: Arc::clone(data), pipeline, forked, seed })
    }
}

impl ExampleSource for Views {
    fn labels(&self) -> &[u8] {
        self.data.labels()
    }

    fn make(
        &self,
        indices: &[usize],
        position: Position,
        first_row: usize,
    ) -> Result<Array4<f32>, Box<dyn std::error::Error + Send + Sync>> {
        let images = eight_bits(&self.data, indices);
        // A seed for each epoch and a stream for each place in it, whatever the batch.
        let seed = self.seed ^ position.epoch.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let first = (position.batch << 32) + first_row as u64;
        if !self.forked {
            return Ok(self.pipeline.augment(&images, seed, first)?);
        }
        let views = self.pipeline.fork(&images, seed, first)?;
        Ok(concatenate(Axis(0), &views.each_ref().map(|view| view.view()))?)
    }
}

/// Images of 0 to 255, whatever white is in the file. The indices are those of images.
pub(super) fn eight_bits(data: &ImageDataset, indices: &[usize]) -> Array4<u8> {
    let white = u32::from(data.max_value());
    let mut images = data.images().select(Axis(0), indices);
    if white != 255 {
        images.mapv_inplace(|grey| ((u32::from(grey) * 255 + white / 2) / white) as u8);
    }
    images
}
