//! Vector loops over a factor whose rows lie one after the other: vectors run along a row, and nothing is turned.

use pulp::{Arch, Simd, WithSimd};
use variata_distributions::lanes::{array, widest};

use crate::transpose::prefetch;

/// Columns that are widened at a time.
const GROUP: usize = 8;
/// Rows that are multiplied at a time.
const ROWS: usize = 4;
/// Rows ahead that are fetched into the cache: those of the next block.
const AHEAD: usize = 128;

/// Columns at a time: two of the longest vectors, or one for the last of them.
pub(crate) const WIDE: usize = 32;
const NARROW: usize = 16;
/// From here on vectors along a row are full enough.
pub(crate) const SHORTEST: usize = 8;

/// What one gradient takes of each row of αzᵀ and of P·C⁻¹, and where it goes.
pub(crate) struct Output<'o> {
    pub of_point: &'o [f32],
    pub of_solved: &'o [f32],
    pub to: &'o mut [f32],
}

/// Residuals of rows with one vector z, in f64.
pub(crate) struct Times {
    r: usize,
    /// The vector, with zeros up to whole groups.
    z: Vec<[f64; GROUP]>,
    /// The last rows, with zeros beyond them.
    last: Vec<f32>,
}

impl Times {
    pub(crate) fn new(z: &[f64]) -> Self {
        let padded = z.chunks(GROUP).map(|z| std::array::from_fn(|l| z.get(l).copied().unwrap_or(0.0)));
        Self { r: z.len(), z: padded.collect(), last: Vec::new() }
    }

    /// `out[i] = right[i] − weights[i]·Σ_j p[i·r + j]·z[j]`.
    pub(crate) fn residual(&mut self, p: &[f32], weights: &[f64], right: &[f64], out: &mut [f64]) {
        let Self { r, z, last } = self;
        let r = (*r).max(1);
        // What groups of the last rows would read beyond the end.
        let reach = GROUP * z.len();
        let inside = (p.len() + r).saturating_sub(reach) / r;
        let (inside, tail) = out.split_at_mut(inside.min(out.len()) / ROWS * ROWS);
        products(p, r, z, inside);
        last.clear();
        last.extend_from_slice(&p[inside.len() * r..]);
        last.resize(tail.len().next_multiple_of(ROWS) * r + reach, 0.0);
        for (k, to) in tail.chunks_mut(ROWS).enumerate() {
            let mut few = [0.0; ROWS];
            products(&last[k * ROWS * r..], r, z, &mut few);
            to.iter_mut().zip(few).for_each(|(to, v)| *to = v);
        }
        widest(
            #[inline(always)]
            || {
                for (out, (w, b)) in out.iter_mut().zip(weights.iter().zip(right)) {
                    *out = b - w * *out;
                }
            },
        );
    }
}

/// `out[i] = Σ_j p[i·r + j]·z[j]` for a multiple of [`ROWS`] rows, each of which can be read in whole groups: what lies beyond a
/// row, finite as all of the factor is, counts 0 times. Sums are the same bits whatever vectors the processor has.
fn products(p: &[f32], r: usize, z: &[[f64; GROUP]], out: &mut [f64]) {
    let done = longest(p, r, z, out);
    let (p, out) = (&p[done * r..], &mut out[done..]);
    widest(
        #[inline(always)]
        || {
            for (p, out) in
                (0..).step_by(ROWS * r).map(|start| &p[start..]).zip(out.as_chunks_mut::<ROWS>().0)
            {
                prefetch(p.as_ptr().wrapping_add(AHEAD * r), ROWS * r);
                let mut sums = [[0.0; GROUP]; ROWS];
                for (g, z) in z.iter().enumerate() {
                    for (row, sums) in sums.iter_mut().enumerate() {
                        let Some(p) = p[row * r + g * GROUP..].first_chunk::<GROUP>() else { continue };
                        for l in 0..GROUP {
                            sums[l] = f64::from(p[l]).mul_add(z[l], sums[l]);
                        }
                    }
                }
                for (out, sums) in out.iter_mut().zip(&sums) {
                    let [a, b, c, d, e, f, g, h] = *sums;
                    *out = ((a + e) + (c + g)) + ((b + f) + (d + h));
                }
            }
        },
    );
}

/// [`products`] of the first rows in the longest vectors, and how many there are.
fn longest(p: &[f32], r: usize, z: &[[f64; GROUP]], out: &mut [f64]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V4::try_new() {
        let out = out.as_chunks_mut::<GROUP>().0;
        let done = out.len() * GROUP;
        macro_rules! of_groups {
            ($($groups:literal)*) => {
                match z.len() {
                    $($groups => match z.first_chunk::<$groups>() {
                        Some(z) => simd.vectorize(Longest { simd, p, r, z, out }),
                        None => return 0,
                    },)*
                    _ => return 0,
                }
            };
        }
        of_groups!(1 2 3 4 5 6 7 8);
        return done;
    }
    0
}

