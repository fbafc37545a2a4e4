//! Loss of sharpness.

use rand::{Rng, RngExt};

use super::planes::{Border, Planes, gaussian_kernel};

/// A kernel cut at four standard deviations, borders repeated.
pub(super) fn gaussian(image: &Planes, level: usize) -> Planes {
    image.blurred([0.4, 0.6, 0.7, 0.8, 1.0][level], 4.0, Border::Nearest)
}

/// Side of the disc's kernel: the largest radius reaches 1 pixel, the blur one more, and beyond that lies a border of 0.
const SIDE: usize = 7;

/// A disc of pixels whose centres are within the radius, blurred by 3×3 Gaussian weights.
pub(super) fn defocus(image: &Planes, level: usize) -> Planes {
    let (radius, alias) = [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)][level];
    let disc = Planes::plane(SIDE, SIDE, {
        let mut at = 0;
        move || {
            let (y, x) = ((at / SIDE) as f64 - 3.0, (at % SIDE) as f64 - 3.0);
            at += 1;
            if y * y + x * x <= radius * radius { 1.0 } else { 0.0 }
        }
    });
    let total: f64 = disc.data.iter().sum();
    let kernel = disc.separable(&gaussian_kernel(alias, 1), Border::Mirror).map(|w| w / total);
    let mut result = Planes::filled(image.height, image.width, image.channels, 0.0);
    for ky in 0..SIDE {
        for kx in 0..SIDE {
            let weight = kernel.at(ky, kx, 0);
            if weight == 0.0 {
                continue;
            }
            for y in 0..image.height {
                let from_y = Border::Mirror.inside(y as isize + ky as isize - 3, image.height);
                for x in 0..image.width {
                    let from_x = Border::Mirror.inside(x as isize + kx as isize - 3, image.width);
                    for c in 0..image.channels {
                        result.data[(y * image.width + x) * image.channels + c] +=
                            weight * image.at(from_y, from_x, c);
                    }
                }
            }
        }
    }
    result
}

/// What is added to levels before they are truncated, so that a mean of equal ones does not fall below them by rounding.
pub(super) const EVEN: f64 = 1e-9;

/// Blur, exchange of pixels with a neighbour above or to the left, blur. The first row and column are neighbours only.
pub(super) fn glass(image: &Planes, level: usize, eight_bits: bool, rng: &mut impl Rng) -> Planes {
    let (sigma, rounds) = [(0.05, 1), (0.25, 1), (0.4, 1), (0.25, 2), (0.4, 2)][level];
    let mut image = image.blurred(sigma, 4.0, Border::Nearest);
    if eight_bits {
        image = image.map(|x| (x * 255.0 + EVEN).floor() / 255.0);
    }
    let (height, width, channels) = (image.height, image.width, image.channels);
    for _ in 0..rounds {
        for y in (2..height).rev() {
            for x in (2..width).rev() {
                let (dy, dx) = (usize::from(rng.random::<bool>()), usize::from(rng.random::<bool>()));
                let (from, to) = ((y * width + x) * channels, ((y - dy) * width + x - dx) * channels);
                for c in 0..channels {
                    image.data.swap(from + c, to + c);
                }
            }
        }
    }
    image.blurred(sigma, 4.0, Border::Nearest)
}

/// Along a direction within 45° of the horizontal.
pub(super) fn motion(image: &Planes, level: usize, rng: &mut impl Rng) -> Planes {
    let (radius, sigma) = [(6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5)][level];
    streaked(image, radius, sigma, rng.random_range(-45.0..45.0))
}

/// Half a Gaussian of 2·radius + 1 weights behind each pixel, in direction `angle` (degrees), borders repeated.
pub(super) fn streaked(image: &Planes, radius: usize, sigma: f64, angle: f64) -> Planes {
    let weights: Vec<f64> =
        (0..=2 * radius).map(|i| (-0.5 * (i * i) as f64 / (sigma * sigma)).exp()).collect();
    let total: f64 = weights.iter().sum();
    let (dy, dx) = angle.to_radians().sin_cos();
    let mut result = Planes::filled(image.height, image.width, image.channels, 0.0);
    for y in 0..image.height {
        for x in 0..image.width {
            for c in 0..image.channels {
                let sum: f64 = weights
                    .iter()
                    .enumerate()
                    .map(|(i, w)| {
                        let (y, x) = (y as f64 + i as f64 * dy, x as f64 + i as f64 * dx);
                        w * image.between(y, x, c, Border::Nearest)
                    })
                    .sum();
                result.data[(y * image.width + x) * image.channels + c] = sum / total;
            }
        }
    }
    result
}

/// Mean of the image and its magnifications by 1, 1.01, … .
pub(super) fn zoom(image: &Planes, level: usize) -> Planes {
    // The original's `arange` leaves out its end, but where rounding puts that behind one more step.
    let steps = [6, 11, 15, 20, 25][level];
    let mut sum = image.data.clone();
    for step in 0..=steps {
        // As `arange` adds up its steps: whether 12/1.2 lines are 10 or 11 depends on it.
        let zoomed = magnified(image, 1.0 + step as f64 * (1.01 - 1.0));
        for (sum, x) in sum.iter_mut().zip(zoomed.data) {
            *sum += x;
        }
    }
    let count = (steps + 2) as f64;
    Planes { data: sum.into_iter().map(|x| x / count).collect(), ..*image }
}

/// The central part, magnified to the image's size: corners of the part fall on corners, bilinear between.
pub(super) fn magnified(image: &Planes, zoom: f64) -> Planes {
    let axis = |n: usize| {
        let part = (n as f64 / zoom).ceil() as usize;
        let (first, all) = ((n - part) / 2, (part as f64 * zoom).round_ties_even() as usize);
        // Of `all` magnified lines the middle n are kept.
        let skip = all.saturating_sub(n) / 2;
        let scale = if all > 1 { (part - 1) as f64 / (all - 1) as f64 } else { 0.0 };
        move |i: usize| first as f64 + (i + skip) as f64 * scale
    };
    let (row, column) = (axis(image.height), axis(image.width));
    let mut result = Planes::filled(image.height, image.width, image.channels, 0.0);
    for y in 0..image.height {
        for x in 0..image.width {
            for c in 0..image.channels {
                result.data[(y * image.width + x) * image.channels + c] =
                    image.between(row(y), column(x), c, Border::Nearest);
            }
        }
    }
    result
}
