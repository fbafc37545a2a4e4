//! Elements of `pulp`'s vectors, for loops that are written once for `f32` and `f64`.

use pulp::Simd;

use crate::Real;

/// `f32` or `f64` as elements of vectors.
pub trait Lane: Real {
    /// A vector of an instruction set.
    type Vector<V: Simd>: Copy;
    /// The slice as vectors, without its tail.
    fn vectors<V: Simd>(slice: &[Self]) -> &[Self::Vector<V>];
    /// The slice as vectors, without its tail.
    fn vectors_mut<V: Simd>(slice: &mut [Self]) -> &mut [Self::Vector<V>];
    /// The number in every lane.
    fn splat<V: Simd>(simd: V, value: Self) -> Self::Vector<V>;
    /// a·b + c, rounded once.
    fn mul_add<V: Simd>(
        simd: V,
        a: Self::Vector<V>,
        b: Self::Vector<V>,
        c: Self::Vector<V>,
    ) -> Self::Vector<V>;
}

macro_rules! lane {
    ($type:ty, $vector:ident, $split:ident, $split_mut:ident, $splat:ident, $mul_add:ident) => {
        impl Lane for $type {
            type Vector<V: Simd> = V::$vector;
            #[inline(always)]
            fn vectors<V: Simd>(slice: &[Self]) -> &[V::$vector] {
                V::$split(slice).0
            }
            #[inline(always)]
            fn vectors_mut<V: Simd>(slice: &mut [Self]) -> &mut [V::$vector] {
                V::$split_mut(slice).0
            }
            #[inline(always)]
            fn splat<V: Simd>(simd: V, value: Self) -> V::$vector {
                simd.$splat(value)
            }
            #[inline(always)]
            fn mul_add<V: Simd>(simd: V, a: V::$vector, b: V::$vector, c: V::$vector) -> V::$vector {
                simd.$mul_add(a, b, c)
            }
        }
    };
}
lane!(f32, f32s, as_simd_f32s, as_mut_simd_f32s, splat_f32s, mul_add_f32s);
lane!(f64, f64s, as_simd_f64s, as_mut_simd_f64s, splat_f64s, mul_add_f64s);
