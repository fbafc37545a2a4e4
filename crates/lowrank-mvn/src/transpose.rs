//! Rows to columns and back, for blocks of `f32` in the cache.
#![expect(unsafe_code, reason = "vector loads and stores within bounds that are checked at the top")]

/// Rows ahead that are fetched into the cache.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 128;
/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

/// `to[j·stride + i] = from[i·columns + j]` for `rows` rows.
pub(crate) fn to_columns(from: &[f32], rows: usize, columns: usize, to: &mut [f32], stride: usize) {
    transpose(from, columns, rows, columns, to, stride);
}

/// `to[j·stride + i] = weights[i]·from[i·columns + j]` for `rows` rows.
pub(crate) fn to_weighted_columns(
    from: &[f32],
    rows: usize,
    columns: usize,
    weights: &[f64],
    to: &mut [f64],
    stride: usize,
) {
    if rows == 0 || columns == 0 {
        return;
    }
    // What the vector loop relies on.
    assert!(rows <= stride && weights.len() >= rows);
    assert!(from.len() >= rows * columns && to.len() >= (columns - 1) * stride + rows);
    #[cfg(target_arch = "x86_64")]
    if rows >= 8 && columns >= 8 && is_x86_feature_detected!("avx2") {
        let tiles = if is_x86_feature_detected!("avx512f") { weighted_tiles_wide } else { weighted_tiles };
        // SAFETY: what each needs was detected, and the lengths are asserted above.
        unsafe { tiles(from.as_ptr(), rows, columns, weights.as_ptr(), to.as_mut_ptr(), stride) };
        return;
    }
    for (i, (row, w)) in from.chunks_exact(columns).zip(&weights[..rows]).enumerate() {
        for (j, &v) in row.iter().enumerate() {
            to[j * stride + i] = w * f64::from(v);
        }
    }
}

/// `to[i·columns + j] = from[j·stride + i]` for `rows` rows.
pub(crate) fn to_rows(from: &[f32], stride: usize, rows: usize, columns: usize, to: &mut [f32]) {
    transpose(from, stride, columns, rows, to, columns);
}

/// The same slice, where its elements are singles.
pub(crate) fn as_singles<E: 'static>(slice: &[E]) -> Option<&[f32]> {
    if std::any::TypeId::of::<E>() != std::any::TypeId::of::<f32>() {
        return None;
    }
    // SAFETY: E is f32.
    Some(unsafe { std::slice::from_raw_parts(slice.as_ptr().cast(), slice.len()) })
}

/// The same slice, where its elements are singles.
pub(crate) fn as_singles_mut<F: 'static>(slice: &mut [F]) -> Option<&mut [f32]> {
    if std::any::TypeId::of::<F>() != std::any::TypeId::of::<f32>() {
        return None;
    }
    // SAFETY: F is f32.
    Some(unsafe { std::slice::from_raw_parts_mut(slice.as_mut_ptr().cast(), slice.len()) })
}

/// `to[j·to_stride + i] = from[i·from_stride + j]` for i < rows, j < columns.
fn transpose(
    from: &[f32],
    from_stride: usize,
    rows: usize,
    columns: usize,
    to: &mut [f32],
    to_stride: usize,
) {
    if rows == 0 || columns == 0 {
        return;
    }
    // What the vector loop relies on.
    assert!(columns <= from_stride && rows <= to_stride);
    assert!(from.len() >= (rows - 1) * from_stride + columns && to.len() >= (columns - 1) * to_stride + rows);
    #[cfg(target_arch = "x86_64")]
    if rows >= 8 && columns >= 8 && is_x86_feature_detected!("avx2") {
        // SAFETY: AVX2 was detected, and both lengths are asserted above.
        unsafe { tiles(from.as_ptr(), from_stride, rows, columns, to.as_mut_ptr(), to_stride) };
        return;
    }
    for i in 0..rows {
        for (j, &v) in from[i * from_stride..i * from_stride + columns].iter().enumerate() {
            to[j * to_stride + i] = v;
        }
    }
}

