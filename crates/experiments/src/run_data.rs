//! What a run is of.

use variata_datasets::{Checksum, ImageDataset};

/// What a manifest and the checkpoints say of the data.
pub trait RunData {
    /// Its name, part of a folder's.
    fn name(&self) -> &str;
    /// Digest of its content.
    fn checksum(&self) -> Checksum;
    /// How much of what it is.
    fn description(&self) -> String;
}

impl RunData for ImageDataset {
    fn name(&self) -> &str {
        self.name()
    }

    fn checksum(&self) -> Checksum {
        self.checksum()
    }

    fn description(&self) -> String {
        let [channels, height, width] = self.image_shape();
        format!("{} images of {channels} × {height} × {width}", self.len())
    }
}
