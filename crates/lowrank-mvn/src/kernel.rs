//! The vector loops, compiled for each instruction set and chosen at run time (by `pulp`).
//!
//! Vectors run along the rows of a block; `stride` is the distance from one column to the next, and columns are padded with
//! zeros to whole vectors.

use pulp::{Arch, Simd, WithSimd};
use variata_distributions::lanes::{Lane, array, widest};

use crate::transpose::Ahead;

/// Columns per step of the Gram matrix where registers hold 8 numbers, and elsewhere.
const WIDE: usize = 4;
const NARROW: usize = 3;
/// Rows of a matrix per step of [`Product`].
const STEP: usize = 5;

/// `to[i] = weights[i]·from[i]`.
pub(crate) fn weigh(weights: &[f64], from: &[f32], to: &mut [f64]) {
    widest(
        #[inline(always)]
        || {
            for ((to, p), w) in to.iter_mut().zip(from).zip(weights) {
                *to = w * f64::from(*p);
            }
        },
    );
}

/// `to[i] = f(from[i])`.
#[cfg(feature = "half")]
pub(crate) fn map<T: Copy>(from: &[T], to: &mut [f32], f: impl Fn(T) -> f32) {
    widest(
        #[inline(always)]
        || to.iter_mut().zip(from).for_each(|(to, &v)| *to = f(v)),
    );
}

/// Whether no value is `saturated`, in runs without a branch, which the compiler vectorises.
pub(crate) fn none_saturated<T: Copy>(values: &[T], saturated: impl Fn(T) -> bool) -> bool {
    values.chunks(4096).all(|run| {
        widest(
            #[inline(always)]
            || !run.iter().fold(false, |found, &v| found | saturated(v)),
        )
    })
}

/// Sums of the products of all pairs of columns, over blocks.
pub(crate) struct Gram {
    columns: usize,
    /// One vector of partial sums per pair.
    lanes: Vec<f64>,
}

impl Gram {
    pub(crate) fn new(columns: usize) -> Self {
        Self { columns, lanes: Vec::new() }
    }

    /// Adds a block, and fetches what lies `ahead` meanwhile.
    pub(crate) fn add(&mut self, block: &[f64], stride: usize, padded: usize, ahead: Ahead) {
        Arch::new().dispatch(Add { gram: self, block, stride, padded, ahead });
    }

    /// The sums: the lower triangle of a row-major matrix.
    pub(crate) fn sums(&self) -> Vec<f64> {
        Arch::new().dispatch(Sums { gram: self })
    }
}

struct Add<'a> {
    gram: &'a mut Gram,
    block: &'a [f64],
    stride: usize,
    padded: usize,
    ahead: Ahead,
}

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) {
        let pairs = self.gram.columns * (self.gram.columns + 1) / 2;
        if self.gram.lanes.is_empty() {
            self.gram.lanes.resize(pairs * V::F64_LANES, 0.0);
        }
        if V::F64_LANES >= 8 { self.tiles::<V, WIDE>(simd) } else { self.tiles::<V, NARROW>(simd) }
    }
}

impl Add<'_> {
    #[inline(always)]
    fn tiles<V: Simd, const T: usize>(mut self, simd: V) {
        let columns = self.gram.columns;
        let strips = columns.div_ceil(T);
        self.ahead.spread(strips * (strips + 1) / 2);
        let (mut sums, _) = V::as_mut_simd_f64s(&mut self.gram.lanes);
        let vectors = self.padded / V::F64_LANES;
        let column = |j: usize| &V::as_simd_f64s(&self.block[j * self.stride..]).0[..vectors];
        for first in (0..columns).step_by(T) {
            match T.min(columns - first) {
                1 => sums = strip::<V, 1, T>(simd, first, &column, sums, &mut self.ahead),
                2 => sums = strip::<V, 2, T>(simd, first, &column, sums, &mut self.ahead),
                3 => sums = strip::<V, 3, T>(simd, first, &column, sums, &mut self.ahead),
                _ => sums = strip::<V, T, T>(simd, first, &column, sums, &mut self.ahead),
            }
        }
    }
}

