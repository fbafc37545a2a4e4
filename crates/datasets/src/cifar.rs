//! The binary files of CIFAR-10 and CIFAR-100: records of labels and 32×32 pixels, plane after plane.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ndarray::Array4;

use crate::error::no_pipe;
use crate::{Error, ImageDataset};

/// Pixels along a side, and bytes of an image.
pub(crate) const SIDE: usize = 32;
pub(crate) const PIXELS: usize = 3 * SIDE * SIDE;
/// Most bytes of one file, some ten times those of the authors' largest.
const LARGEST: usize = 1 << 31;

pub(crate) const CIFAR10_CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// How a data set lies in its folder.
struct Layout {
    name: &'static str,
    train: &'static [&'static str],
    test: &'static str,
    /// Bytes before the pixels, the last of which is the label.
    labels: usize,
    classes: usize,
}

const CIFAR10: Layout = Layout {
    name: "cifar10",
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: "test_batch.bin",
    labels: 1,
    classes: 10,
};
const CIFAR100: Layout =
    Layout { name: "cifar100", train: &["train.bin"], test: "test.bin", labels: 2, classes: 100 };

/// Reads CIFAR-10 in its binary version: `data_batch_1.bin` to `data_batch_5.bin`, and `test_batch.bin` as the official test part.
/// Source: A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009.
///
/// # Errors
/// [`Error::NotFound`] for a missing file, [`Error::Truncated`] for one that does not end with a record, [`Error::Argument`]
/// for one of more than 2³¹ bytes, [`Error::Label`], and [`Error::Io`].
///
/// ```no_run
/// let data = variata_datasets::read_cifar10("data/cifar-10-batches-bin")?;
/// assert_eq!(data.image_shape(), [3, 32, 32]);
/// # Ok::<(), variata_datasets::Error>(())
/// ```
pub fn read_cifar10(folder: impl AsRef<Path>) -> Result<ImageDataset, Error> {
    read(folder.as_ref(), &CIFAR10)?.with_class_names(CIFAR10_CLASSES)
}

/// Reads CIFAR-100 in its binary version with its fine labels: `train.bin`, and `test.bin` as the official test part. Classes have
/// the names of `fine_label_names.txt` where it is there.
///
/// # Errors
/// As [`read_cifar10`]; [`Error::ClassNames`] for a file of names that has not one for each class.
pub fn read_cifar100(folder: impl AsRef<Path>) -> Result<ImageDataset, Error> {
    let data = read(folder.as_ref(), &CIFAR100)?;
    let file = folder.as_ref().join("fine_label_names.txt");
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            let names: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            match (names.len(), data.classes()) {
                (found, classes) if found != classes => Err(Error::ClassNames { file, found, classes }),
                _ => data.with_class_names(names),
            }
        }
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(data),
        Err(source) => Err(Error::Io { file, action: "read", source }),
    }
}

fn read(folder: &Path, layout: &Layout) -> Result<ImageDataset, Error> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for name in layout.train {
        records(&folder.join(name), layout, &mut pixels, &mut labels)?;
    }
    let first = labels.len();
    records(&folder.join(layout.test), layout, &mut pixels, &mut labels)?;
    let n = labels.len();
    let images = Array4::from_shape_vec((n, 3, SIDE, SIDE), pixels)
        .map_err(|_| Error::argument("images", n, "whole images"))?;
    ImageDataset::new(layout.name, images, labels, layout.classes, 255)?.with_official_test(first..n)
}

/// Appends the pixels and the labels of a file.
fn records(path: &Path, layout: &Layout, pixels: &mut Vec<u8>, labels: &mut Vec<u8>) -> Result<(), Error> {
    let failed = |action| move |source| Error::Io { file: path.to_path_buf(), action, source };
    no_pipe(path)?;
    let file = File::open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::NotFound {
            path: path.to_path_buf(),
            hint: format!("the binary version of {} has it", layout.name),
        },
        _ => failed("open")(source),
    })?;
    let mut bytes = Vec::new();
    file.take(LARGEST as u64 + 1).read_to_end(&mut bytes).map_err(failed("read"))?;
    if bytes.len() > LARGEST {
        return Err(Error::argument("file", path.display(), format!("at most {LARGEST} bytes long")));
    }
    let size = layout.labels + PIXELS;
    let rest = bytes.len() % size;
    if bytes.is_empty() || rest != 0 {
        return Err(Error::Truncated {
            file: path.to_path_buf(),
            offset: (bytes.len() - rest) as u64,
            expected: size as u64,
            found: rest as u64,
        });
    }
    for (index, record) in bytes.chunks_exact(size).enumerate() {
        let label = record[layout.labels - 1];
        if usize::from(label) >= layout.classes {
            let offset = (index * size + layout.labels - 1) as u64;
            let (file, classes) = (path.to_path_buf(), layout.classes);
            return Err(Error::Label { file, offset, index, label: label.into(), classes });
        }
        labels.push(label);
        pixels.extend_from_slice(&record[layout.labels..]);
    }
    Ok(())
}
