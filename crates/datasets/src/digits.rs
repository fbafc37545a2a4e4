//! The digits that travel inside the crate.

use std::path::Path;

use crate::ImageDataset;
use crate::folder::{Pair, assemble};
use crate::idx::read_idx_bytes;

const IMAGES: &[u8] = include_bytes!("../data/digits-images.idx3.gz");
const LABELS: &[u8] = include_bytes!("../data/digits-labels.idx1.gz");

/// The 1,797 handwritten digits of the UCI repository, 8×8 pixels, grey levels 0 ..= 16, no official test part.
///
/// *Optical Recognition of Handwritten Digits*, E. Alpaydin & C. Kaynak (1998), UCI Machine Learning Repository,
/// DOI 10.24432/C50P49, licensed CC BY 4.0. Each pixel counts the ink in a 4×4 block of a 32×32 scan.
///
/// ```
/// let digits = variata_datasets::digits();
/// assert_eq!(digits.images().shape(), [1797, 1, 8, 8]);
/// assert_eq!((digits.classes(), digits.max_value()), (10, 16));
/// ```
///
/// # Panics
/// Never: the embedded files are constants, and a test reads them.
pub fn digits() -> ImageDataset {
    let (images, labels) = (Path::new("digits-images.idx3.gz"), Path::new("digits-labels.idx1.gz"));
    read_idx_bytes(images, IMAGES)
        .and_then(|array| Pair::new(images, array, labels, read_idx_bytes(labels, LABELS)?))
        .and_then(|pair| assemble("digits", pair, None, Some(10), 16))
        // Constant input: it works always or, in the test of this function, never.
        .expect("the embedded digits are a constant that the tests read")
}
