//! Weather and light.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

use super::blur::{magnified, streaked};
use super::planes::{Border, Planes};

/// A random fractal in [0, 1] by midpoints on a torus (diamond and square steps): each step adds a uniform number of
/// amplitude (100/decay^step)².
fn plasma(height: usize, width: usize, decay: f64, rng: &mut impl Rng) -> Planes {
    let side = height.max(width).next_power_of_two();
    let mut map = vec![0.0; side * side];
    let (mut step, mut wobble) = (side, 100.0_f64);
    while step >= 2 {
        let half = step / 2;
        let mut place = |y: usize, x: usize, four: [(usize, usize); 4], map: &mut Vec<f64>| {
            let mean = four.iter().map(|(y, x)| map[(y % side) * side + x % side]).sum::<f64>() / 4.0;
            map[(y % side) * side + x % side] = mean + wobble * wobble * rng.random_range(-1.0..1.0);
        };
        for y in (0..side).step_by(step) {
            for x in (0..side).step_by(step) {
                place(
                    y + half,
                    x + half,
                    [(y, x), (y, x + step), (y + step, x), (y + step, x + step)],
                    &mut map,
                );
            }
        }
        for y in (0..side).step_by(step) {
            for x in (0..side).step_by(step) {
                let (up, left) = (y + side - half, x + side - half);
                place(y, x + half, [(y, x), (y, x + step), (up, x + half), (y + half, x + half)], &mut map);
                place(y + half, x, [(y, x), (y + step, x), (y + half, left), (y + half, x + half)], &mut map);
            }
        }
        (step, wobble) = (half, wobble / decay);
    }
    let low = map.iter().copied().fold(f64::INFINITY, f64::min);
    let high = map.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let spread = if high > low { high - low } else { 1.0 };
    let mut at = 0;
    Planes::plane(height, width, || {
        let value = (map[(at / width) * side + at % width] - low) / spread;
        at += 1;
        value
    })
}

/// (x + a·plasma)·max x/(max x + a).
pub(super) fn fog(mut image: Planes, level: usize, rng: &mut impl Rng) -> Planes {
    let (amount, decay) = [(0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)][level];
    let light = plasma(image.height, image.width, decay, rng);
    let most = image.data.iter().copied().fold(0.0, f64::max);
    for (pixel, light) in image.data.chunks_exact_mut(image.channels).zip(light.data) {
        for x in pixel {
            *x = (*x + amount * light) * most / (most + amount);
        }
    }
    image
}

/// Flakes that are magnified, cut at a threshold and streaked, over a paler image.
pub(super) fn snow(mut image: Planes, level: usize, rng: &mut impl Rng) -> Planes {
    let (mean, sd, zoom, least, radius, sigma, keep) = [
        (0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.95),
        (0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.8),
    ][level];
    let mut draw = || {
        let z: f64 = StandardNormal.sample(rng);
        mean + sd * z
    };
    let flakes = Planes::plane(image.height, image.width, &mut draw);
    let flakes = magnified(&flakes, zoom).map(|x| if x < least { 0.0 } else { x.min(1.0) });
    let flakes = streaked(&flakes, radius, sigma, rng.random_range(-135.0..-45.0));
    let pixels = image.height * image.width;
    for i in 0..pixels {
        let pale = image.gray(i) * 1.5 + 0.5;
        // Once as it is and once turned by 180°.
        let snow = flakes.data[i] + flakes.data[pixels - 1 - i];
        for x in &mut image.data[i * image.channels..(i + 1) * image.channels] {
            *x = keep * *x + (1.0 - keep) * x.max(pale) + snow;
        }
    }
    image
}

/// a·x + b·frost; frost is bright along the ridges where a fractal crosses ½.
pub(super) fn frost(mut image: Planes, level: usize, rng: &mut impl Rng) -> Planes {
    let (keep, amount) = [(1.0, 0.2), (1.0, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)][level];
    let colour: &[f64] = if image.channels == 1 { &[0.92] } else { &[0.85, 0.93, 1.0] };
    let ice = plasma(image.height, image.width, 1.6, rng);
    for (pixel, ice) in image.data.chunks_exact_mut(image.channels).zip(ice.data) {
        let ridge = 1.0 - (2.0 * ice - 1.0).abs();
        for (x, colour) in pixel.iter_mut().zip(colour) {
            *x = keep * *x + amount * colour * ridge * ridge;
        }
    }
    image
}

/// Drops of water, or of mud from the fourth severity on.
pub(super) fn spatter(mut image: Planes, level: usize, rng: &mut impl Rng) -> Planes {
    let (mean, sd, smooth, least, amount) = [
        (0.62, 0.1, 0.7, 0.7, 0.5),
        (0.65, 0.1, 0.8, 0.7, 0.5),
        (0.65, 0.3, 1.0, 0.69, 0.5),
        (0.65, 0.1, 0.7, 0.69, 0.6),
        (0.65, 0.1, 0.5, 0.68, 0.6),
    ][level];
    let mud = level >= 3;
    let mut draw = || {
        let z: f64 = StandardNormal.sample(rng);
        mean + sd * z
    };
    let liquid = Planes::plane(image.height, image.width, &mut draw).blurred(smooth, 4.0, Border::Nearest);
    let colour = |[r, g, b]: [f64; 3], channels: usize| match channels {
        1 => vec![(0.299 * r + 0.587 * g + 0.114 * b) / 255.0],
        _ => vec![r / 255.0, g / 255.0, b / 255.0],
    };
    if mud {
        let cover = liquid.map(|x| if x > least { 1.0 } else { 0.0 });
        // The original takes its fifth number for the blur here.
        let cover = cover.blurred(amount, 4.0, Border::Nearest).map(|x| if x < 0.8 { 0.0 } else { x });
        let colour = colour([63.0, 42.0, 20.0], image.channels);
        for (pixel, m) in image.data.chunks_exact_mut(image.channels).zip(cover.data) {
            pixel.iter_mut().zip(&colour).for_each(|(x, c)| *x = *x * (1.0 - m) + m * c);
        }
        return image;
    }
    let thick = liquid.map(|x| (x - least).max(0.0));
    let most = thick.data.iter().copied().fold(0.0, f64::max);
    if most == 0.0 {
        return image;
    }
    let colour = colour([175.0, 238.0, 238.0], image.channels);
    for (pixel, m) in image.data.chunks_exact_mut(image.channels).zip(thick.data) {
        pixel.iter_mut().zip(&colour).for_each(|(x, c)| *x += amount * m / most * c);
    }
    image
}
