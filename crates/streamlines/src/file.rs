//! Tractogram files: TRK of TrackVis and TCK of MRtrix.

mod bytes;
mod input;
mod tck;
mod tck_header;
mod trk;
mod trk_header;

use std::io::{Read, Write};
use std::path::Path;

use crate::{Error, Tractogram};
use input::Input;

pub use bytes::ByteOrder;
pub use tck_header::{TckDatatype, TckHeader};
pub use trk_header::TrkHeader;

/// A file format for tractograms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// TrackVis: a header of 1,000 bytes, then each streamline with its number of points, scalars and properties.
    Trk,
    /// MRtrix: a header of text, then points in world coordinates with a delimiter behind each streamline.
    Tck,
}

impl Format {
    /// The format that a file's name asks for, and whether it asks for gzip: `.trk`, `.tck`, `.trk.gz`, `.tck.gz`, in any
    /// case of letters.
    ///
    /// ```
    /// use variata_streamlines::Format;
    ///
    /// assert_eq!(Format::of("sub-1001__AF_L.trk.gz"), Some((Format::Trk, true)));
    /// assert_eq!(Format::of("AF_L.TCK"), Some((Format::Tck, false)));
    /// assert_eq!(Format::of("AF_L.vtk"), None);
    /// ```
    pub fn of(path: impl AsRef<Path>) -> Option<(Self, bool)> {
        let name = path.as_ref().file_name()?.to_string_lossy().to_ascii_lowercase();
        let (name, gzip) = name.strip_suffix(".gz").map_or((&name[..], false), |name| (name, true));
        match name.rsplit_once('.')?.1 {
            "trk" => Some((Self::Trk, gzip)),
            "tck" => Some((Self::Tck, gzip)),
            _ => None,
        }
    }
}

/// What a reader refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// Keep streamlines with coordinates that are NaN or infinite, instead of refusing the file. In TCK, where delimiters are made of
    /// these, a point needs one finite coordinate.
    pub keep_non_finite: bool,
}

impl Tractogram {
    /// Reads a TRK or TCK file, plain or gzip, all told apart by content.
    ///
    /// The file is streamed. A plain one takes no more memory than its points and what its length allows: numbers in
    /// headers are compared with the length before anything is reserved.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Magic`], [`Error::Header`], [`Error::Truncated`], [`Error::TrailingBytes`],
    /// [`Error::Count`], [`Error::NonFinite`], [`Error::Delimiter`], [`Error::Gzip`].
    ///
    /// ```
    /// use variata_streamlines::{Streamlines, Tractogram};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("bundle.trk.gz");
    /// let lines: Streamlines = [vec![[1.0, 2.0, 3.0], [1.5, 2.0, 3.0]]].into_iter().collect();
    /// Tractogram::new(lines.clone()).write(&path)?;
    /// assert_eq!(*Tractogram::read(&path)?.world(), lines);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::read_with(path, ReadOptions::default())
    }

    /// Reads a file as [`read`](Self::read) does, and refuses what the options say.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_with(path: impl AsRef<Path>, options: ReadOptions) -> Result<Self, Error> {
        any(Input::open(path.as_ref())?, options)
    }

    /// Reads a tractogram from a reader; `name` stands for the file in errors.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    ///
    /// ```
    /// use variata_streamlines::{Error, ReadOptions, Tractogram};
    ///
    /// let error = Tractogram::read_from("memory", &b"TRACK"[..], ReadOptions::default()).unwrap_err();
    /// assert!(matches!(error, Error::Truncated { offset: 0, expected: 1000, found: 5, .. }));
    /// ```
    pub fn read_from(name: impl AsRef<Path>, reader: impl Read, options: ReadOptions) -> Result<Self, Error> {
        any(Input::new(name.as_ref(), reader, None)?, options)
    }

    /// Writes a file in the format that its name asks for: `.trk`, `.tck`, and with `.gz` behind it compressed.
    ///
    /// Points that the format keeps in other coordinates are transformed; points that are in the format's own coordinates
    /// are written as they were read, so that a file written by nibabel comes out as the same bytes. The file is written
    /// beside `path`, made durable, and renamed: whoever looks at `path` sees the old file or the whole new one.
    ///
    /// # Errors
    /// [`Error::Extension`], [`Error::Io`], and as [`write_to`](Self::write_to). No temporary file is left.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let (format, gzip) = Format::of(path).ok_or_else(|| Error::Extension { file: path.to_path_buf() })?;
        // Whatever the tractogram itself forbids is found before a file is made.
        let prepared = self.prepared(format)?;
        variata_files::replace_content(path, gzip, |sink| prepared(sink)).map_err(
            |variata_files::Error { action, source }| Error::Io { file: path.to_path_buf(), action, source },
        )
    }

    /// Writes the content of a file to a writer, which should be buffered; `name` stands for the file in errors.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for scalars or properties in a TCK file, [`Error::Name`] for names that a TRK header cannot
    /// hold, [`Error::Argument`] for more streamlines, points or columns than it can count and for an affine that has no
    /// inverse, [`Error::Io`].
    ///
    /// ```
    /// use variata_streamlines::{Format, ReadOptions, Streamlines, Tractogram};
    ///
    /// let lines: Streamlines = [vec![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]].into_iter().collect();
    /// let mut bytes = Vec::new();
    /// Tractogram::new(lines).write_to("memory", &mut bytes, Format::Trk)?;
    /// assert_eq!(bytes.len(), 1000 + 4 + 2 * 12);
    /// # Ok::<(), variata_streamlines::Error>(())
    /// ```
    pub fn write_to(
        &self,
        name: impl AsRef<Path>,
        mut writer: impl Write,
        format: Format,
    ) -> Result<(), Error> {
        let file = name.as_ref();
        self.prepared(format)?(&mut writer).map_err(|source| Error::Io {
            file: file.to_path_buf(),
            action: "write",
            source,
        })
    }

    /// Checks everything that can be wrong with the tractogram; what is left can fail in the writer only.
    fn prepared(
        &self,
        format: Format,
    ) -> Result<Box<dyn Fn(&mut dyn Write) -> std::io::Result<()> + '_>, Error> {
        Ok(match format {
            Format::Trk => {
                let (header, lines) = trk::prepare(self)?;
                Box::new(move |sink| trk::write(self, &header, &lines, sink))
            }
            Format::Tck => {
                let (header, lines) = tck::prepare(self)?;
                Box::new(move |sink| tck::write(self, &header, &lines, sink))
            }
        })
    }
}

fn any<R: Read>(mut input: Input<R>, options: ReadOptions) -> Result<Tractogram, Error> {
    let mut start = [0; tck_header::MAGIC.len()];
    let n = input.peek(&mut start)?;
    let start = &start[..n];
    if start.starts_with(trk_header::MAGIC) {
        trk::read(input, options)
    } else if start == tck_header::MAGIC {
        tck::read(input, options)
    } else {
        Err(Error::Magic { file: input.file(), found: start.to_vec() })
    }
}
