//! Data sets by name.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::digits::SIDE;
use crate::folder::{FASHION_MNIST_FOLDER, FASHION_MNIST_PACKAGE, holds_idx, read_idx_folder};
use crate::image_folder::read_image_folder;
use crate::{
    Error, FaceOptions, ImageDataset, ImageFolder, ImageFolderOptions, digits_of, faces, read_cifar10,
    read_cifar100,
};

const FASHION_MNIST_CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

const KNOWN: &str = "`digits`, `digits:SIZE`, `faces`, `faces:SIZE`, `fashion-mnist`, `fashion-mnist:DIR`, `mnist:DIR`, `cifar10:DIR`, `cifar100:DIR`, or a folder of IDX files or of images";

/// Where images come from, as written on a command line.
///
/// | text | data |
/// |---|---|
/// | `digits` | the 8×8 digits inside the crate, [`digits()`](crate::digits()); `digits:32` for another size, [`digits_of`] |
/// | `faces` | 3,000 cartoon faces of 32×32 pixels, [`faces()`]; `faces:64` for another size |
/// | `fashion-mnist` | Fashion-MNIST where Debian's package puts it, [`FASHION_MNIST_FOLDER`] |
/// | `fashion-mnist:DIR` | Fashion-MNIST in another folder |
/// | `mnist:DIR` | MNIST: ten classes |
/// | `cifar10:DIR`, `cifar100:DIR` | the binary versions of CIFAR, [`read_cifar10`] |
/// | `DIR` | any folder of that layout, whose labels say how many classes; or a folder of JPEG and PNG files, [`read_image_folder`] |
///
/// ```
/// use variata_datasets::Source;
///
/// let data = Source::parse("digits")?.load()?;
/// assert_eq!(data.len(), 1797);
/// # Ok::<(), variata_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// `digits`, with the number of pixels along a side.
    Digits(usize),
    /// `faces`, with the number of pixels along a side.
    Faces(usize),
    /// `fashion-mnist`, with `None` for the folder of the Debian package.
    FashionMnist(Option<PathBuf>),
    /// `mnist:DIR`
    Mnist(PathBuf),
    /// `cifar10:DIR`
    Cifar10(PathBuf),
    /// `cifar100:DIR`
    Cifar100(PathBuf),
    /// `DIR`
    Folder(PathBuf),
}

