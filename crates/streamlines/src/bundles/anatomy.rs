//! How subjects and streamlines differ.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Tract;
use super::shape::{Knot, knots};

/// Points between two knots.
const FINE: usize = 8;

// The spreads: with them two parts of 64 streamlines of one bundle score 0.84 in BUAN at 0.05 in normalised coordinates, in the mean over
// the paper's tracts and 24 subjects. Two parts of two bundles of the paper's data score 0.81 and 0.84.

/// Radius of the disc in the cross-sections in which most streamlines run, and of that for those that stray.
const RADII: [f64; 2] = [1.6, 2.0];
/// Share of those that stray.
const STRAY: f64 = 0.2;
/// Standard deviations of how a streamline wanders at each place: in cross-sections, and in mm.
const WANDER: [f64; 2] = [0.2, 1.0];
/// Factors of the cross-sections between the ends, and at them, where the tracts fan out anyway.
const WIDTHS: [f64; 2] = [2.3, 0.6];

/// A stream of numbers that belongs to (seed, purpose, subject, tract).
#[derive(Debug)]
pub(super) struct Draw(ChaCha8Rng);

impl Draw {
    pub(super) fn new(seed: u64, purpose: [u8; 8], subject: u64, stream: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&purpose);
        key[16..24].copy_from_slice(&subject.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(stream);
        Self(rng)
    }

    /// Uniform on [0, 1).
    pub(super) fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Mean 0, variance 1, within ±6: twelve uniform numbers, which need no logarithm.
    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    fn vector(&mut self, sd: f64) -> [f64; 3] {
        std::array::from_fn(|_| sd * self.normal())
    }

    /// Uniform in the disc of radius 1.
    fn disc(&mut self) -> [f64; 2] {
        loop {
            let [x, y] = std::array::from_fn(|_| 2.0 * self.uniform() - 1.0);
            if x * x + y * y <= 1.0 {
                return [x, y];
            }
        }
    }
}

/// A tract of a subject.
#[derive(Debug)]
pub(super) struct Anatomy {
    knots: Vec<Knot>,
}

impl Anatomy {
    /// The subject's brain from its own stream, the tract from `draw`.
    pub(super) fn new(seed: u64, subject: u64, tract: Tract, draw: &mut Draw) -> Self {
        let brain = Brain::new(&mut Draw::new(seed, *b"subject\0", subject, 0));
        let mut knots = knots(tract);
        let thickness = (1.0 + 0.12 * draw.normal()).clamp(0.6, 1.4);
        let dispersion = [(); 2].map(|()| (1.0 + 0.15 * draw.normal()).clamp(0.5, 1.5));
        let (ends, bend) = ([0, knots.len() - 1], draw.vector(1.0));
        for (k, knot) in knots.iter_mut().enumerate() {
            // The whole tract bends towards one side, most in its middle; each place is a little off besides.
            let t = k as f64 / ends[1] as f64;
            let local = draw.vector(0.8);
            let bow = 4.0 * t * (1.0 - t);
            let end = ends.iter().position(|&end| end == k);
            let spread = thickness * end.map_or(WIDTHS[0], |end| WIDTHS[1] * dispersion[end]);
            let moved = std::array::from_fn(|d| knot.centre[d] + bow * bend[d] + local[d]);
            knot.centre = brain.place(moved);
            knot.axes = knot.axes.map(|axis| brain.turn(axis.map(|x| spread * x)));
        }
        Self { knots }
    }

