//! Rows to columns and back, for blocks of `f32` in the cache.
#![expect(unsafe_code, reason = "vector loads and stores within bounds that are checked at the top")]

/// `to[j·stride + i] = from[i·columns + j]` for `rows` rows.
pub(crate) fn to_columns(from: &[f32], rows: usize, columns: usize, to: &mut [f32], stride: usize) {
    transpose(from, columns, rows, columns, to, stride);
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
        let starts = |n: usize| (0..n).step_by(8).map(move |i| i.min(n - 8));
        for j in starts(columns) {
            for i in starts(rows) {
                // SAFETY: AVX2 was detected; i + 8 ≤ rows and j + 8 ≤ columns, so that all 8 rows of 8 elements lie within
                // the lengths asserted above, on both sides.
                unsafe {
                    tile(
                        from.as_ptr().add(i * from_stride + j),
                        from_stride,
                        to.as_mut_ptr().add(j * to_stride + i),
                        to_stride,
                    );
                }
            }
        }
        return;
    }
    for i in 0..rows {
        for (j, &v) in from[i * from_stride..i * from_stride + columns].iter().enumerate() {
            to[j * to_stride + i] = v;
        }
    }
}

/// An 8×8 tile in registers: interleave pairs, pairs of pairs, halves.
///
/// # Safety
/// The machine has AVX2; 8 rows of 8 elements can be read at `from` and written at `to`, `from_stride` and `to_stride` apart.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn tile(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
    use std::arch::x86_64::{
        _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_storeu_ps, _mm256_unpackhi_ps,
        _mm256_unpacklo_ps,
    };
    // SAFETY: the caller's promise, here and for the stores.
    let rows: [_; 8] = std::array::from_fn(|i| unsafe { _mm256_loadu_ps(from.add(i * from_stride)) });
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
    for j in 0..4 {
        let (low, high) = (fours[j], fours[j + 4]);
        // SAFETY: as above.
        unsafe {
            _mm256_storeu_ps(to.add(j * to_stride), _mm256_permute2f128_ps::<0x20>(low, high));
            _mm256_storeu_ps(to.add((j + 4) * to_stride), _mm256_permute2f128_ps::<0x31>(low, high));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{to_columns, to_rows};

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
                let mut back = vec![0.0; rows * columns];
                to_rows(&turned, 128, rows, columns, &mut back);
                assert_eq!(back, from);
            }
        }
    }
}
