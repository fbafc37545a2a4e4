//! Reading.

use std::io::Read;
use std::path::Path;

use ndarray::{ArrayD, IxDyn};

use super::element::IdxElement;
use super::input::Input;
use crate::Error;

/// The largest array that is read, in bytes: 8 GiB. A header that announces more is taken for damaged.
pub const MAX_IDX_BYTES: u64 = 1 << 33;

/// An array of whatever type the file holds.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum IdxArray {
    /// Type `0x08`.
    U8(ArrayD<u8>),
    /// Type `0x09`.
    I8(ArrayD<i8>),
    /// Type `0x0B`.
    I16(ArrayD<i16>),
    /// Type `0x0C`.
    I32(ArrayD<i32>),
    /// Type `0x0D`.
    F32(ArrayD<f32>),
    /// Type `0x0E`.
    F64(ArrayD<f64>),
}

impl IdxArray {
    /// The length of each axis.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::U8(a) => a.shape(),
            Self::I8(a) => a.shape(),
            Self::I16(a) => a.shape(),
            Self::I32(a) => a.shape(),
            Self::F32(a) => a.shape(),
            Self::F64(a) => a.shape(),
        }
    }

    /// Name of the element type, as in "u8".
    pub fn element_type(&self) -> &'static str {
        match self {
            Self::U8(_) => u8::NAME,
            Self::I8(_) => i8::NAME,
            Self::I16(_) => i16::NAME,
            Self::I32(_) => i32::NAME,
            Self::F32(_) => f32::NAME,
            Self::F64(_) => f64::NAME,
        }
    }
}

/// Reads an IDX file whose elements are of type `T`; plain or gzip, told apart by content.
///
/// Memory: a plain file takes at most twice its length; the size that a header announces is compared with the length
/// of the file before anything is reserved. A gzip stream is read only as far as its header announces, plus one byte,
/// in steps that follow what has been decompressed.
///
/// # Errors
/// [`Error::Io`], [`Error::BadMagic`], [`Error::ElementType`], [`Error::TooLarge`], [`Error::Truncated`],
/// [`Error::TrailingBytes`], [`Error::Gzip`].
///
/// ```
/// use variata_datasets::{IdxEncoding, read_idx, write_idx};
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("a.idx.gz");
/// let a = ndarray::arr2(&[[1.5f32, -2.0], [0.0, 3.0]]);
/// write_idx(&path, &a, IdxEncoding::Gzip)?;
/// assert_eq!(read_idx::<f32>(&path)?, a.into_dyn());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_idx<T: IdxElement>(path: impl AsRef<Path>) -> Result<ArrayD<T>, Error> {
    typed(Input::open(path.as_ref())?)
}

/// Reads an IDX file of any element type.
///
/// # Errors
/// As [`read_idx`], without [`Error::ElementType`].
pub fn read_idx_any(path: impl AsRef<Path>) -> Result<IdxArray, Error> {
    any(Input::open(path.as_ref())?)
}

/// Reads IDX content of any element type from a reader; `name` stands for the file in errors.
///
/// # Errors
/// As [`read_idx_any`].
///
/// ```
/// let bytes = [0, 0, 0x08, 1, 0, 0, 0, 3, 7, 8, 9];
/// let array = variata_datasets::read_idx_from("memory", &bytes[..])?;
/// assert_eq!((array.element_type(), array.shape()), ("u8", &[3][..]));
/// # Ok::<(), variata_datasets::Error>(())
/// ```
pub fn read_idx_from(name: impl AsRef<Path>, reader: impl Read) -> Result<IdxArray, Error> {
    any(Input::new(name.as_ref(), reader, None)?)
}

/// Reads typed content that is already in memory.
pub(crate) fn read_idx_bytes<T: IdxElement>(name: &Path, bytes: &[u8]) -> Result<ArrayD<T>, Error> {
    typed(Input::new(name, bytes, Some(bytes.len() as u64))?)
}

fn any<R: Read>(mut input: Input<R>) -> Result<IdxArray, Error> {
    let header = Header::read(&mut input)?;
    Ok(match header.code {
        u8::CODE => IdxArray::U8(header.array(&mut input)?),
        i8::CODE => IdxArray::I8(header.array(&mut input)?),
        i16::CODE => IdxArray::I16(header.array(&mut input)?),
        i32::CODE => IdxArray::I32(header.array(&mut input)?),
        f32::CODE => IdxArray::F32(header.array(&mut input)?),
        // `Header::read` lets only the six codes through.
        _ => IdxArray::F64(header.array(&mut input)?),
    })
}

fn typed<T: IdxElement, R: Read>(mut input: Input<R>) -> Result<ArrayD<T>, Error> {
    let header = Header::read(&mut input)?;
    if header.code != T::CODE {
        return Err(Error::ElementType {
            file: input.file(),
            offset: 2,
            expected: T::NAME,
            found: type_name(header.code).unwrap_or("unknown"),
        });
    }
    header.array(&mut input)
}

fn type_name(code: u8) -> Option<&'static str> {
    Some(match code {
        u8::CODE => u8::NAME,
        i8::CODE => i8::NAME,
        i16::CODE => i16::NAME,
        i32::CODE => i32::NAME,
        f32::CODE => f32::NAME,
        f64::CODE => f64::NAME,
        _ => return None,
    })
}

struct Header {
    code: u8,
    shape: Vec<usize>,
}

impl Header {
    fn read<R: Read>(input: &mut Input<R>) -> Result<Self, Error> {
        let mut found = [0; 4];
        input.exact(&mut found)?;
        let [zero, also_zero, code, rank] = found;
        let wrong = match (zero, also_zero, type_name(code)) {
            (0, 0, Some(_)) => None,
            (0, 0, None) => Some(2),
            (0, _, _) => Some(1),
            _ => Some(0),
        };
        if let Some(offset) = wrong {
            return Err(Error::BadMagic { file: input.file(), offset, found });
        }
        let mut lengths = vec![0; 4 * rank as usize];
        input.exact(&mut lengths)?;
        let shape = lengths.as_chunks().0.iter().map(|b| u32::from_be_bytes(*b) as usize).collect();
        Ok(Self { code, shape })
    }

    fn array<T: IdxElement, R: Read>(self, input: &mut Input<R>) -> Result<ArrayD<T>, Error> {
        let too_large =
            |file| Error::TooLarge { file, offset: 4, shape: self.shape.clone(), limit: MAX_IDX_BYTES };
        // Zero lengths are left out of the product: ndarray, too, needs the product of the others to fit.
        let bytes = self
            .shape
            .iter()
            .filter(|&&n| n != 0)
            .try_fold(size_of::<T>(), |product, &n| product.checked_mul(n))
            .filter(|&bytes| bytes as u64 <= MAX_IDX_BYTES && isize::try_from(bytes).is_ok())
            .ok_or_else(|| too_large(input.file()))?;
        let bytes = if self.shape.contains(&0) { 0 } else { bytes };
        let elements = T::decode(input.take(bytes)?);
        if !input.at_end()? {
            let offset = 4 + 4 * self.shape.len() as u64 + bytes as u64;
            return Err(Error::TrailingBytes { file: input.file(), offset, shape: self.shape });
        }
        ArrayD::from_shape_vec(IxDyn(&self.shape), elements).map_err(|_| too_large(input.file()))
    }
}
