//! What can go wrong while a report is built or written.

use std::path::PathBuf;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An array of pictures has the wrong shape.
    #[error("`{argument}` has shape {got:?}, must be {want}")]
    Shape {
        /// Name of the argument.
        argument: &'static str,
        /// The shape found.
        got: Vec<usize>,
        /// What is allowed.
        want: &'static str,
    },
    /// Two lists that belong together differ in length.
    #[error("`{argument}` has {got} entries, must have {want}")]
    Length {
        /// Name of the argument.
        argument: &'static str,
        /// The length found.
        got: usize,
        /// The length needed.
        want: usize,
    },
    /// A picture has no pixel, or more than can be encoded.
    #[error("a picture of {width} x {height} pixels cannot be made, must be 1 to {limit} each way")]
    PictureSize {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Largest width and height.
        limit: usize,
    },
    /// The PNG encoder refused a picture.
    #[error("the picture could not be encoded as PNG")]
    Png(#[source] image::ImageError),
    /// The page template failed. It is part of the program, so that this is a defect of the program.
    #[error("the report template failed")]
    Template(#[source] minijinja::Error),
    /// A name that is no plain relative path.
    #[error("`{name}` is no file name inside a run folder: {why}")]
    Name {
        /// The name given.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file operation failed.
    #[error("{path}: could not {action}: {source}", path = path.display())]
    File {
        /// What was tried, as in "write" or "rename into place".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder holds a run of other settings.
    #[error(
        "{path} holds {state} run of other settings ({difference}); choose another folder or allow replacing it",
        path = path.display()
    )]
    OtherSettings {
        /// The run folder.
        path: PathBuf,
        /// "a finished" or "an unfinished".
        state: &'static str,
        /// The first line in which the settings differ.
        difference: String,
    },
    /// The folder is not empty and was not made by this program.
    #[error("{path} is not empty and holds no run (no {marker}); choose another folder", path = path.display())]
    ForeignFolder {
        /// The folder.
        path: PathBuf,
        /// The file that every run folder has.
        marker: &'static str,
    },
    /// Another process works in the folder.
    #[error("{path} is in use by another run", path = path.display())]
    InUse {
        /// The run folder.
        path: PathBuf,
    },
    /// A metrics file could not be read.
    #[error("metrics: {what}")]
    Metrics {
        /// What is wrong with it.
        what: String,
    },
}
