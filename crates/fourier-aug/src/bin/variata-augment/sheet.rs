//! Many pictures in one.

use anyhow::{Result, ensure};
use ndarray::{Array3, s};

/// Pixels between pictures.
const GAP: usize = 2;

/// Rows of pictures [height, width, 1 or 3] on white; a cell is as large as the largest picture.
pub(crate) fn arrange(rows: &[Vec<Array3<u8>>]) -> Result<Array3<u8>> {
    let all = || rows.iter().flatten();
    let height = all().map(|picture| picture.dim().0).max().unwrap_or(0) + GAP;
    let width = all().map(|picture| picture.dim().1).max().unwrap_or(0) + GAP;
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let (total_height, total_width) = (rows.len() * height + GAP, columns * width + GAP);
    ensure!(
        total_height.saturating_mul(total_width) <= 1 << 28,
        "a sheet of {total_height} × {total_width} pixels is too large; ask for fewer images or views"
    );
    let mut sheet = Array3::from_elem((total_height, total_width, 3), 255);
    for (i, row) in rows.iter().enumerate() {
        for (j, picture) in row.iter().enumerate() {
            let (h, w, channels) = picture.dim();
            let (top, left) = (GAP + i * height, GAP + j * width);
            for c in 0..3 {
                let from = picture.slice(s![.., .., c.min(channels - 1)]);
                sheet.slice_mut(s![top..top + h, left..left + w, c]).assign(&from);
            }
        }
    }
    Ok(sheet)
}
