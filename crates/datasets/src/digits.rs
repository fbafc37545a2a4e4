//! The digits that travel inside the crate.

use std::path::Path;

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma};
use ndarray::{Array4, ArrayRef2, Axis};

use crate::folder::{Pair, assemble};
use crate::idx::read_idx_bytes;
use crate::{Error, ImageDataset};

const IMAGES: &[u8] = include_bytes!("../data/digits-images.idx3.gz");
const LABELS: &[u8] = include_bytes!("../data/digits-labels.idx1.gz");

/// Pixels along a side of the embedded digits.
pub(crate) const SIDE: usize = 8;
/// Their highest grey level.
const INK: u8 = 16;

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
        .and_then(|pair| assemble("digits", pair, None, Some(10), INK))
        // Constant input: it works always or, in the test of this function, never.
        .expect("the embedded digits are a constant that the tests read")
}

/// The [`digits`] with `size` pixels along a side; 8 gives them unchanged.
///
/// Larger ones are interpolated between the centres of pixels (triangle filter: no grey level lies outside those of its
/// neighbours), with grey levels 0 ..= 255, where 255 is the 16 of the originals. They hold no more detail. Their name is
/// `digits-SIZE`.
///
/// ```
/// let digits = variata_datasets::digits_of(32)?;
/// assert_eq!(digits.images().shape(), [1797, 1, 32, 32]);
/// assert_eq!((digits.name(), digits.max_value()), ("digits-32", 255));
/// # Ok::<(), variata_datasets::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for a size outside 8 to 64.
pub fn digits_of(size: usize) -> Result<ImageDataset, Error> {
    if !(SIDE..=64).contains(&size) {
        return Err(Error::argument("size", size, "8 to 64"));
    }
    let small = digits();
    if size == SIDE {
        return Ok(small);
    }
    let mut images = Array4::zeros((small.len(), 1, size, size));
    for (mut large, small) in images.outer_iter_mut().zip(small.images().outer_iter()) {
        let enlarged = enlarged(&small.index_axis(Axis(0), 0), size as u32);
        large.iter_mut().zip(enlarged).for_each(|(to, grey)| *to = grey);
    }
    let names = small.class_names().to_vec();
    ImageDataset::new(format!("digits-{size}"), images, small.labels().to_vec(), small.classes(), u8::MAX)?
        .with_class_names(names)
}

/// Row after row.
fn enlarged(digit: &ArrayRef2<u8>, size: u32) -> Vec<u8> {
    // Rounded once, at the end.
    let ink = ImageBuffer::from_fn(SIDE as u32, SIDE as u32, |x, y| {
        Luma([f32::from(digit[[y as usize, x as usize]]) / f32::from(INK)])
    });
    let enlarged = imageops::resize(&ink, size, size, FilterType::Triangle).into_raw();
    enlarged.into_iter().map(|ink| (f32::from(u8::MAX) * ink).round() as u8).collect()
}
