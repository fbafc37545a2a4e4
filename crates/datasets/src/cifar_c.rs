//! CIFAR-10-C and CIFAR-100-C: the test images of CIFAR, corrupted in five severities.

use std::path::Path;

use ndarray::Array4;

use crate::cifar::{CIFAR10_CLASSES, PIXELS, SIDE};
use crate::npy::Npy;
use crate::{Error, ImageDataset};

/// Severities in a file, one behind the other.
const SEVERITIES: usize = 5;

/// The fifteen corruptions that the mean corruption error is taken over, as their files are named.
/// Source: D. Hendrycks & T. Dietterich, *Benchmarking Neural Network Robustness to Common Corruptions and Perturbations*, 2019.
pub const CIFAR_CORRUPTIONS: [&str; 15] = [
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
];

/// Reads one corruption at one severity, 1 to 5, of CIFAR-10-C (10 `classes`) or CIFAR-100-C (100): the official test images
/// in their order, `[n, 3, 32, 32]`, all of them marked as the official test part. The name is as in `cifar10-c-fog-3`.
///
/// The folder holds `CORRUPTION.npy`, bytes of shape `[5·n, 32, 32, 3]`, severity after severity, and `labels.npy`, as many
/// labels in `u8`, or in `i32` or `i64` in little-endian order. Of both files only the part of the severity is read.
///
/// ```no_run
/// use variata_datasets::{CIFAR_CORRUPTIONS, read_corrupted_cifar};
///
/// for corruption in CIFAR_CORRUPTIONS {
///     let data = read_corrupted_cifar("data/CIFAR-10-C", corruption, 3, 10)?;
///     assert_eq!(data.images().shape(), [10_000, 3, 32, 32]);
/// }
/// # Ok::<(), variata_datasets::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for a severity outside 1 to 5, `classes` outside 1 to 256, or a name of other characters than ASCII
/// letters, digits, `_` and `-`; [`Error::NotFound`] for a missing file; [`Error::Npy`], [`Error::Truncated`],
/// [`Error::TrailingBytes`] and [`Error::TooLarge`] for a file that is not as described; [`Error::Mismatch`] for another
/// number of labels than images; [`Error::Label`], and [`Error::Io`].
pub fn read_corrupted_cifar(
    folder: impl AsRef<Path>,
    corruption: &str,
    severity: u8,
    classes: usize,
) -> Result<ImageDataset, Error> {
    let severity = usize::from(severity);
    if !(1..=SEVERITIES).contains(&severity) {
        return Err(Error::argument("severity", severity, "1 to 5"));
    }
    if !(1..=256).contains(&classes) {
        return Err(Error::argument("classes", classes, "1 to 256"));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if corruption.is_empty() || !corruption.chars().all(allowed) {
        let must = "of ASCII letters, digits, `_` and `-`";
        return Err(Error::argument("corruption", format!("{corruption:?}"), must));
    }
    let archive = if classes == 100 { "CIFAR-100-C" } else { "CIFAR-10-C" };
    let hint = format!("the archive {archive} has it");
    let path = folder.as_ref().join(format!("{corruption}.npy"));
    let mut file = Npy::open(&path, &[("|u1", 1)], "\"|u1\"", &hint)?;
    let rows = match *file.shape() {
        [rows, SIDE, SIDE, 3] if rows > 0 && rows % SEVERITIES == 0 => rows,
        _ => return Err(file.wrong_shape("[5·n, 32, 32, 3]")),
    };
    let n = rows / SEVERITIES;
    let first = (severity - 1) * n;
    let labels = labels(&folder.as_ref().join("labels.npy"), &hint, (&path, rows), (first, n), classes)?;
    let pixels = file.read(first * PIXELS, n * PIXELS)?;
    let images = Array4::from_shape_vec((n, SIDE, SIDE, 3), pixels)
        .map_err(|error| Error::argument("images", n, error.to_string()))?
        .permuted_axes([0, 3, 1, 2]);
    let name = format!("cifar{classes}-c-{corruption}-{severity}");
    let data = ImageDataset::new(name, images, labels, classes, u8::MAX)?.with_official_test(0..n)?;
    if classes == CIFAR10_CLASSES.len() { data.with_class_names(CIFAR10_CLASSES) } else { Ok(data) }
}

/// The `n` labels from `first` on, of as many as there are rows in the file of images.
fn labels(
    path: &Path,
    hint: &str,
    (images, rows): (&Path, usize),
    (first, n): (usize, usize),
    classes: usize,
) -> Result<Vec<u8>, Error> {
    let types = [("|u1", 1), ("<i4", 4), ("<i8", 8)];
    let mut file = Npy::open(path, &types, "\"|u1\", \"<i4\" or \"<i8\"", hint)?;
    let [found] = *file.shape() else { return Err(file.wrong_shape("[5·n]")) };
    if found != rows {
        return Err(Error::Mismatch {
            file: path.to_path_buf(),
            offset: 8,
            what: "number of labels",
            reference: images.to_path_buf(),
            expected: rows,
            found,
        });
    }
    let bytes = file.read(first, n)?;
    let labels = bytes.chunks_exact(file.size()).enumerate().map(|(k, bytes)| {
        let label = signed(bytes);
        let known = u8::try_from(label).ok().filter(|&label| usize::from(label) < classes);
        known.ok_or_else(|| Error::Label {
            file: path.to_path_buf(),
            offset: file.offset(first + k),
            index: first + k,
            label,
            classes,
        })
    });
    labels.collect()
}

/// A byte without sign, or a number of more bytes in two's complement, the lowest byte first.
fn signed(bytes: &[u8]) -> i64 {
    let highest = bytes.last().copied().unwrap_or_default();
    let sign = if bytes.len() > 1 && highest > i8::MAX as u8 { -1 } else { 0 };
    bytes.iter().rev().fold(sign, |n, &byte| n << 8 | i64::from(byte))
}
