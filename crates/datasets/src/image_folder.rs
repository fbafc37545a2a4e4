//! Folders of photographs: JPEG and PNG files of any size.

use std::fs;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageFormat, ImageReader};
use ndarray::Array4;

use crate::{Error, ImageDataset};

/// What to do about files that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Unreadable {
    /// Nothing is read; the error lists them all.
    #[default]
    Refuse,
    /// They are left out and listed beside the images.
    Skip,
}

/// How the files of [`read_image_folder`] become images of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct ImageFolderOptions {
    /// Rows, 1 to 4096.
    pub height: usize,
    /// Columns, 1 to 4096.
    pub width: usize,
    /// One channel of luma (Rec. 709) in place of red, green and blue.
    pub grayscale: bool,
    /// What to do about files that cannot be read.
    pub unreadable: Unreadable,
}

impl Default for ImageFolderOptions {
    /// 64 × 64 in colour; unreadable files are refused.
    fn default() -> Self {
        Self { height: 64, width: 64, grayscale: false, unreadable: Unreadable::default() }
    }
}

/// Images read from a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFolder {
    /// The images.
    pub dataset: ImageDataset,
    /// The file of each image.
    pub files: Vec<PathBuf>,
    /// Files that were left out, and why.
    pub skipped: Vec<(PathBuf, String)>,
}

/// Reads all `.jpg`, `.jpeg` and `.png` files of a folder, in the order of their names, on all cores.
///
/// Each is cropped around its centre to the wanted ratio of sides and then resized (triangle filter, averaging where it
/// shrinks). Transparency is dropped and EXIF rotation ignored. Where the folder has folders with such files, each is a class
/// and files beside them are refused; else all are of one class. What begins with a dot is passed over.
///
/// ```no_run
/// use variata_datasets::{ImageFolderOptions, Unreadable, read_image_folder};
///
/// let options = ImageFolderOptions { height: 64, width: 64, grayscale: false, unreadable: Unreadable::Skip };
/// let found = read_image_folder("photographs", &options)?;
/// println!("{} images, {} files left out", found.dataset.len(), found.skipped.len());
/// # Ok::<(), variata_datasets::Error>(())
/// ```
///
/// # Errors
/// [`Error::NotFound`] for a missing folder, [`Error::NoImages`] for one without any; [`Error::Unreadable`] where files cannot be read and are
/// not to be skipped, or none can; [`Error::Argument`] for a class of which none can, images beside folders of images, a size
/// outside 1 to 4096, more than 256 classes, or images that do not fit in memory.
pub fn read_image_folder(
    folder: impl AsRef<Path>,
    options: &ImageFolderOptions,
) -> Result<ImageFolder, Error> {
    let folder = folder.as_ref();
    let ImageFolderOptions { height, width, grayscale, unreadable } = *options;
    for (argument, value) in [("height", height), ("width", width)] {
        if !(1..=4096).contains(&value) {
            return Err(Error::argument(argument, value, "1 to 4096"));
        }
    }
    let (classes, listed) = listed(folder)?;
    let read = decoded(&listed, |file| decode(file, options));
    let (mut files, mut labels, mut pixels, mut skipped) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let channels = if grayscale { 1 } else { 3 };
    for ((file, label), found) in listed.into_iter().zip(read) {
        match found {
            Ok(image) => {
                pixels.push(image);
                labels.push(label);
                files.push(file);
            }
            Err(reason) => skipped.push((file, reason)),
        }
    }
    if files.is_empty() || (unreadable == Unreadable::Refuse && !skipped.is_empty()) {
        return Err(Error::Unreadable { files: skipped });
    }
    let emptied = classes.iter().enumerate().find(|(class, _)| !labels.contains(&(*class as u8)));
    if let Some((_, class)) = emptied {
        return Err(Error::argument("class", class, "one with a file that can be read, or no folder"));
    }
    let mut all = Vec::new();
    if all.try_reserve_exact(pixels.len().saturating_mul(channels * height * width)).is_err() {
        let must = "few and small enough to fit in memory";
        return Err(Error::argument("images", files.len(), must));
    }
    // Each image is freed as soon as it is copied.
    for image in pixels {
        all.extend(image);
    }
    let images = Array4::from_shape_vec((files.len(), channels, height, width), all)
        .map_err(|error| Error::argument("images", files.len(), error.to_string()))?;
    let name = folder.file_name().map_or_else(|| "images".into(), |name| name.to_string_lossy());
    let dataset =
        ImageDataset::new(name, images, labels, classes.len(), u8::MAX)?.with_class_names(classes)?;
    Ok(ImageFolder { dataset, files, skipped })
}

/// Bytes of a file that is taken for an image.
const LARGEST: u64 = 1 << 29;