/// Eight rows at a time: a sum of eight lanes for each, and then the lanes of all of them in the order of [`products`].
#[cfg(target_arch = "x86_64")]
struct Longest<'a, const G: usize> {
    simd: pulp::x86::V4,
    p: &'a [f32],
    r: usize,
    z: &'a [[f64; GROUP]; G],
    out: &'a mut [[f64; GROUP]],
}

#[cfg(target_arch = "x86_64")]
impl<const G: usize> pulp::NullaryFnOnce for Longest<'_, G> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        use std::arch::x86_64::{__m256, __m512d};
        let Self { simd, p, r, z, out } = self;
        let avx = simd.avx512f;
        let z: [__m512d; G] = z.map(pulp::cast);
        let order = pulp::cast([0u64, 2, 4, 6, 1, 3, 5, 7]);
        for (p, out) in (0..).step_by(GROUP * r).map(|start| &p[start..]).zip(out) {
            prefetch(p.as_ptr().wrapping_add(AHEAD * r), GROUP * r);
            let mut sums = [avx._mm512_setzero_pd(); GROUP];
            for (row, sum) in sums.iter_mut().enumerate() {
                let Some(of) = p[row * r..].as_chunks::<GROUP>().0.first_chunk::<G>() else { continue };
                for (of, z) in of.iter().zip(&z) {
                    *sum = avx._mm512_fmadd_pd(avx._mm512_cvtps_pd(pulp::cast::<_, __m256>(*of)), *z, *sum);
                }
            }
            // Lanes a … d and e … h, of two rows.
            let halves = |two: [__m512d; 2]| {
                let [a, e] = [
                    avx._mm512_shuffle_f64x2::<0b01_00_01_00>(two[0], two[1]),
                    avx._mm512_shuffle_f64x2::<0b11_10_11_10>(two[0], two[1]),
                ];
                avx._mm512_add_pd(a, e)
            };
            let quarters = |two: [__m512d; 2]| {
                let [a, c] = [
                    avx._mm512_shuffle_f64x2::<0b10_00_10_00>(two[0], two[1]),
                    avx._mm512_shuffle_f64x2::<0b11_01_11_01>(two[0], two[1]),
                ];
                avx._mm512_add_pd(a, c)
            };
            let [s0, s1, s2, s3, s4, s5, s6, s7] = sums;
            let low = quarters([halves([s0, s1]), halves([s2, s3])]);
            let high = quarters([halves([s4, s5]), halves([s6, s7])]);
            // Rows 0, 4, 1, 5, 2, 6, 3, 7.
            let mixed =
                avx._mm512_add_pd(avx._mm512_unpacklo_pd(low, high), avx._mm512_unpackhi_pd(low, high));
            *out = pulp::cast(avx._mm512_permutexvar_pd(order, mixed));
        }
    }
}

/// C⁻¹ and z of one item.
pub(crate) struct Rows {
    r: usize,
    strips: Vec<Strip>,
}

/// Columns of C⁻¹, and of z.
struct Strip {
    first: usize,
    width: usize,
    /// r rows of `width` numbers, zeros beyond the last column.
    inverse: Vec<f32>,
    z: Vec<f32>,
}

impl Rows {
    /// From the row-major r×r inverse, and z of r numbers or none.
    pub(crate) fn new(inverse: &[f64], z: &[f64], r: usize) -> Self {
        let strip = |first: usize| {
            let width = if r - first > NARROW { WIDE } else { NARROW };
            let cut = |row: &[f64]| {
                let mut to = vec![0.0; width];
                to.iter_mut().zip(row.iter().skip(first)).for_each(|(to, v)| *to = *v as f32);
                to
            };
            Strip { first, width, inverse: inverse.chunks_exact(r).flat_map(cut).collect(), z: cut(z) }
        };
        Self { r, strips: (0..r).step_by(WIDE).map(strip).collect() }
    }

    /// The gradients of the rows in `p`, and `dots[i]`, the product of row i with row i of P·C⁻¹. `scratch` has at least
    /// `dots.len()·`[`WIDE`] numbers. Where no output takes anything of P·C⁻¹, that is left out and `dots` are 0.
    pub(crate) fn gradients(
        &self,
        p: &[f32],
        outputs: &mut [Output<'_>],
        dots: &mut [f32],
        scratch: &mut [f32],
    ) {
        dots.fill(0.0);
        let solve = outputs.iter().any(|output| output.of_solved.iter().any(|factor| *factor != 0.0));
        for strip in &self.strips {
            let solved = &mut scratch[..dots.len() * strip.width];
            Arch::new().dispatch(Gradients { r: self.r, strip, p, outputs, dots, solved, solve });
        }
    }
}

struct Gradients<'a, 'o> {
    r: usize,
    strip: &'a Strip,
    p: &'a [f32],
    outputs: &'a mut [Output<'o>],
    dots: &'a mut [f32],
    solved: &'a mut [f32],
    solve: bool,
}

