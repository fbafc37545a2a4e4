//! Parts of npy files, the format of NumPy's arrays, versions 1.0 to 3.0.
//! Source: NumPy's documentation of `numpy.lib.format`.
//!
//! No library, because npyz takes as much memory as a damaged header says it has bytes, up to 4 GiB, and faults here have their place in the file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::error::no_pipe;
use crate::{Error, MAX_IDX_BYTES};

const MAGIC: &[u8] = b"\x93NUMPY";
/// Most bytes of a header; NumPy's own of plain arrays have some hundred.
const LONGEST: u64 = 1 << 16;

/// What is wrong with an npy file, in [`Error::Npy`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NpyFault {
    /// The first six bytes are others.
    #[error("not an npy file")]
    Magic,
    /// Neither 1.0 nor 2.0 nor 3.0.
    #[error("version {}.{}, must be 1.0, 2.0 or 3.0", .0[0], .0[1])]
    Version([u8; 2]),
    /// The header has more than 65,536 bytes.
    #[error("a header of {0} bytes, must be at most 65536")]
    LongHeader(u64),
    /// The header is no dictionary of exactly `descr` (a text), `fortran_order` and `shape`.
    #[error("the header is none of an array of numbers")]
    Header,
    /// The first index runs fastest.
    #[error("Fortran order, must be C order")]
    FortranOrder,
    /// The elements have a type that cannot be used here.
    #[error("elements of type {found:?}, must be {expected}")]
    ElementType {
        /// NumPy's name of the type in the file.
        found: String,
        /// The types that can be used.
        expected: &'static str,
    },
    /// The lengths of the axes.
    #[error("shape {found:?}, must be {expected}")]
    Shape {
        /// The shape in the file.
        found: Vec<usize>,
        /// What it must be.
        expected: String,
    },
}

/// A file whose header was read, and that is as long as it says.
#[derive(Debug)]
pub(crate) struct Npy {
    path: PathBuf,
    file: File,
    /// Where the elements begin.
    start: u64,
    /// Bytes of an element.
    size: u64,
    shape: Vec<usize>,
}

impl Npy {
    /// `types` are those that can be used, with their bytes; `hint` says where a missing file comes from.
    pub(crate) fn open(
        path: &Path,
        types: &[(&str, u64)],
        named: &'static str,
        hint: &str,
    ) -> Result<Self, Error> {
        let failed = |action| move |source| Error::Io { file: path.to_path_buf(), action, source };
        no_pipe(path)?;
        let mut file = File::open(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => {
                Error::NotFound { path: path.to_path_buf(), hint: hint.to_owned() }
            }
            _ => failed("open")(source),
        })?;
        let length = file.seek(SeekFrom::End(0)).map_err(failed("inspect"))?;
        file.rewind().map_err(failed("read"))?;
        let fault = |offset, fault| Error::Npy { file: path.to_path_buf(), offset, fault };
        let mut part = |offset, n| {
            let mut bytes = Vec::new();
            file.by_ref().take(n).read_to_end(&mut bytes).map_err(failed("read"))?;
            if offset == 0 && !MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())]) {
                return Err(fault(0, NpyFault::Magic));
            }
            whole(path, offset, n, bytes)
        };
        let first = part(0, 8)?;
        let wide = match first[MAGIC.len()..] {
            [1, 0] => 2,
            [2 | 3, 0] => 4,
            [major, minor] => return Err(fault(6, NpyFault::Version([major, minor]))),
            _ => return Err(fault(0, NpyFault::Magic)),
        };
        let announced = part(8, wide)?.iter().rev().fold(0, |n, &byte| n << 8 | u64::from(byte));
        if announced > LONGEST {
            return Err(fault(8, NpyFault::LongHeader(announced)));
        }
        let offset = 8 + wide;
        let text = part(offset, announced)?;
        let header = std::str::from_utf8(&text).ok().and_then(Header::parse);
        let Header { element, fortran, shape } = header.ok_or_else(|| fault(offset, NpyFault::Header))?;
        if fortran {
            return Err(fault(offset, NpyFault::FortranOrder));
        }
        let Some(&(_, size)) = types.iter().find(|(name, _)| *name == element) else {
            let found = element.to_owned();
            return Err(fault(offset, NpyFault::ElementType { found, expected: named }));
        };
        // As many bytes as the header says; a length of 0 makes no other one harmless.
        let limit = MAX_IDX_BYTES;
        let announced = shape.iter().try_fold(size, |n, &axis| n.checked_mul(axis.max(1) as u64));
        if announced.is_none_or(|n| n > limit || usize::try_from(n).is_err()) {
            return Err(Error::TooLarge { file: path.to_path_buf(), offset, shape, limit });
        }
        let expected = shape.iter().fold(size, |n, &axis| n * axis as u64);
        let start = offset + text.len() as u64;
        let found = length.saturating_sub(start);
        if found < expected {
            return Err(Error::Truncated { file: path.to_path_buf(), offset: start, expected, found });
        }
        if found > expected {
            return Err(Error::TrailingBytes { file: path.to_path_buf(), offset: start + expected, shape });
        }
        Ok(Self { path: path.to_path_buf(), file, start, size, shape })
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Bytes of an element.
    pub(crate) fn size(&self) -> usize {
        self.size as usize
    }

    /// Where the element of this number lies.
    pub(crate) fn offset(&self, element: usize) -> u64 {
        self.start + element as u64 * self.size
    }

    /// The error of a shape that cannot be used.
    pub(crate) fn wrong_shape(&self, expected: impl Into<String>) -> Error {
        let fault = NpyFault::Shape { found: self.shape.clone(), expected: expected.into() };
        Error::Npy { file: self.path.clone(), offset: 8, fault }
    }

    /// The bytes of `count` elements from element `first` on; nothing else is read.
    pub(crate) fn read(&mut self, first: usize, count: usize) -> Result<Vec<u8>, Error> {
        let failed = |source| Error::Io { file: self.path.clone(), action: "read", source };
        let (offset, n) = (self.offset(first), count as u64 * self.size);
        self.file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let mut bytes = Vec::new();
        self.file.by_ref().take(n).read_to_end(&mut bytes).map_err(failed)?;
        whole(&self.path, offset, n, bytes)
    }
}

