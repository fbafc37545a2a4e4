//! Colour, shape and resolution.

use rand::{Rng, RngExt};

use super::planes::{Border, Planes};

/// Value in HSV + b; with one channel the pixel + b.
pub(super) fn brightness(image: Planes, level: usize) -> Planes {
    let shift = [0.05, 0.1, 0.15, 0.2, 0.3][level];
    if image.channels == 1 {
        return image.map(|x| x + shift);
    }
    image.map_hsv(|[h, s, v]| [h, s, (v + shift).min(1.0)])
}

/// a·saturation + b in HSV.
pub(super) fn saturate(image: Planes, level: usize) -> Planes {
    let (scale, shift) = [(0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2)][level];
    if image.channels == 1 {
        return image;
    }
    image.map_hsv(|[h, s, v]| [h, (s * scale + shift).clamp(0.0, 1.0), v])
}

/// mean + c(x − mean), each channel by itself.
pub(super) fn contrast(mut image: Planes, level: usize) -> Planes {
    let scale = [0.75, 0.5, 0.4, 0.3, 0.15][level];
    let pixels = (image.height * image.width) as f64;
    for c in 0..image.channels {
        let channel = || image.data.iter().skip(c).step_by(image.channels);
        let mean = channel().sum::<f64>() / pixels;
        for x in image.data.iter_mut().skip(c).step_by(image.channels) {
            *x = (*x - mean) * scale + mean;
        }
    }
    image
}

/// A random affine map of three points about the centre, then random smooth displacements.
pub(super) fn elastic(image: &Planes, level: usize, rng: &mut impl Rng) -> Planes {
    // In shares of the shorter side: size and smoothness of the displacements, reach of the affine map.
    let (reach, smooth, affine) =
        [(0.0, 0.0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)]
            [level];
    let side = image.height.min(image.width) as f64;
    let (cy, cx) = ((image.height / 2) as f64, (image.width / 2) as f64);
    let third = (image.height.min(image.width) / 3) as f64;
    let from = [(cy + third, cx + third), (cy - third, cx + third), (cy - third, cx - third)];
    let mut moved = |v: f64| v + affine * side * rng.random_range(-1.0..1.0);
    let to = from.map(|(y, x)| (moved(y), moved(x)));
    // The three points are one in images of one or two pixels; draws that put them on a line do not happen in others.
    let map = if third > 0.0 { affine_map(to, from) } else { None };
    let moved = map.map_or_else(|| image.clone(), |map| warped(image, &map));
    let mut field = || {
        let noise = Planes::plane(image.height, image.width, || rng.random_range(-1.0..1.0));
        if smooth == 0.0 {
            return Planes::filled(image.height, image.width, 1, 0.0);
        }
        noise.blurred(smooth * side, 3.0, Border::Reflect).map(|d| d * reach * side)
    };
    let (dx, dy) = (field(), field());
    displaced(&moved, &dy.data, &dx.data)
}

/// The affine map that takes the first points to the second, as rows of (y, x, 1) coefficients.
fn affine_map(from: [(f64, f64); 3], to: [(f64, f64); 3]) -> Option<[[f64; 3]; 2]> {
    let [(y0, x0), (y1, x1), (y2, x2)] = from;
    let (a, b, c, d) = (y1 - y0, x1 - x0, y2 - y0, x2 - x0);
    let determinant = a * d - b * c;
    if !(determinant.abs() > 1e-9) {
        return None;
    }
    let row = |t: [f64; 3]| {
        let (s, t0, t2) = (t[1] - t[0], t[0], t[2] - t[0]);
        let (by_y, by_x) = ((s * d - t2 * b) / determinant, (a * t2 - c * s) / determinant);
        [by_y, by_x, t0 - by_y * y0 - by_x * x0]
    };
    Some([row(to.map(|p| p.0)), row(to.map(|p| p.1))])
}

fn warped(image: &Planes, [row, column]: &[[f64; 3]; 2]) -> Planes {
    let mut result = Planes::filled(image.height, image.width, image.channels, 0.0);
    for y in 0..image.height {
        for x in 0..image.width {
            let (fy, fx) = (y as f64, x as f64);
            let from_y = row[0] * fy + row[1] * fx + row[2];
            let from_x = column[0] * fy + column[1] * fx + column[2];
            for c in 0..image.channels {
                result.data[(y * image.width + x) * image.channels + c] =
                    image.between(from_y, from_x, c, Border::Mirror);
            }
        }
    }
    result
}

/// Each pixel read from where the fields point, bilinear.
pub(super) fn displaced(image: &Planes, dy: &[f64], dx: &[f64]) -> Planes {
    let mut result = Planes::filled(image.height, image.width, image.channels, 0.0);
    for y in 0..image.height {
        for x in 0..image.width {
            let at = y * image.width + x;
            for c in 0..image.channels {
                result.data[at * image.channels + c] =
                    image.between(y as f64 + dy[at], x as f64 + dx[at], c, Border::Reflect);
            }
        }
    }
    result
}