impl WithSimd for Gradients<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) {
        match (V::F32_LANES, self.strip.width) {
            (16, WIDE) => self.all::<V, 2, 6>(simd),
            (16, _) => self.all::<V, 1, 8>(simd),
            (8, WIDE) => self.all::<V, 4, 3>(simd),
            (8, _) => self.all::<V, 2, 6>(simd),
            (4, WIDE) => self.all::<V, 8, 2>(simd),
            (4, _) => self.all::<V, 4, 4>(simd),
            (_, WIDE) => self.all::<V, WIDE, 1>(simd),
            _ => self.all::<V, NARROW, 1>(simd),
        }
    }
}

impl Gradients<'_, '_> {
    #[inline(always)]
    fn all<V: Simd, const N: usize, const STEP: usize>(mut self, simd: V) {
        if self.solve {
            self.products::<V, N, STEP>(simd);
        }
        self.combine::<V, N>(simd);
    }

    /// Rows of P·C⁻¹ and `dots`: N vectors per row, STEP rows at a time, whose sums stay in registers.
    #[inline(always)]
    fn products<V: Simd, const N: usize, const STEP: usize>(&mut self, simd: V) {
        let Self { r, strip: Strip { first, inverse, .. }, p, outputs, dots, solved, .. } = self;
        let (r, first) = (*r, *first);
        let matrix = V::as_simd_f32s(inverse).0.as_chunks::<N>().0;
        let solved = V::as_mut_simd_f32s(solved).0.as_chunks_mut::<N>().0;
        for (step, solved) in solved.chunks_mut(STEP).enumerate() {
            let ahead = (step * STEP + AHEAD) * r;
            prefetch(p.as_ptr().wrapping_add(ahead), STEP * r);
            for Output { to, .. } in outputs.iter() {
                prefetch(to.as_ptr().wrapping_add(step * STEP * r), STEP * r);
            }
            // The last step repeats its last row.
            let mut of = [&p[..r]; STEP];
            for (q, of) in of.iter_mut().enumerate() {
                *of = &p[(step * STEP + q.min(solved.len() - 1)) * r..][..r];
            }
            let mut acc = [[simd.splat_f32s(0.0); N]; STEP];
            for (k, m) in (0..r).zip(matrix) {
                for (acc, of) in acc.iter_mut().zip(&of) {
                    let p = simd.splat_f32s(of[k]);
                    for (acc, m) in acc.iter_mut().zip(m) {
                        *acc = simd.mul_add_f32s(p, *m, *acc);
                    }
                }
            }
            solved.copy_from_slice(&acc[..solved.len()]);
        }
        for (row, (dot, solved)) in dots.iter_mut().zip(&*solved).enumerate() {
            let mut sum = simd.splat_f32s(0.0);
            // Beyond the row the product is 0.
            for (v, solved) in solved.iter().enumerate() {
                let from = &p[row * r + (first + v * V::F32_LANES).min(r)..];
                let p = match V::as_simd_f32s(from).0.first() {
                    Some(&full) => full,
                    None => simd.partial_load_f32s(from),
                };
                sum = simd.mul_add_f32s(*solved, p, sum);
            }
            *dot += simd.reduce_sum_f32s(sum);
        }
    }