/// Columns [first, first + A) times all up to themselves; returns the sums that are left.
#[inline(always)]
fn strip<'b, 's, V: Simd, const A: usize, const T: usize>(
    simd: V,
    first: usize,
    column: &impl Fn(usize) -> &'b [V::f64s],
    mut sums: &'s mut [V::f64s],
    ahead: &mut Ahead,
) -> &'s mut [V::f64s] {
    let a: [&[V::f64s]; A] = array(|i| column(first + i));
    for second in (0..first).step_by(T) {
        ahead.fetch();
        let b: [&[V::f64s]; T] = array(|j| column(second + j));
        let (here, rest) = sums.split_at_mut(A * T);
        sums = rest;
        let mut acc: [[V::f64s; T]; A] = array(|i| array(|j| here[i * T + j]));
        for k in 0..a[0].len() {
            let x: [V::f64s; A] = array(|i| a[i][k]);
            for j in 0..T {
                let y = b[j][k];
                for i in 0..A {
                    acc[i][j] = simd.mul_add_f64s(x[i], y, acc[i][j]);
                }
            }
        }
        here.copy_from_slice(acc.as_flattened());
    }
    ahead.fetch();
    let (here, rest) = sums.split_at_mut(A * (A + 1) / 2);
    let mut acc: [[V::f64s; A]; A] = array(|i| array(|j| here[if j <= i { i * (i + 1) / 2 + j } else { 0 }]));
    #[expect(clippy::needless_range_loop, reason = "rows of several columns at once")]
    for k in 0..a[0].len() {
        let x: [V::f64s; A] = array(|i| a[i][k]);
        for i in 0..A {
            for j in 0..=i {
                acc[i][j] = simd.mul_add_f64s(x[i], x[j], acc[i][j]);
            }
        }
    }
    for i in 0..A {
        for j in 0..=i {
            here[i * (i + 1) / 2 + j] = acc[i][j];
        }
    }
    rest
}

struct Sums<'a> {
    gram: &'a Gram,
}

impl WithSimd for Sums<'_> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) -> Vec<f64> {
        let n = self.gram.columns;
        let t = if V::F64_LANES >= 8 { WIDE } else { NARROW };
        let mut lanes = V::as_simd_f64s(&self.gram.lanes).0.iter();
        let mut matrix = vec![0.0; n * n];
        let mut put = |i: usize, j: usize| {
            if let Some(&lane) = lanes.next() {
                matrix[i * n + j] = simd.reduce_sum_f64s(lane);
            }
        };
        // In the order in which `strip` goes through them.
        for first in (0..n).step_by(t) {
            let end = n.min(first + t);
            for second in (0..first).step_by(t) {
                for i in first..end {
                    (second..second + t).for_each(|j| put(i, j));
                }
            }
            for i in first..end {
                (first..=i).for_each(|j| put(i, j));
            }
        }
        matrix
    }
}

/// `out = b − A·z`; b is the column after those of A.
pub(crate) fn residual(block: &[f64], stride: usize, z: &[f64], out: &mut [f64]) {
    Arch::new().dispatch(Residual { block, stride, z, out });
}

struct Residual<'a> {
    block: &'a [f64],
    stride: usize,
    z: &'a [f64],
    out: &'a mut [f64],
}