/// All in 8×8 tiles; the last of each direction overlap those before them.
///
/// # Safety
/// The machine has AVX2; rows and columns are ≥ 8; `rows` rows of `columns` elements can be read at `from`, and as many
/// columns written at `to`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn tiles(
    from: *const f32,
    from_stride: usize,
    rows: usize,
    columns: usize,
    to: *mut f32,
    to_stride: usize,
) {
    use std::arch::x86_64::_mm256_storeu_ps;
    let tile = |i: usize, j: usize| {
        // SAFETY: i + 8 ≤ rows and j + 8 ≤ columns, so that the tile lies within what the caller promises.
        unsafe {
            for (k, column) in tile(from.add(i * from_stride + j), from_stride).into_iter().enumerate() {
                _mm256_storeu_ps(to.add((j + k) * to_stride + i), column);
            }
        }
    };
    let starts = |n: usize| (0..n).step_by(8).map(move |i| i.min(n - 8));
    // Along the rows of the side that lies in memory, not of the block in the cache.
    if from_stride == columns {
        for i in starts(rows) {
            prefetch(from.wrapping_add((i + AHEAD) * from_stride), 8 * from_stride);
            starts(columns).for_each(|j| tile(i, j));
        }
    } else {
        for j in starts(columns) {
            prefetch(to.cast_const().wrapping_add((j + AHEAD) * to_stride), 8 * to_stride);
            starts(rows).for_each(|i| tile(i, j));
        }
    }
}

/// As [`tiles`], of rows that follow each other, each multiplied by its weight.
///
/// # Safety
/// The machine has AVX2; rows and columns are ≥ 8; `rows` rows of `columns` elements can be read at `from`, `rows` at `weights`,
/// and `columns` columns of `rows` elements, `stride` apart, written at `to`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn weighted_tiles(
    from: *const f32,
    rows: usize,
    columns: usize,
    weights: *const f64,
    to: *mut f64,
    stride: usize,
) {
    use std::arch::x86_64::{
        _mm256_castps256_ps128, _mm256_cvtps_pd, _mm256_extractf128_ps, _mm256_loadu_pd, _mm256_mul_pd,
        _mm256_storeu_pd,
    };
    for i in (0..rows).step_by(8).map(|i| i.min(rows - 8)) {
        // SAFETY: i + 8 ≤ rows, here and below, and j + 8 ≤ columns.
        let w = [0, 4].map(|half| unsafe { _mm256_loadu_pd(weights.add(i + half)) });
        for j in (0..columns).step_by(8).map(|j| j.min(columns - 8)) {
            // SAFETY: as above.
            let turned = unsafe { tile(from.add(i * columns + j), columns) };
            for (k, column) in turned.into_iter().enumerate() {
                let halves = [_mm256_castps256_ps128(column), _mm256_extractf128_ps::<1>(column)];
                for (half, (column, w)) in halves.into_iter().zip(w).enumerate() {
                    let weighted = _mm256_mul_pd(w, _mm256_cvtps_pd(column));
                    // SAFETY: as above.
                    unsafe { _mm256_storeu_pd(to.add((j + k) * stride + i + 4 * half), weighted) };
                }
            }
        }
    }
}

/// [`weighted_tiles`] with the longest vectors.
///
/// # Safety
/// As there; the machine has AVX-512F, too.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f")]
unsafe fn weighted_tiles_wide(
    from: *const f32,
    rows: usize,
    columns: usize,
    weights: *const f64,
    to: *mut f64,
    stride: usize,
) {
    use std::arch::x86_64::{_mm512_cvtps_pd, _mm512_loadu_pd, _mm512_mul_pd, _mm512_storeu_pd};
    for i in (0..rows).step_by(8).map(|i| i.min(rows - 8)) {
        // SAFETY: i + 8 ≤ rows, here and below, and j + 8 ≤ columns.
        let w = unsafe { _mm512_loadu_pd(weights.add(i)) };
        for j in (0..columns).step_by(8).map(|j| j.min(columns - 8)) {
            // SAFETY: as above.
            let turned = unsafe { tile(from.add(i * columns + j), columns) };
            for (k, column) in turned.into_iter().enumerate() {
                let weighted = _mm512_mul_pd(w, _mm512_cvtps_pd(column));
                // SAFETY: as above.
                unsafe { _mm512_storeu_pd(to.add((j + k) * stride + i), weighted) };
            }
        }
    }
}

/// Memory that is read next, in runs of one length, for whoever computes meanwhile to fetch into the cache piece by
/// piece: all at once it would keep the loads that follow waiting.
#[must_use]
pub(crate) struct Ahead {
    start: *const u8,
    /// Bytes from one run to the next.
    distance: isize,
    runs: usize,
    /// Bytes of a run.
    len: usize,
    /// Bytes of the first run that are done.
    done: usize,
    /// Lines per piece.
    share: usize,
}

