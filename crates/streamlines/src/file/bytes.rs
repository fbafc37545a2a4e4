//! Numbers as bytes of either order.

/// Which byte of a number comes first in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ByteOrder {
    /// The lowest byte, as on nearly every processor of today.
    #[default]
    Little,
    /// The highest byte.
    Big,
}

/// A number in `N` bytes.
pub(super) trait Bytes<const N: usize>: Copy {
    fn from_order(bytes: [u8; N], order: ByteOrder) -> Self;
    fn to_order(self, order: ByteOrder) -> [u8; N];
}

macro_rules! bytes {
    ($($number:ty: $n:literal),*) => {$(
        impl Bytes<$n> for $number {
            #[inline(always)]
            fn from_order(bytes: [u8; $n], order: ByteOrder) -> Self {
                match order {
                    ByteOrder::Little => Self::from_le_bytes(bytes),
                    ByteOrder::Big => Self::from_be_bytes(bytes),
                }
            }
            #[inline(always)]
            fn to_order(self, order: ByteOrder) -> [u8; $n] {
                match order {
                    ByteOrder::Little => self.to_le_bytes(),
                    ByteOrder::Big => self.to_be_bytes(),
                }
            }
        }
    )*};
}
bytes!(i16: 2, i32: 4, f32: 4, f64: 8);
