//! Bundles as pictures: streamlines as thin lines in perspective-free views, nearer ones in front and brighter.

use ndarray::{Array3, Array4, ArrayView3, Axis};

/// Pixels of a view that become one pixel of the picture, along each side.
const FINE: usize = 2;
const GROUND: f32 = 0.05;

/// From where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// From the left, in front and above.
    Oblique,
    /// From the left: the front is on the left.
    Left,
    /// From above: the front is on top.
    Above,
}

impl View {
    pub(super) const ALL: [Self; 3] = [Self::Oblique, Self::Left, Self::Above];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Oblique => "oblique",
            Self::Left => "from the left",
            Self::Above => "from above",
        }
    }

    /// Of x to the right, y to the front, z up: to the right, up, and towards the eye.
    fn turn(self, [x, y, z]: [f32; 3]) -> [f32; 3] {
        match self {
            Self::Left => [-y, z, -x],
            Self::Above => [x, y, z],
            Self::Oblique => {
                // The head turned by 50° to show its left front, then bowed by 25°.
                let (s, c) = (0.766f32, 0.643f32);
                let (right, near) = (-s * y - c * x, c * y - s * x);
                let (sin, cos) = (0.423f32, 0.906f32);
                [right, cos * z - sin * near, sin * z + cos * near]
            }
        }
    }
}

/// A place for pictures that show the same part of space: all of them fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) view: View,
    pub(super) width: usize,
    pub(super) height: usize,
    centre: [f32; 2],
    depth: [f32; 2],
    scale: f32,
}

/// Streamlines of one tract, [3, streamlines, points], with the tract's number.
pub(super) type Bundle<'a> = (usize, ArrayView3<'a, f32>);

fn point(lines: &ArrayView3<'_, f32>, line: usize, at: usize) -> [f32; 3] {
    [lines[[0, line, at]], lines[[1, line, at]], lines[[2, line, at]]]
}