    /// A streamline from one end to the other, in f64.
    pub(super) fn streamline(&self, draw: &mut Draw) -> Vec<[f64; 3]> {
        // Most run in the bundle, some around it.
        let radius = RADII[usize::from(draw.uniform() < STRAY)];
        let home = draw.disc().map(|x| radius * x);
        let way: Vec<[f64; 3]> = self
            .knots
            .iter()
            .map(|knot| {
                let [u, v] = home.map(|x| x + WANDER[0] * draw.normal());
                let wander = draw.vector(WANDER[1]);
                let [first, second] = knot.axes;
                std::array::from_fn(|d| knot.centre[d] + u * first[d] + v * second[d] + wander[d])
            })
            .collect();
        let parts = (way.len() - 1) as f64;
        let (from, to) = (0.05 * draw.uniform() * parts, (1.0 - 0.05 * draw.uniform()) * parts);
        let fine = (way.len() - 1) * FINE;
        (0..=fine).map(|i| spline(&way, from + (to - from) * i as f64 / fine as f64)).collect()
    }
}

/// Catmull and Rom's spline through the points, at `t` in [0, n − 1]; beyond its ends the curve's ends are mirrored.
fn spline(way: &[[f64; 3]], t: f64) -> [f64; 3] {
    let last = way.len() - 1;
    let i = (t as usize).min(last - 1);
    let t = t - i as f64;
    let (p1, p2) = (way[i], way[i + 1]);
    let p0 = if i > 0 { way[i - 1] } else { std::array::from_fn(|d| 2.0 * p1[d] - p2[d]) };
    let p3 = if i + 2 <= last { way[i + 2] } else { std::array::from_fn(|d| 2.0 * p2[d] - p1[d]) };
    std::array::from_fn(|d| {
        let (a, b, c, e) = (p0[d], p1[d], p2[d], p3[d]);
        let cubic = 3.0 * (b - c) + e - a;
        let square = 2.0 * a - 5.0 * b + 4.0 * c - e;
        b + 0.5 * t * (c - a + t * (square + t * cubic))
    })
}

/// Size, shear and pose of a subject's brain.
#[derive(Debug)]
struct Brain {
    linear: [[f64; 3]; 3],
    shift: [f64; 3],
}

impl Brain {
    fn new(draw: &mut Draw) -> Self {
        let size = 1.06 + 0.03 * draw.normal();
        let mut stretch = [[0.0; 3]; 3];
        for (i, j) in [(0, 0), (1, 1), (1, 0), (2, 2), (2, 0), (2, 1)] {
            let scale = if i == j { size * (1.0 + 0.02 * draw.normal()) } else { 0.01 * draw.normal() };
            (stretch[i][j], stretch[j][i]) = (scale, scale);
        }
        let turn = rotation(draw.vector(0.012));
        let mut linear = [[0.0; 3]; 3];
        for (i, row) in linear.iter_mut().enumerate() {
            for (j, to) in row.iter_mut().enumerate() {
                *to = (0..3).map(|k| turn[i][k] * stretch[k][j]).sum();
            }
        }
        Self { linear, shift: draw.vector(1.0) }
    }

    fn turn(&self, x: [f64; 3]) -> [f64; 3] {
        self.linear.map(|row| row[0] * x[0] + row[1] * x[1] + row[2] * x[2])
    }

    fn place(&self, x: [f64; 3]) -> [f64; 3] {
        let turned = self.turn(x);
        std::array::from_fn(|d| turned[d] + self.shift[d])
    }
}

/// Cayley's map: the rotation about w by twice the arc tangent of its length, without sine or cosine.
///
/// ```text
/// R = I + 2/(1 + ‖w‖²) (W + W²),   W x = w × x
/// ```
fn rotation(w: [f64; 3]) -> [[f64; 3]; 3] {
    let cross = [[0.0, -w[2], w[1]], [w[2], 0.0, -w[0]], [-w[1], w[0], 0.0]];
    let factor = 2.0 / (1.0 + w.iter().map(|x| x * x).sum::<f64>());
    let mut out = [[0.0; 3]; 3];
    for (i, row) in out.iter_mut().enumerate() {
        for (j, to) in row.iter_mut().enumerate() {
            let square: f64 = (0..3).map(|k| cross[i][k] * cross[k][j]).sum();
            *to = f64::from(u8::from(i == j)) + factor * (cross[i][j] + square);
        }
    }
    out
}
