//! Folders of four IDX files, as MNIST and its successors are distributed.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ndarray::{Array4, ArrayD, Axis, Ix1, Ix4, concatenate};

use crate::idx::read_idx;
use crate::{Error, ImageDataset};

/// Where Debian's package puts Fashion-MNIST.
pub const FASHION_MNIST_FOLDER: &str = "/usr/share/datasets/fashion-mnist";

/// The name of that package.
pub const FASHION_MNIST_PACKAGE: &str = "dataset-fashion-mnist";

/// Reads `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, and `t10k-…` behind them where they exist, from a
/// folder. Each name may have a dot in place of its second hyphen (`train-images.idx3-ubyte`) and `.gz` at its end;
/// whether a file is compressed is decided by its content.
///
/// The images of `t10k` become the official test part, [`ImageDataset::official_test`]. Images have three axes
/// `[n, height, width]` or four `[n, channels, height, width]`; white is 255. `classes: None` takes one class more
/// than the largest label of the training part.
///
/// # Errors
/// [`Error::NotFound`] for a missing folder or file; [`Error::Rank`], [`Error::Mismatch`], [`Error::Label`] and the
/// errors of [`read_idx`].
///
/// ```no_run
/// let mnist = variata_datasets::read_idx_folder("mnist", "data/mnist", Some(10))?;
/// # Ok::<(), variata_datasets::Error>(())
/// ```
pub fn read_idx_folder(
    name: &str,
    folder: impl AsRef<Path>,
    classes: Option<usize>,
) -> Result<ImageDataset, Error> {
    let folder = folder.as_ref();
    let pair = |part: &str| {
        Ok::<_, Error>((
            find(folder, &format!("{part}-images"), "idx3-ubyte")?,
            find(folder, &format!("{part}-labels"), "idx1-ubyte")?,
        ))
    };
    let missing = |file: &str| Error::NotFound {
        path: folder.join(file),
        hint: "a plain, a `.gz` and a dotted name (`.idx` in place of `-idx`) were tried".to_owned(),
    };
    let train = match pair("train")? {
        (Some(images), Some(labels)) => Pair::read(&images, &labels)?,
        (None, _) => return Err(missing("train-images-idx3-ubyte")),
        (_, None) => return Err(missing("train-labels-idx1-ubyte")),
    };
    let test = match pair("t10k")? {
        (Some(images), Some(labels)) => Some(Pair::read(&images, &labels)?),
        (None, None) => None,
        (None, _) => return Err(missing("t10k-images-idx3-ubyte")),
        (_, None) => return Err(missing("t10k-labels-idx1-ubyte")),
    };
    assemble(name, train, test, classes, 255)
}

/// Whether a folder has a file that [`read_idx_folder`] would read.
pub(crate) fn holds_idx(folder: &Path) -> Result<bool, Error> {
    let images = find(folder, "train-images", "idx3-ubyte")?;
    Ok(images.is_some() || find(folder, "train-labels", "idx1-ubyte")?.is_some())
}

/// The file of one part under any of its usual names.
fn find(folder: &Path, stem: &str, kind: &str) -> Result<Option<PathBuf>, Error> {
    for name in [
        format!("{stem}-{kind}"),
        format!("{stem}.{kind}"),
        format!("{stem}-{kind}.gz"),
        format!("{stem}.{kind}.gz"),
    ] {
        let path = folder.join(name);
        // `exists` would take a folder that may not be entered for an empty one.
        match fs::metadata(&path) {
            // Archives are unpacked into folders of their names.
            Ok(found) if !found.is_dir() => return Ok(Some(path)),
            Ok(_) => {}
            Err(source) if source.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(Error::Io { file: path, action: "look for", source }),
        }
    }
    Ok(None)
}

/// Images and labels that belong together, with the names of their files for errors.
#[derive(Debug)]
pub(crate) struct Pair {
    image_file: PathBuf,
    images: Array4<u8>,
    channels_in_file: bool,
    label_file: PathBuf,
    labels: Vec<u8>,
}

impl Pair {
    fn read(images: &Path, labels: &Path) -> Result<Self, Error> {
        Self::new(images, read_idx(images)?, labels, read_idx(labels)?)
    }

    pub(crate) fn new(
        image_file: &Path,
        images: ArrayD<u8>,
        label_file: &Path,
        labels: ArrayD<u8>,
    ) -> Result<Self, Error> {
        let rank = |file: &Path, expected, found| Error::Rank {
            file: file.to_path_buf(),
            offset: 3,
            expected,
            found,
        };
        let found = images.ndim();
        let channels_in_file = found != 3;
        let images = if found == 3 { images.insert_axis(Axis(1)) } else { images };
        let images = images.into_dimensionality::<Ix4>().map_err(|_| rank(image_file, "3 or 4", found))?;
        let found = labels.ndim();
        let labels = labels.into_dimensionality::<Ix1>().map_err(|_| rank(label_file, "1", found))?;
        if images.len_of(Axis(0)) != labels.len() {
            return Err(Error::Mismatch {
                file: label_file.to_path_buf(),
                offset: 4,
                what: "number of labels",
                reference: image_file.to_path_buf(),
                expected: images.len_of(Axis(0)),
                found: labels.len(),
            });
        }
        Ok(Self {
            image_file: image_file.to_path_buf(),
            images,
            channels_in_file,
            label_file: label_file.to_path_buf(),
            labels: labels.iter().copied().collect(),
        })
    }

    /// Where the image file has the length of an axis of `[n, channels, height, width]`. A file of three axes says at
    /// byte 3, where it says that they are three, that there is one channel.
    fn offset(&self, axis: usize) -> u64 {
        match (self.channels_in_file, axis) {
            (true, axis) => 4 + 4 * axis as u64,
            (false, 1) => 3,
            (false, axis) => 4 + 4 * axis.saturating_sub(1) as u64,
        }
    }

    fn check_labels(&self, classes: usize) -> Result<(), Error> {
        match self.labels.iter().position(|&label| label as usize >= classes) {
            None => Ok(()),
            Some(index) => Err(Error::Label {
                file: self.label_file.clone(),
                offset: 8 + index as u64,
                index,
                label: self.labels[index].into(),
                classes,
            }),
        }
    }
}

/// Puts the test part behind the training part.
pub(crate) fn assemble(
    name: &str,
    train: Pair,
    test: Option<Pair>,
    classes: Option<usize>,
    max_value: u8,
) -> Result<ImageDataset, Error> {
    let classes = classes.unwrap_or_else(|| train.labels.iter().max().map_or(0, |&m| m as usize + 1));
    train.check_labels(classes)?;
    let Some(test) = test else {
        return ImageDataset::new(name, train.images, train.labels, classes, max_value);
    };
    test.check_labels(classes)?;
    for (axis, what) in [(1, "number of channels"), (2, "height"), (3, "width")] {
        let (expected, found) = (train.images.len_of(Axis(axis)), test.images.len_of(Axis(axis)));
        if expected != found {
            return Err(Error::Mismatch {
                offset: test.offset(axis),
                file: test.image_file,
                what,
                reference: train.image_file,
                expected,
                found,
            });
        }
    }
    let first = train.labels.len();
    let images = concatenate(Axis(0), &[train.images.view(), test.images.view()]).map_err(|_| {
        Error::argument("images", format!("{:?}", train.images.shape()), "small enough to be one array")
    })?;
    let mut labels = train.labels;
    labels.extend(test.labels);
    let n = labels.len();
    ImageDataset::new(name, images, labels, classes, max_value)?.with_official_test(first..n)
}
