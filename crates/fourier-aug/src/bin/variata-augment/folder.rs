//! Pictures of every image of a folder.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use ndarray::Array3;
use variata_fourier_aug::write_png;

use crate::files;

/// Makes `count` pictures of every image, goes on where one cannot be read or used, and tells what was done; stops where a picture cannot be
/// written.
///
/// `make` gets the image, its place in the folder and the picture's number, by which `ending` goes: the rest of the picture's name is the
/// image's.
pub(crate) fn each(
    input: &Path,
    output: &Path,
    (count, ending): (usize, impl Fn(usize) -> String),
    mut make: impl FnMut(&Array3<u8>, usize, usize) -> Result<Array3<u8>>,
) -> Result<()> {
    let listed = files::list(input)?;
    std::fs::create_dir_all(output).with_context(|| format!("cannot make {}", output.display()))?;
    let same = input.canonicalize().ok().zip(output.canonicalize().ok()).is_some_and(|(a, b)| a == b);
    ensure!(!same, "{} is both input and output: the images there would be replaced", input.display());
    let mut stems = HashMap::new();
    for path in &listed {
        if let Some(other) = stems.insert(path.file_stem(), path) {
            bail!("{} and {} would become one file", other.display(), path.display());
        }
    }
    let (mut written, mut left_out) = (0, 0);
    'images: for (index, path) in listed.iter().enumerate() {
        let mut leave_out = |error: anyhow::Error| {
            eprintln!("left out: {error:#}");
            left_out += 1;
        };
        let image = match files::read(path) {
            Ok(image) => image,
            Err(error) => {
                leave_out(error);
                continue;
            }
        };
        for number in 0..count {
            let made = make(&image, index, number).with_context(|| format!("cannot use {}", path.display()));
            let picture = match made {
                Ok(picture) => picture,
                Err(error) => {
                    leave_out(error);
                    continue 'images;
                }
            };
            // Joined as the system has it: a name need not be text, and two of those may look alike.
            let mut name = path.file_stem().unwrap_or_default().to_os_string();
            name.push(ending(number));
            write_png(output.join(name), &picture)?;
            written += 1;
        }
    }
    println!("{written} files in {}; {left_out} left out", output.display());
    ensure!(written > 0, "no image of {} can be used", input.display());
    Ok(())
}