    /// Rows of the outputs.
    #[inline(always)]
    fn combine<V: Simd, const N: usize>(self, simd: V) {
        let Self { r, strip: Strip { first, z, .. }, outputs, dots, solved, solve, .. } = self;
        let (first, count) = (*first, dots.len());
        let [z] = V::as_simd_f32s(z).0.as_chunks::<N>().0 else { return };
        let solved = V::as_simd_f32s(solved).0.as_chunks::<N>().0;
        // What a whole vector writes beyond its row is written again with the next one, if this is the only strip.
        let whole =
            if r <= N * V::F32_LANES { count.saturating_sub(N * V::F32_LANES / r.max(1) + 1) } else { 0 };
        for Output { of_point, of_solved, to } in outputs.iter_mut() {
            let mut put = |row: usize, values: [V::f32s; N]| {
                if row < whole
                    && let Some(to) = V::as_mut_simd_f32s(&mut to[row * r..]).0.first_chunk_mut::<N>()
                {
                    *to = values;
                    return;
                }
                for (v, value) in values.into_iter().enumerate() {
                    let start = (first + v * V::F32_LANES).min(r);
                    let end = (start + V::F32_LANES).min(r);
                    simd.partial_store_f32s(&mut to[row * r + start..row * r + end], value);
                }
            };
            let of_z = of_point[..count].iter().map(|point| {
                let point = simd.splat_f32s(*point);
                z.map(|z| simd.mul_f32s(point, z))
            });
            if solve {
                for (row, (of_z, (factor, solved))) in of_z.zip(of_solved.iter().zip(solved)).enumerate() {
                    let factor = simd.splat_f32s(*factor);
                    put(row, array(|v| simd.mul_add_f32s(factor, solved[v], of_z[v])));
                }
            } else {
                of_z.enumerate().for_each(|(row, of_z)| put(row, of_z));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Output, Rows, Times, WIDE};

    fn wave(i: usize) -> f64 {
        (i as f64 * 0.618).sin()
    }

    #[test]
    fn rows_are_the_formula() {
        for r in [8usize, 9, 16, 17, 25, 32, 33, 40, 64] {
            for rows in [1usize, 5, 6, 7, 128] {
                let inverse: Vec<f64> =
                    (0..r * r).map(|at| wave(at / r + 3 * (at % r)) + wave(3 * (at / r) + at % r)).collect();
                let z: Vec<f64> = (0..r).map(|j| wave(j + 5)).collect();
                let p: Vec<f32> = (0..rows * r).map(|at| wave(at + 7) as f32).collect();
                let point: Vec<f32> = (0..rows).map(|i| wave(i + 9) as f32).collect();
                let solved: Vec<f32> = (0..rows).map(|i| wave(i + 11) as f32).collect();
                let (mut first, mut second) = (vec![9.0; rows * r], vec![9.0; rows * r]);
                let mut dots = vec![9.0; rows];
                let mut outputs = [
                    Output { of_point: &point, of_solved: &solved, to: &mut first },
                    Output { of_point: &solved, of_solved: &point, to: &mut second },
                ];
                Rows::new(&inverse, &z, r).gradients(
                    &p,
                    &mut outputs,
                    &mut dots,
                    &mut vec![0.0; rows * WIDE],
                );
                let mut products = vec![0.0; rows];
                Times::new(&z).residual(&p, &vec![-1.0; rows], &vec![0.0; rows], &mut products);
                // Row by row nothing is done in the longest vectors.
                let mut alone = vec![0.0; rows];
                for (p, to) in p.chunks(r).zip(&mut alone) {
                    Times::new(&z).residual(p, &[-1.0], &[0.0], std::slice::from_mut(to));
                }
                assert_eq!(products, alone, "{r}, {rows}");
                for i in 0..rows {
                    let row: Vec<f64> = p[i * r..(i + 1) * r].iter().map(|v| f64::from(*v)).collect();
                    let of = |j: usize| -> f64 { (0..r).map(|k| row[k] * inverse[k * r + j]).sum() };
                    let near = |got: f32, want: f64| {
                        assert!((f64::from(got) - want).abs() < 2e-5 * r as f64, "{r}, {rows}: {got} {want}");
                    };
                    for j in 0..r {
                        near(first[i * r + j], f64::from(point[i]) * z[j] + f64::from(solved[i]) * of(j));
                        near(second[i * r + j], f64::from(solved[i]) * z[j] + f64::from(point[i]) * of(j));
                    }
                    near(dots[i], (0..r).map(|j| row[j] * of(j)).sum());
                    let want: f64 = row.iter().zip(&z).map(|(p, z)| p * z).sum();
                    assert!((products[i] - want).abs() < 1e-14 * r as f64);
                }
            }
        }
    }

    /// Neither C⁻¹ nor what the scratch held is seen then: NaN in both stays there.
    #[test]
    fn the_product_is_left_out_where_no_output_takes_it() {
        for r in [8usize, 16, 25, 33, 64] {
            for rows in [1usize, 7, 128] {
                let z: Vec<f64> = (0..r).map(|j| wave(j + 5)).collect();
                let p: Vec<f32> = (0..rows * r).map(|at| wave(at + 7) as f32).collect();
                let point: Vec<f32> = (0..rows).map(|i| wave(i + 9) as f32).collect();
                let (none, mut to, mut dots) = (vec![0.0; rows], vec![9.0; rows * r], vec![9.0; rows]);
                let mut outputs = [Output { of_point: &point, of_solved: &none, to: &mut to }];
                let mut scratch = vec![f32::NAN; rows * WIDE];
                Rows::new(&vec![f64::NAN; r * r], &z, r).gradients(&p, &mut outputs, &mut dots, &mut scratch);
                let want: Vec<f32> =
                    point.iter().flat_map(|point| z.iter().map(move |z| point * *z as f32)).collect();
                assert_eq!((to, dots), (want, none), "{r}, {rows}");
            }
        }
    }
}