/// Resized by boxes to a share of the size and back.
pub(super) fn pixelate(image: &Planes, level: usize, eight_bits: bool) -> Planes {
    let share = [0.95, 0.9, 0.85, 0.75, 0.65][level];
    let small = |n: usize| ((n as f64 * share) as usize).max(1);
    let (height, width) = (small(image.height), small(image.width));
    let down = resized(image, height, width, eight_bits);
    let up = resized(&down, image.height, image.width, eight_bits);
    up.map(|x| if eight_bits { level_of(x) } else { x })
}

/// A number that truncates to the nearest of the 256 levels.
pub(super) fn level_of(x: f64) -> f64 {
    (x * 255.0).round() / 255.0
}

/// Pillow's box filter, along x first; rounded to 8 bits after each axis if that is asked for.
fn resized(image: &Planes, height: usize, width: usize, eight_bits: bool) -> Planes {
    let mut narrow = Planes::filled(image.height, width, image.channels, 0.0);
    for (x, (first, weights)) in boxes(image.width, width).into_iter().enumerate() {
        for y in 0..image.height {
            for c in 0..image.channels {
                let values = weights.iter().enumerate().map(|(k, w)| (*w, image.at(y, first + k, c)));
                narrow.data[(y * width + x) * image.channels + c] = weighted(values, eight_bits);
            }
        }
    }
    let mut result = Planes::filled(height, width, image.channels, 0.0);
    for (y, (first, weights)) in boxes(image.height, height).into_iter().enumerate() {
        for x in 0..width {
            for c in 0..image.channels {
                let values = weights.iter().enumerate().map(|(k, w)| (*w, narrow.at(first + k, x, c)));
                result.data[(y * width + x) * image.channels + c] = weighted(values, eight_bits);
            }
        }
    }
    result
}

/// Weighted sum, in Pillow's fixed point of 22 bits if it is to be rounded.
fn weighted(values: impl Iterator<Item = (f64, f64)>, eight_bits: bool) -> f64 {
    if !eight_bits {
        return values.map(|(w, x)| w * x).sum();
    }
    let fixed = |(w, x): (f64, f64)| (w * f64::from(1 << 22) + 0.5) as i64 * (x * 255.0).round() as i64;
    let sum: i64 = values.map(fixed).sum();
    ((sum + (1 << 21)) >> 22).clamp(0, 255) as f64 / 255.0
}

/// For each of `to` lines the first line it covers and their weights.
fn boxes(from: usize, to: usize) -> Vec<(usize, Vec<f64>)> {
    let scale = from as f64 / to as f64;
    let width = scale.max(1.0);
    let of = |i: usize| {
        let centre = (i as f64 + 0.5) * scale;
        let first = (centre - 0.5 * width + 0.5).max(0.0) as usize;
        let end = ((centre + 0.5 * width + 0.5) as usize).min(from);
        let inside = |k: usize| {
            let at = (k as f64 - centre + 0.5) / width;
            if at > -0.5 && at <= 0.5 { 1.0 } else { 0.0 }
        };
        let weights: Vec<f64> = (first..end).map(inside).collect();
        let total: f64 = weights.iter().sum();
        (first, weights.into_iter().map(|w| w / total).collect())
    };
    (0..to).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use variata_testkit::compare::assert_relative;
    use variata_testkit::golden::Table;

    #[test]
    fn displacements_agree_with_scipy() {
        let table = Table::parse(include_str!("../../tests/golden/displaced.tsv")).unwrap();
        let column = |name: &str| table.column(name).unwrap();
        let image = Planes { height: 12, width: 16, channels: 1, data: column("image") };
        let found = displaced(&image, &column("dy"), &column("dx"));
        for (got, want) in found.data.iter().zip(column("displaced")) {
            assert_relative("displaced", *got, want, 1e-13, 1e-13);
        }
    }

    #[test]
    fn the_affine_map_takes_its_points_along() {
        let (from, to) = ([(1.0, 2.0), (4.0, -1.0), (0.5, 7.0)], [(0.0, 3.0), (2.0, 2.5), (-1.0, 8.0)]);
        let [row, column] = affine_map(from, to).unwrap();
        for ((y, x), (to_y, to_x)) in from.into_iter().zip(to) {
            assert_relative("y", row[0] * y + row[1] * x + row[2], to_y, 1e-14, 1.0);
            assert_relative("x", column[0] * y + column[1] * x + column[2], to_x, 1e-14, 1.0);
        }
        assert_eq!(affine_map([(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)], to), None);
    }
}