impl WithSimd for Residual<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) {
        /// Vectors in flight: additions take several cycles each.
        const AHEAD: usize = 4;
        let Self { block, stride, z, out } = self;
        let column = |j: usize| V::as_simd_f64s(&block[j * stride..]).0;
        let (out, _) = V::as_mut_simd_f64s(out);
        let mut k = 0;
        while k < out.len() {
            let here = AHEAD.min(out.len() - k);
            let mut acc = [simd.splat_f64s(0.0); AHEAD];
            acc[..here].copy_from_slice(&column(z.len())[k..k + here]);
            for (j, z) in z.iter().enumerate() {
                let (minus, a) = (simd.splat_f64s(-z), &column(j)[k..k + here]);
                for (acc, a) in acc.iter_mut().zip(a) {
                    *acc = simd.mul_add_f64s(minus, *a, *acc);
                }
            }
            out[k..k + here].copy_from_slice(&acc[..here]);
            k += here;
        }
    }
}

/// `out = b − w·P·z` of raw columns P and weights w, and the sum of its squares.
pub(crate) fn residual_of_singles(
    p: &[f32],
    stride: usize,
    weights: &[f64],
    right: &[f64],
    z: &[f64],
    out: &mut [f64],
) -> f64 {
    widest(
        #[inline(always)]
        || {
            out.fill(0.0);
            // Four columns at a time, so that `out` is read and written less often.
            for (p, z) in p.chunks(4 * stride).zip(z.chunks(4)) {
                if let [z0, z1, z2, z3] = *z {
                    let (p0, rest) = p.split_at(stride);
                    let (p1, rest) = rest.split_at(stride);
                    let (p2, p3) = rest.split_at(stride);
                    let columns = p0.iter().zip(p1).zip(p2.iter().zip(p3));
                    for (out, ((p0, p1), (p2, p3))) in out.iter_mut().zip(columns) {
                        let (p0, p1, p2, p3) =
                            (f64::from(*p0), f64::from(*p1), f64::from(*p2), f64::from(*p3));
                        *out += (z0 * p0 + z1 * p1) + (z2 * p2 + z3 * p3);
                    }
                } else {
                    for (p, z) in p.chunks_exact(stride).zip(z) {
                        out.iter_mut().zip(p).for_each(|(out, p)| *out += z * f64::from(*p));
                    }
                }
            }
            for (out, (w, b)) in out.iter_mut().zip(weights.iter().zip(right)) {
                *out = b - w * *out;
            }
            let mut lanes = [0.0; 8];
            for out in out.chunks_exact(8) {
                lanes.iter_mut().zip(out).for_each(|(lane, v)| *lane += v * v);
            }
            lanes.iter().sum()
        },
    )
}

/// Adds the product of each column of the factor with the right-hand side, the column after them, to `sums`.
pub(crate) fn project(block: &[f64], stride: usize, padded: usize, sums: &mut [f64]) {
    Arch::new().dispatch(Project { block, stride, padded, sums });
}

struct Project<'a> {
    block: &'a [f64],
    stride: usize,
    padded: usize,
    sums: &'a mut [f64],
}

impl WithSimd for Project<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) {
        let Self { block, stride, padded, sums } = self;
        let column = |j: usize| V::as_simd_f64s(&block[j * stride..j * stride + padded]).0;
        let right = column(sums.len());
        for (j, sum) in sums.iter_mut().enumerate() {
            let mut acc = simd.splat_f64s(0.0);
            for (a, b) in column(j).iter().zip(right) {
                acc = simd.mul_add_f64s(*a, *b, acc);
            }
            *sum += simd.reduce_sum_f64s(acc);
        }
    }
}

/// `to = m·a` for a row-major r×r matrix m and the r columns of a block, both blocks `stride` apart; `dots[i]` becomes the
/// product of the two columns at row i.
pub(crate) fn product<E: Lane>(m: &[E], a: &[E], to: &mut [E], dots: &mut [E], stride: usize) {
    Arch::new().dispatch(Product { m, a, to, dots, stride });
}

struct Product<'a, E> {
    m: &'a [E],
    a: &'a [E],
    to: &'a mut [E],
    dots: &'a mut [E],
    stride: usize,
}

