//! The six element types of the format.

mod sealed {
    pub trait Sealed {}
}

/// A type of element that IDX files hold: `u8`, `i8`, `i16`, `i32`, `f32` or `f64`.
///
/// Sealed: the format has no others.
pub trait IdxElement: sealed::Sealed + Copy + Send + Sync + std::fmt::Debug + 'static {
    /// The third byte of the file.
    const CODE: u8;
    /// Name of the type, for messages.
    const NAME: &'static str;
    /// The elements of a buffer whose length is a multiple of the element's size.
    #[doc(hidden)]
    fn decode(bytes: Vec<u8>) -> Vec<Self>;
    /// The big-endian bytes of one element, given to `sink`.
    #[doc(hidden)]
    fn encode<R>(self, sink: impl FnOnce(&[u8]) -> R) -> R;
}

impl sealed::Sealed for u8 {}
impl IdxElement for u8 {
    const CODE: u8 = 0x08;
    const NAME: &'static str = "u8";
    fn decode(bytes: Vec<u8>) -> Vec<Self> {
        bytes // no copy: images are the large files
    }
    fn encode<R>(self, sink: impl FnOnce(&[u8]) -> R) -> R {
        sink(&[self])
    }
}

macro_rules! big_endian {
    ($($type:ident $code:literal),*) => { $(
        impl sealed::Sealed for $type {}
        impl IdxElement for $type {
            const CODE: u8 = $code;
            const NAME: &'static str = stringify!($type);
            fn decode(bytes: Vec<u8>) -> Vec<Self> {
                bytes.as_chunks().0.iter().map(|b| Self::from_be_bytes(*b)).collect()
            }
            fn encode<R>(self, sink: impl FnOnce(&[u8]) -> R) -> R {
                sink(&self.to_be_bytes())
            }
        }
    )* };
}
big_endian!(i8 0x09, i16 0x0B, i32 0x0C, f32 0x0D, f64 0x0E);
