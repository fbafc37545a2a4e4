//! Elements of `pulp`'s vectors, for loops that are written once for `f32` and `f64`, and the heart of blocked products.

use pulp::{Arch, Simd, WithSimd};

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
    /// The smaller of both, in every lane.
    fn min<V: Simd>(simd: V, a: Self::Vector<V>, b: Self::Vector<V>) -> Self::Vector<V>;
    /// The larger of both, in every lane.
    fn max<V: Simd>(simd: V, a: Self::Vector<V>, b: Self::Vector<V>) -> Self::Vector<V>;
    /// `then` where the first of the pair is less than the second, otherwise `or`.
    fn where_less<V: Simd>(
        simd: V,
        pair: (Self::Vector<V>, Self::Vector<V>),
        then: Self::Vector<V>,
        or: Self::Vector<V>,
    ) -> Self::Vector<V>;
}

macro_rules! lane {
    ($type:ty, $vector:ident, $split:ident, $split_mut:ident, $splat:ident, $mul_add:ident, $min:ident, $max:ident, $less:ident,
     $select:ident) => {
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
            #[inline(always)]
            fn min<V: Simd>(simd: V, a: V::$vector, b: V::$vector) -> V::$vector {
                simd.$min(a, b)
            }
            #[inline(always)]
            fn max<V: Simd>(simd: V, a: V::$vector, b: V::$vector) -> V::$vector {
                simd.$max(a, b)
            }
            #[inline(always)]
            fn where_less<V: Simd>(
                simd: V,
                (a, b): (V::$vector, V::$vector),
                then: V::$vector,
                or: V::$vector,
            ) -> V::$vector {
                simd.$select(simd.$less(a, b), then, or)
            }
        }
    };
}
lane!(
    f32,
    f32s,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    mul_add_f32s,
    min_f32s,
    max_f32s,
    less_than_f32s,
    select_f32s
);
lane!(
    f64,
    f64s,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    mul_add_f64s,
    min_f64s,
    max_f64s,
    less_than_f64s,
    select_f64s
);

/// Runs a loop compiled for the longest vectors of this machine; the closure is to have `#[inline(always)]`.
///
/// `Arch::dispatch` takes closures, too, but calls them by a shim that is not inlined when the loop is large: it is then compiled for
/// the shortest vectors. A closure that may be called again needs no shim.
pub fn widest<R>(run: impl FnMut() -> R) -> R {
    struct Task<F>(F);
    impl<R, F: FnMut() -> R> WithSimd for Task<F> {
        type Output = R;

        #[inline(always)]
        fn with_simd<V: Simd>(mut self, _: V) -> R {
            (self.0)()
        }
    }
    Arch::new().dispatch(Task(run))
}

/// What `f` gives for 0, …, N − 1, N ≥ 1, in a loop of the caller: `array::from_fn` is a function of its own where it is not inlined, and then
/// compiled for the shortest vectors.
#[inline(always)]
pub fn array<T: Copy, const N: usize>(f: impl Fn(usize) -> T) -> [T; N] {
    let mut out = [f(0); N];
    for (i, out) in out.iter_mut().enumerate().skip(1) {
        *out = f(i);
    }
    out
}

/// Columns per step of [`tile`] where there are 32 vector registers.
pub const STEP: usize = 12;
/// The same where there are 16.
pub const NARROW: usize = 6;

struct Widest;

impl WithSimd for Widest {
    type Output = usize;

    #[inline(always)]
    fn with_simd<V: Simd>(self, _: V) -> usize {
        if V::F32_LANES >= 16 { STEP } else { NARROW }
    }
}

/// [`STEP`] or [`NARROW`]: that for which the registers of this machine suffice.
pub fn step() -> usize {
    Arch::new().dispatch(Widest)
}

struct Fused;

impl WithSimd for Fused {
    type Output = bool;

    #[inline(always)]
    fn with_simd<V: Simd>(self, _: V) -> bool {
        cfg!(target_arch = "x86_64") && V::F64_LANES >= 4
    }
}

/// Whether loops of [`widest`] may call `mul_add` as an instruction.
pub fn fused() -> bool {
    Arch::new().dispatch(Fused)
}

/// The micro-kernel of blocked products: `acc[j]` + Σₖ `right[k][j]·left[k][at..]`, two vectors of rows for each of J columns,
/// which stay in registers. `left` is `[depth][ROWS]`, `right` `[depth][J]`.
#[inline(always)]
pub fn tile<T: Lane, V: Simd, const ROWS: usize, const J: usize>(
    simd: V,
    (left, at): (&[T], usize),
    right: &[T],
    mut acc: [[T::Vector<V>; 2]; J],
) -> [[T::Vector<V>; 2]; J] {
    for (left, right) in left.as_chunks::<ROWS>().0.iter().zip(right.as_chunks::<J>().0) {
        let x = T::vectors::<V>(&left[at..]);
        let (a, b) = (x[0], x[1]);
        for j in 0..J {
            let t = T::splat(simd, right[j]);
            acc[j][0] = T::mul_add(simd, a, t, acc[j][0]);
            acc[j][1] = T::mul_add(simd, b, t, acc[j][1]);
        }
    }
    acc
}

/// Dimensions that are transposed together.
const SIDE: usize = 8;

/// Row-major rows, at most `ROWS`, into a panel `[depth][ROWS]`: `map` of dimension and value; what pads the rows is 0.
#[inline(always)]
pub fn transpose<S: Copy, T: Lane, const ROWS: usize>(
    rows: &[S],
    depth: usize,
    map: impl Fn(usize, S) -> T,
    panel: &mut [T],
) {
    for (d, columns) in panel.chunks_mut(SIDE * ROWS).enumerate() {
        let mut square = [[T::ZERO; SIDE]; ROWS];
        for (square, row) in square.iter_mut().zip(rows.chunks_exact(depth)) {
            let row = row[d * SIDE..].iter().enumerate();
            square.iter_mut().zip(row).for_each(|(to, (k, &v))| *to = map(d * SIDE + k, v));
        }
        for (k, column) in columns.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
            *column = std::array::from_fn(|r| square[r][k]);
        }
    }
}