impl Source {
    /// Reads the text of the table above. Whether a folder exists is found out by [`load`](Self::load).
    ///
    /// # Errors
    /// [`Error::Argument`] for an empty text or a missing folder name.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text.split_once(':') {
            Some(("mnist", folder)) if !folder.is_empty() => Ok(Self::Mnist(folder.into())),
            Some(("cifar10", folder)) if !folder.is_empty() => Ok(Self::Cifar10(folder.into())),
            Some(("cifar100", folder)) if !folder.is_empty() => Ok(Self::Cifar100(folder.into())),
            Some(("fashion-mnist", folder)) if !folder.is_empty() => {
                Ok(Self::FashionMnist(Some(folder.into())))
            }
            Some((name @ ("digits" | "faces"), size)) => match size.parse() {
                Ok(size) if name == "digits" => Ok(Self::Digits(size)),
                Ok(size) => Ok(Self::Faces(size)),
                Err(_) => Err(Error::argument("source", format!("\"{text}\""), KNOWN)),
            },
            _ => match text {
                "digits" => Ok(Self::Digits(SIDE)),
                "faces" => Ok(Self::Faces(FaceOptions::default().size)),
                "fashion-mnist" => Ok(Self::FashionMnist(None)),
                "" | "mnist" | "mnist:" | "fashion-mnist:" | "cifar10" | "cifar10:" | "cifar100"
                | "cifar100:" => Err(Error::argument("source", format!("\"{text}\""), KNOWN)),
                folder => Ok(Self::Folder(folder.into())),
            },
        }
    }

    /// Reads the data set; images of a folder as [`ImageFolderOptions::default`] says.
    ///
    /// # Errors
    /// As [`load_with`](Self::load_with).
    pub fn load(&self) -> Result<ImageDataset, Error> {
        Ok(self.load_with(&ImageFolderOptions::default())?.dataset)
    }

    /// Reads the data set; `images` says what to make of the files of a folder of images. Files are listed for such a folder
    /// alone.
    ///
    /// # Errors
    /// [`Error::NotFound`], which says what to install or to write, and the errors of [`read_idx_folder`] and
    /// [`read_image_folder`]; other options than the default for a folder of IDX files.
    pub fn load_with(&self, images: &ImageFolderOptions) -> Result<ImageFolder, Error> {
        if let Self::Folder(folder) = self {
            let folder = present(folder, format!("known data sets are {KNOWN}"))?;
            if !holds_idx(folder)? {
                return read_image_folder(folder, images);
            }
            if *images != ImageFolderOptions::default() {
                let options = format!("{images:?}");
                return Err(Error::argument(
                    "images",
                    options,
                    "the default: this folder holds IDX files, which have a size",
                ));
            }
        }
        Ok(ImageFolder { dataset: self.load_whole()?, files: Vec::new(), skipped: Vec::new() })
    }

    fn load_whole(&self) -> Result<ImageDataset, Error> {
        match self {
            Self::Digits(size) => digits_of(*size),
            Self::Faces(size) => {
                Ok(faces(&FaceOptions { size: *size, ..FaceOptions::default() })?.into_dataset())
            }
            Self::FashionMnist(folder) => {
                let default = Path::new(FASHION_MNIST_FOLDER);
                let folder = match folder {
                    Some(folder) => {
                        present(folder, "give a folder that holds the four IDX files".to_owned())?
                    }
                    None => present(
                        default,
                        format!(
                            "install it with `apt-get install {FASHION_MNIST_PACKAGE}`, \
                             or give its folder as `fashion-mnist:DIR`"
                        ),
                    )?,
                };
                read_idx_folder("fashion-mnist", folder, Some(10))?.with_class_names(FASHION_MNIST_CLASSES)
            }
            Self::Mnist(folder) => {
                let folder = present(folder, "give a folder that holds the four IDX files".to_owned())?;
                read_idx_folder("mnist", folder, Some(10))
            }
            Self::Cifar10(folder) => read_cifar10(present(folder, cifar_hint())?),
            Self::Cifar100(folder) => read_cifar100(present(folder, cifar_hint())?),
            Self::Folder(folder) => {
                let name = folder.file_name().map_or_else(|| "folder".into(), |n| n.to_string_lossy());
                read_idx_folder(&name, folder, None)
            }
        }
    }
}

fn cifar_hint() -> String {
    "give a folder that holds the files of the binary version".to_owned()
}

fn present(folder: &Path, hint: String) -> Result<&Path, Error> {
    if folder.is_dir() {
        return Ok(folder);
    }
    let path = folder.to_path_buf();
    Err(if folder.exists() {
        Error::Io { file: path, action: "list", source: ErrorKind::NotADirectory.into() }
    } else {
        Error::NotFound { path, hint }
    })
}

impl FromStr for Source {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digits(SIDE) => f.write_str("digits"),
            Self::Digits(size) => write!(f, "digits:{size}"),
            Self::Faces(size) if *size == FaceOptions::default().size => f.write_str("faces"),
            Self::Faces(size) => write!(f, "faces:{size}"),
            Self::FashionMnist(None) => f.write_str("fashion-mnist"),
            Self::FashionMnist(Some(folder)) => write!(f, "fashion-mnist:{}", folder.display()),
            Self::Mnist(folder) => write!(f, "mnist:{}", folder.display()),
            Self::Cifar10(folder) => write!(f, "cifar10:{}", folder.display()),
            Self::Cifar100(folder) => write!(f, "cifar100:{}", folder.display()),
            Self::Folder(folder) => write!(f, "{}", folder.display()),
        }
    }
}