impl Frame {
    /// Around these bundles, with a margin of 5 %.
    pub(super) fn around(bundles: &[Bundle<'_>], view: View, [width, height]: [usize; 2]) -> Self {
        let mut low = [f32::INFINITY; 3];
        let mut high = [f32::NEG_INFINITY; 3];
        for (_, lines) in bundles {
            for line in 0..lines.dim().1 {
                for at in 0..lines.dim().2 {
                    for (axis, v) in view.turn(point(lines, line, at)).into_iter().enumerate() {
                        (low[axis], high[axis]) = (low[axis].min(v), high[axis].max(v));
                    }
                }
            }
        }
        let extent = |axis: usize| (high[axis] - low[axis]).max(1e-3);
        let scale = (width as f32 / extent(0)).min(height as f32 / extent(1)) * 0.9 * FINE as f32;
        let middle = |axis: usize| 0.5 * (low[axis] + high[axis]);
        Self { view, width, height, centre: [middle(0), middle(1)], depth: [low[2], high[2]], scale }
    }

    /// The bundles as an image [3, height, width].
    pub(super) fn draw(&self, bundles: &[Bundle<'_>]) -> Array3<f32> {
        let (width, height) = (self.width * FINE, self.height * FINE);
        let mut colors = Array3::from_elem((3, height, width), GROUND);
        let mut nearest = ndarray::Array2::from_elem((height, width), f32::NEG_INFINITY);
        for (tract, lines) in bundles {
            for line in 0..lines.dim().1 {
                let shade = 0.85 + 0.15 * ((line * 37 % 64) as f32 / 63.0);
                for at in 1..lines.dim().2 {
                    let ends = [point(lines, line, at - 1), point(lines, line, at)].map(|p| self.place(p));
                    let length = (ends[1][0] - ends[0][0]).abs().max((ends[1][1] - ends[0][1]).abs());
                    // What lies far outside is not worth its pixels.
                    let steps =
                        if length.is_finite() { length.ceil().min(4.0 * width as f32) as usize } else { 0 };
                    for k in 0..=steps {
                        let t = k as f32 / steps.max(1) as f32;
                        let [x, y, z] = std::array::from_fn(|d| ends[0][d] + t * (ends[1][d] - ends[0][d]));
                        if !(x >= 0.0 && y >= 0.0) {
                            continue;
                        }
                        let (x, y) = (x as usize, y as usize);
                        if x < width && y < height && z > nearest[[y, x]] {
                            nearest[[y, x]] = z;
                            let bright = shade * (0.45 + 0.55 * self.nearness(z));
                            for (c, value) in color(*tract).into_iter().enumerate() {
                                colors[[c, y, x]] = bright * value;
                            }
                        }
                    }
                }
            }
        }
        self.shrink(&colors)
    }

    /// To pixels, and towards the eye.
    fn place(&self, p: [f32; 3]) -> [f32; 3] {
        let [x, y, z] = self.view.turn(p);
        let half = |n: usize| 0.5 * (n * FINE) as f32;
        [
            half(self.width) + (x - self.centre[0]) * self.scale,
            half(self.height) - (y - self.centre[1]) * self.scale,
            z,
        ]
    }

    fn nearness(&self, z: f32) -> f32 {
        ((z - self.depth[0]) / (self.depth[1] - self.depth[0]).max(1e-3)).clamp(0.0, 1.0)
    }

    /// Means of squares of fine pixels.
    fn shrink(&self, fine: &Array3<f32>) -> Array3<f32> {
        Array3::from_shape_fn((3, self.height, self.width), |(c, y, x)| {
            let mut sum = 0.0;
            for dy in 0..FINE {
                for dx in 0..FINE {
                    sum += fine[[c, y * FINE + dy, x * FINE + dx]];
                }
            }
            sum / (FINE * FINE) as f32
        })
    }
}

/// Pictures of one size as a stack [n, 3, height, width].
pub(super) fn stack(pictures: &[Array3<f32>]) -> anyhow::Result<Array4<f32>> {
    let views: Vec<_> = pictures.iter().map(|x| x.view()).collect();
    Ok(ndarray::stack(Axis(0), &views)?)
}

/// Twelve colours, as far from each other as so many can be.
const COLORS: [[f32; 3]; 12] = [
    [0.90, 0.35, 0.30],
    [0.30, 0.65, 0.95],
    [0.95, 0.75, 0.25],
    [0.35, 0.80, 0.45],
    [0.70, 0.50, 0.95],
    [0.98, 0.55, 0.75],
    [0.25, 0.80, 0.80],
    [0.75, 0.85, 0.35],
    [0.95, 0.55, 0.20],
    [0.60, 0.70, 1.00],
    [0.75, 0.60, 0.45],
    [0.90, 0.90, 0.90],
];

fn color(tract: usize) -> [f32; 3] {
    COLORS[tract % COLORS.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One streamline from the back to the front, in the middle.
    fn line(height: f32) -> Array3<f32> {
        Array3::from_shape_fn((3, 1, 2), |(c, _, p)| match c {
            1 => p as f32 * 2.0 - 1.0,
            2 => height,
            _ => 0.0,
        })
    }

    #[test]
    fn the_front_is_on_the_left_of_a_view_from_the_left() {
        assert_eq!(View::Left.turn([0.0, 1.0, 0.0]), [-1.0, 0.0, 0.0]);
        assert_eq!(View::Above.turn([0.0, 1.0, 0.0]), [0.0, 1.0, 0.0]);
        // The left ear is nearer than the right, the forehead nearer than the nape, and turns keep lengths.
        let near = |p| View::Oblique.turn(p)[2];
        assert!(near([-1.0, 0.0, 0.0]) > near([1.0, 0.0, 0.0]));
        assert!(near([0.0, 1.0, 0.0]) > near([0.0, -1.0, 0.0]));
        let length = |p: [f32; 3]| p.iter().map(|v| v * v).sum::<f32>().sqrt();
        for p in [[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]] {
            assert!((length(View::Oblique.turn(p)) / length(p) - 1.0).abs() < 1e-3);
        }
    }

    #[test]
    fn a_line_is_drawn_where_it_is_and_nearer_ones_cover_it() {
        let (low, high) = (line(0.0), line(0.5));
        let both = [(0, low.view()), (2, high.view())];
        let frame = Frame::around(&both, View::Above, [20, 20]);
        let picture = frame.draw(&both);
        // From above both lie on the same pixels, and the higher one is seen.
        let seen = [0, 1, 2].map(|c| picture[[c, 10, 10]]);
        assert!(seen[1] > 0.5 * seen[0], "{seen:?}");
        let alone = frame.draw(&[(0, low.view())]);
        assert!(alone[[1, 10, 10]] < 0.5 * alone[[0, 10, 10]]);
        assert_eq!(alone[[0, 10, 2]], GROUND);
    }

    #[test]
    fn what_is_not_finite_or_outside_is_left_out() {
        let mut wild = line(0.0);
        wild[[0, 0, 1]] = f32::NAN;
        let frame = Frame::around(&[(0, line(0.0).view())], View::Above, [8, 8]);
        assert!(frame.draw(&[(0, wild.view())]).iter().all(|v| *v == GROUND));
        wild[[0, 0, 1]] = 1e9;
        frame.draw(&[(0, wild.view())]);
    }
}