impl<E: Lane> WithSimd for Product<'_, E> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) {
        let Self { m, a, to, dots, stride } = self;
        let r = to.len() / stride.max(1);
        let dots = E::vectors_mut::<V>(dots);
        dots.fill(E::splat(simd, E::ZERO));
        for first in (0..r).step_by(STEP) {
            let m = &m[first * r..];
            let own = &a[first * stride..];
            let to = &mut to[first * stride..];
            match STEP.min(r - first) {
                1 => rows::<E, V, 1>(simd, m, a, own, to, dots, stride, r),
                2 => rows::<E, V, 2>(simd, m, a, own, to, dots, stride, r),
                3 => rows::<E, V, 3>(simd, m, a, own, to, dots, stride, r),
                4 => rows::<E, V, 4>(simd, m, a, own, to, dots, stride, r),
                _ => rows::<E, V, STEP>(simd, m, a, own, to, dots, stride, r),
            }
        }
    }
}

/// N rows of the product.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "one call, inlined")]
fn rows<E: Lane, V: Simd, const N: usize>(
    simd: V,
    m: &[E],
    a: &[E],
    own: &[E],
    to: &mut [E],
    dots: &mut [E::Vector<V>],
    stride: usize,
    r: usize,
) {
    let m: [&[E]; N] = array(|j| &m[j * r..j * r + r]);
    let mut k = 0;
    while k < dots.len() {
        // Two vectors at a time keep 2·N sums in registers.
        let pair = k + 1 < dots.len();
        let second = if pair { k + 1 } else { k };
        let mut acc = [[E::splat(simd, E::ZERO); 2]; N];
        for (i, a) in a.chunks_exact(stride).enumerate() {
            let a = E::vectors::<V>(a);
            let (x, y) = (a[k], a[second]);
            for j in 0..N {
                let m = E::splat(simd, m[j][i]);
                acc[j][0] = E::mul_add(simd, m, x, acc[j][0]);
                acc[j][1] = E::mul_add(simd, m, y, acc[j][1]);
            }
        }
        for (j, acc) in acc.iter().enumerate() {
            let own = E::vectors::<V>(&own[j * stride..(j + 1) * stride]);
            let to = E::vectors_mut::<V>(&mut to[j * stride..(j + 1) * stride]);
            to[k] = acc[0];
            dots[k] = E::mul_add(simd, acc[0], own[k], dots[k]);
            if pair {
                to[k + 1] = acc[1];
                dots[k + 1] = E::mul_add(simd, acc[1], own[k + 1], dots[k + 1]);
            }
        }
        k += 2;
    }
}

/// `to[j][i] = of_point[i]·z[j] + of_solved[i]·solved[j][i]`.
pub(crate) fn combine<E: Lane>(
    of_point: &[E],
    z: &[f64],
    of_solved: &[E],
    solved: &[E],
    to: &mut [E],
    stride: usize,
) {
    Arch::new().dispatch(Combine { of_point, z, of_solved, solved, to, stride });
}

struct Combine<'a, E> {
    of_point: &'a [E],
    z: &'a [f64],
    of_solved: &'a [E],
    solved: &'a [E],
    to: &'a mut [E],
    stride: usize,
}

impl<E: Lane> WithSimd for Combine<'_, E> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) {
        let of_point = E::vectors::<V>(self.of_point);
        let of_solved = E::vectors::<V>(self.of_solved);
        let zero = E::splat(simd, E::ZERO);
        let columns = self.to.chunks_exact_mut(self.stride).zip(self.solved.chunks_exact(self.stride));
        for (j, (to, solved)) in columns.enumerate() {
            // There is no z without a point.
            let z = E::splat(simd, self.z.get(j).map_or(E::ZERO, |&z| E::from_f64(z)));
            let vectors = E::vectors_mut::<V>(to).iter_mut().zip(E::vectors::<V>(solved));
            for ((to, solved), (a, s)) in vectors.zip(of_point.iter().zip(of_solved)) {
                *to = E::mul_add(simd, *s, *solved, E::mul_add(simd, *a, z, zero));
            }
        }
    }
}