/// The bytes, of which there must be `expected`.
fn whole(path: &Path, offset: u64, expected: u64, bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
    let found = bytes.len() as u64;
    if found == expected {
        Ok(bytes)
    } else {
        Err(Error::Truncated { file: path.to_path_buf(), offset, expected, found })
    }
}

/// What a header says.
struct Header<'t> {
    element: &'t str,
    fortran: bool,
    shape: Vec<usize>,
}

impl<'t> Header<'t> {
    /// A dictionary as Python writes it: its three entries in any order, each once.
    fn parse(text: &'t str) -> Option<Self> {
        let mut text = Text(text);
        let (mut element, mut fortran, mut shape) = (None, None, None);
        text.eat("{")?;
        while text.eat("}").is_none() {
            let key = text.string()?;
            text.eat(":")?;
            let twice = match key {
                "descr" => element.replace(text.string()?).is_some(),
                "fortran_order" => fortran.replace(text.truth()?).is_some(),
                "shape" => shape.replace(text.tuple()?).is_some(),
                _ => true,
            };
            if twice {
                return None;
            }
            if text.eat(",").is_none() {
                text.eat("}")?;
                break;
            }
        }
        let header = Self { element: element?, fortran: fortran?, shape: shape? };
        text.0.trim_ascii().is_empty().then_some(header)
    }
}

/// What is left of a header.
struct Text<'t>(&'t str);

impl<'t> Text<'t> {
    fn eat(&mut self, token: &str) -> Option<()> {
        self.0 = self.0.trim_ascii_start().strip_prefix(token)?;
        Some(())
    }

    fn string(&mut self) -> Option<&'t str> {
        let quote = ["'", "\""].into_iter().find(|quote| self.eat(quote).is_some())?;
        let (inside, rest) = self.0.split_once(quote)?;
        self.0 = rest;
        Some(inside)
    }

    fn truth(&mut self) -> Option<bool> {
        if self.eat("True").is_some() { Some(true) } else { self.eat("False").map(|()| false) }
    }

    fn tuple(&mut self) -> Option<Vec<usize>> {
        let mut numbers = Vec::new();
        self.eat("(")?;
        while self.eat(")").is_none() {
            let text = self.0.trim_ascii_start();
            let (digits, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
            numbers.push(digits.parse().ok()?);
            // Python 2 wrote an L behind long numbers.
            self.0 = rest.strip_prefix('L').unwrap_or(rest);
            if self.eat(",").is_none() {
                self.eat(")")?;
                // One number in parentheses is no tuple.
                return (numbers.len() > 1).then_some(numbers);
            }
        }
        Some(numbers)
    }
}