impl Ahead {
    /// Runs of `len` elements, `distance` apart, to be read.
    pub(crate) fn new<T>(start: *const T, len: usize, runs: usize, distance: isize) -> Self {
        let size = size_of::<T>();
        let distance = distance * size as isize;
        Self { start: start.cast(), distance, runs, len: len * size, done: 0, share: 0 }
    }

    /// Fetches all of it.
    pub(crate) fn fetch_all(mut self) {
        self.spread(1);
        self.fetch();
    }

    /// In so many pieces.
    pub(crate) fn spread(&mut self, pieces: usize) {
        self.share = (self.runs * self.len.div_ceil(LINE)).div_ceil(pieces.max(1));
    }

    /// Fetches the next piece.
    #[inline(always)]
    pub(crate) fn fetch(&mut self) {
        for _ in 0..self.share {
            if self.runs == 0 {
                return;
            }
            prefetch(self.start.wrapping_add(self.done), 1);
            self.done += LINE;
            if self.done >= self.len {
                (self.done, self.runs) = (0, self.runs - 1);
                self.start = self.start.wrapping_offset(self.distance);
            }
        }
    }
}

/// Fetches `len` elements into the cache, where the hardware does not see through the pattern of the accesses.
#[inline(always)]
#[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "no such instruction"))]
pub(crate) fn prefetch<T>(from: *const T, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for byte in (0..len * size_of::<T>()).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch never faults, wherever it points, and every x86-64 has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast::<i8>().wrapping_add(byte)) };
    }
}

/// The columns of an 8×8 tile: interleave pairs, pairs of pairs, halves.
///
/// # Safety
/// The machine has AVX2; 8 rows of 8 elements can be read at `from`, `stride` apart.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn tile(from: *const f32, stride: usize) -> [std::arch::x86_64::__m256; 8] {
    use std::arch::x86_64::{
        _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_unpackhi_ps, _mm256_unpacklo_ps,
    };
    // SAFETY: the caller's promise.
    let rows: [_; 8] = std::array::from_fn(|i| unsafe { _mm256_loadu_ps(from.add(i * stride)) });
    let mut pairs = rows;
    for i in 0..4 {
        pairs[2 * i] = _mm256_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i + 1] = _mm256_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
    }
    let mut fours = pairs;
    for half in [0, 4] {
        for k in 0..2 {
            let (a, b) = (pairs[half + k], pairs[half + k + 2]);
            fours[half + 2 * k] = _mm256_shuffle_ps::<0x44>(a, b);
            fours[half + 2 * k + 1] = _mm256_shuffle_ps::<0xee>(a, b);
        }
    }
    let mut columns = fours;
    for j in 0..4 {
        columns[j] = _mm256_permute2f128_ps::<0x20>(fours[j], fours[j + 4]);
        columns[j + 4] = _mm256_permute2f128_ps::<0x31>(fours[j], fours[j + 4]);
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::{to_columns, to_rows, to_weighted_columns};

    #[test]
    fn there_and_back() {
        for rows in [1usize, 7, 8, 9, 64, 127] {
            for columns in [1, 2, 7, 8, 9, 25, 64] {
                let from: Vec<f32> = (0..rows * columns).map(|v| v as f32).collect();
                let mut turned = vec![-1.0; columns * 128];
                to_columns(&from, rows, columns, &mut turned, 128);
                for i in 0..rows {
                    for j in 0..columns {
                        assert_eq!(
                            turned[j * 128 + i],
                            from[i * columns + j],
                            "{rows}×{columns} at {i}, {j}"
                        );
                    }
                }
                let untouched = turned.chunks(128).flat_map(|column| &column[rows..]);
                assert!(untouched.into_iter().all(|&v| v == -1.0));
                let weights: Vec<f64> = (0..rows).map(|i| 0.1 + i as f64).collect();
                let mut weighted = vec![-1.0; columns * 128];
                to_weighted_columns(&from, rows, columns, &weights, &mut weighted, 128);
                for (weighted, turned) in weighted.chunks(128).zip(turned.chunks(128)) {
                    for i in 0..128 {
                        let want = if i < rows { weights[i] * f64::from(turned[i]) } else { -1.0 };
                        assert_eq!(weighted[i], want, "{rows}×{columns} at {i}");
                    }
                }
                let mut back = vec![0.0; rows * columns];
                to_rows(&turned, 128, rows, columns, &mut back);
                assert_eq!(back, from);
            }
        }
    }
}
