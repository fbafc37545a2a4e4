//! Images in files.

use std::ffi::OsStr;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use ndarray::Array3;

/// PNG and JPEG files of a folder, by name.
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
        let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
        if ["png", "jpg", "jpeg"].contains(&ending.as_str()) && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    ensure!(
        !found.is_empty(),
        "{} holds no PNG or JPEG file; folders in it are not looked into",
        folder.display()
    );
    Ok(found)
}

/// Pixels [height, width, 1 or 3], upright as EXIF says; transparency is dropped.
pub(crate) fn read(path: &Path) -> Result<Array3<u8>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let image = decoded(&bytes).with_context(|| format!("cannot read {}", path.display()))?;
    let (width, height) = (image.width() as usize, image.height() as usize);
    let grey = !image.color().has_color();
    let (channels, pixels) =
        if grey { (1, image.into_luma8().into_raw()) } else { (3, image.into_rgb8().into_raw()) };
    Array3::from_shape_vec((height, width, channels), pixels)
        .with_context(|| format!("{}: an odd number of pixels", path.display()))
}

/// What the bytes are is told by their beginning, not by the file's name.
fn decoded(bytes: &[u8]) -> Result<DynamicImage> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    // The decoder fills up what is missing with grey.
    let whole = reader.format() != Some(ImageFormat::Jpeg) || variata_files::is_whole_jpeg(bytes);
    ensure!(whole, "it ends too early: its end marker, FF D9, is missing");
    let mut decoder = reader.into_decoder()?;
    // As `decode` does, which says nothing of the orientation.
    let mut limits = Limits::default();
    limits.reserve(decoder.total_bytes())?;
    decoder.set_limits(limits)?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}