/// Names of the classes, and the files with their classes, sorted.
fn listed(folder: &Path) -> Result<(Vec<String>, Vec<(PathBuf, u8)>), Error> {
    let (own, mut folders) = entries(folder)?;
    folders.sort();
    let mut classes = Vec::new();
    let mut files = Vec::new();
    for class in folders {
        let (inside, _) = entries(&class)?;
        if inside.is_empty() {
            continue;
        }
        let label = u8::try_from(classes.len())
            .map_err(|_| Error::argument("folder", folder.display(), "a folder of at most 256 classes"))?;
        classes.push(class.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()));
        files.extend(inside.into_iter().map(|file| (file, label)));
    }
    if let (Some(file), false) = (own.first(), classes.is_empty()) {
        let must = "in the folder of its class: there are folders of images beside it";
        return Err(Error::argument("file", file.display(), must));
    }
    if classes.is_empty() {
        classes.push("image".to_owned());
        files.extend(own.into_iter().map(|file| (file, 0)));
    }
    if files.is_empty() {
        let hint = "give a folder that holds .jpg, .jpeg or .png files, or folders of them".to_owned();
        return Err(Error::NoImages { folder: folder.to_path_buf(), hint });
    }
    Ok((classes, files))
}

/// Image files, sorted, and folders of a folder.
fn entries(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Error> {
    let refused = |source| Error::Io { file: folder.to_path_buf(), action: "list", source };
    if !folder.exists() {
        let hint = "give a folder that exists".to_owned();
        return Err(Error::NotFound { path: folder.to_path_buf(), hint });
    }
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        if path.is_dir() {
            folders.push(path);
        } else if matches!(ending.as_deref(), Some("jpg" | "jpeg" | "png")) {
            files.push(path);
        }
    }
    files.sort();
    Ok((files, folders))
}

/// The bytes of each file's image, plane after plane, or why there are none; on all cores, in the order of the files.
fn decoded(
    files: &[(PathBuf, u8)],
    decode: impl Fn(&Path) -> Result<Vec<u8>, String> + Sync,
) -> Vec<Result<Vec<u8>, String>> {
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from).min(files.len());
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((file, _)) = files.get(at) else { return done };
            // A decoder that panics has failed with this file and no other.
            let image = catch_unwind(AssertUnwindSafe(|| decode(file)));
            done.push((at, image.unwrap_or_else(|_| Err("the decoder panicked".to_owned()))));
        }
    };
    let mut all: Vec<(usize, Result<Vec<u8>, String>)> = thread::scope(|scope| {
        // Where the system gives fewer threads, there are fewer.
        let spawned = (1..workers).map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok());
        let handles: Vec<_> = spawned.collect();
        let mut done = work();
        for handle in handles {
            done.extend(handle.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, image)| image).collect()
}

fn decode(file: &Path, options: &ImageFolderOptions) -> Result<Vec<u8>, String> {
    let found = fs::metadata(file).map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("it is no regular file".to_owned());
    }
    if found.len() > LARGEST {
        return Err(format!("it has {} bytes, more than {LARGEST}", found.len()));
    }
    let bytes = fs::read(file).map_err(|error| error.to_string())?;
    let reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format();
    let reader = reader.map_err(|error| error.to_string())?;
    // The decoder fills up what is missing with grey.
    if reader.format() == Some(ImageFormat::Jpeg) && !variata_files::is_whole_jpeg(&bytes) {
        return Err("it ends too early: its end marker, FF D9, is missing".to_owned());
    }
    let image = reader.decode().map_err(|error| error.to_string())?;
    Ok(fitted(&image, options))
}

/// Cropped around the centre, and resized; plane after plane.
fn fitted(image: &DynamicImage, options: &ImageFolderOptions) -> Vec<u8> {
    let (height, width) = (options.height as u64, options.width as u64);
    let (rows, columns) = (u64::from(image.height()), u64::from(image.width()));
    // The largest part with the wanted ratio of sides.
    let (rows_kept, columns_kept) = if columns * height >= rows * width {
        (rows, (rows * width / height).max(1))
    } else {
        ((columns * height / width).max(1), columns)
    };
    let at = |all: u64, kept: u64| ((all - kept) / 2) as u32;
    let part =
        image.crop_imm(at(columns, columns_kept), at(rows, rows_kept), columns_kept as u32, rows_kept as u32);
    let (width, height) = (width as u32, height as u32);
    if options.grayscale {
        return imageops::resize(&part.to_luma8(), width, height, FilterType::Triangle).into_raw();
    }
    let pixels = imageops::resize(&part.to_rgb8(), width, height, FilterType::Triangle).into_raw();
    (0..3).flat_map(|channel| pixels.iter().copied().skip(channel).step_by(3)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_that_panics_has_failed_with_one_file() {
        let files: Vec<_> = (0..40).map(|i| (PathBuf::from(format!("{i}.png")), 0)).collect();
        let decode = |file: &Path| {
            let name = file.to_string_lossy().into_owned();
            assert!(!name.starts_with('7'), "no picture");
            Ok(name.into_bytes())
        };
        for (i, image) in decoded(&files, decode).into_iter().enumerate() {
            match image {
                Ok(bytes) => assert_eq!(bytes, format!("{i}.png").into_bytes()),
                Err(reason) => assert!(i == 7 && reason == "the decoder panicked", "{i}: {reason}"),
            }
        }
    }
}
