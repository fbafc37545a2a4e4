//! From a file's coordinates to world coordinates and back.

/// An affine map as the rows of a 4×4 matrix; the last row is 0, 0, 0, 1.
pub type Affine = [[f32; 4]; 4];

type Matrix = [[f64; 4]; 4];

pub(crate) const IDENTITY: Affine =
    [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]];

/// For each voxel axis, the world axis that it follows most, and whether against it.
type Directions = [(usize, bool); 3];

/// Reads three letters such as "LPS".
pub(crate) fn orientation(order: &str) -> Option<Directions> {
    let letters: [char; 3] = order.chars().collect::<Vec<_>>().try_into().ok()?;
    let mut out = [(0, false); 3];
    let mut seen = [false; 3];
    for (to, letter) in out.iter_mut().zip(letters) {
        *to = match letter {
            'R' => (0, false),
            'L' => (0, true),
            'A' => (1, false),
            'P' => (1, true),
            'S' => (2, false),
            'I' => (2, true),
            _ => return None,
        };
        if std::mem::replace(&mut seen[to.0], true) {
            return None;
        }
    }
    Some(out)
}

/// Which world axes the columns of a matrix follow, nibabel's `io_orientation` (since 5.4): by the largest entries of the nearest
/// rotation, each axis once, and first the column with the largest of all. None if the matrix is not finite or has no inverse.
pub(crate) fn directions(affine: &Affine) -> Option<Directions> {
    if affine.iter().flatten().any(|x| !x.is_finite()) {
        return None;
    }
    let mut r = [[0.0; 3]; 3];
    for (row, from) in r.iter_mut().zip(affine) {
        for (to, &from) in row.iter_mut().zip(from) {
            *to = f64::from(from);
        }
    }
    for j in 0..3 {
        let zoom = r.iter().map(|row| row[j] * row[j]).sum::<f64>().sqrt();
        if !(zoom > 0.0) {
            return None;
        }
        for row in &mut r {
            row[j] /= zoom;
        }
    }
    let mut r = nearest_rotation(r)?;
    let mut out = [(0, false); 3];
    let largest = [0, 1, 2].map(|j| r.iter().map(|row| row[j] * row[j]).fold(0.0, f64::max));
    let mut columns = [0, 1, 2];
    columns.sort_by(|&a, &b| largest[b].total_cmp(&largest[a]));
    for j in columns {
        let mut axis = 0;
        for i in 1..3 {
            if r[i][j].abs() > r[axis][j].abs() {
                axis = i;
            }
        }
        // numpy's `allclose` to 0: the column has nothing on the axes that are left.
        if !(r[axis][j].abs() > 1e-8) {
            return None;
        }
        out[j] = (axis, r[axis][j] < 0.0);
        r[axis] = [0.0; 3];
    }
    Some(out)
}

/// The orthogonal factor of the polar decomposition, by Newton's iteration X ← (X + X⁻ᵀ)/2; quadratic convergence.
fn nearest_rotation(mut x: [[f64; 3]; 3]) -> Option<[[f64; 3]; 3]> {
    // f32 cannot tell columns that are nearer to a plane from columns in it.
    if !(determinant(&x).abs() > 1e-6) {
        return None;
    }
    for _ in 0..40 {
        let inverse = inverse3(&x)?;
        let mut moved = 0.0f64;
        let before = x;
        for i in 0..3 {
            for j in 0..3 {
                x[i][j] = 0.5 * (before[i][j] + inverse[j][i]);
                moved = moved.max((x[i][j] - before[i][j]).abs());
            }
        }
        if moved < 1e-15 {
            break;
        }
    }
    Some(x)
}

/// Of the first three rows and columns.
pub(crate) fn determinant_of(affine: &Affine) -> f64 {
    determinant(&Map::new(affine).linear)
}

fn determinant(x: &[[f64; 3]; 3]) -> f64 {
    x[0][0] * (x[1][1] * x[2][2] - x[1][2] * x[2][1]) - x[0][1] * (x[1][0] * x[2][2] - x[1][2] * x[2][0])
        + x[0][2] * (x[1][0] * x[2][1] - x[1][1] * x[2][0])
}

fn inverse3(x: &[[f64; 3]; 3]) -> Option<[[f64; 3]; 3]> {
    let det = determinant(x);
    if det == 0.0 || !det.is_finite() {
        return None;
    }
    let mut out = [[0.0; 3]; 3];
    for (i, row) in out.iter_mut().enumerate() {
        for (j, to) in row.iter_mut().enumerate() {
            // The cofactor of (j, i), with cyclic indices for its sign.
            let (a, b) = ((j + 1) % 3, (j + 2) % 3);
            let (c, d) = ((i + 1) % 3, (i + 2) % 3);
            *to = (x[a][c] * x[b][d] - x[a][d] * x[b][c]) / det;
        }
    }
    Some(out)
}

/// TrackVis' coordinates to world coordinates; see [`TrkHeader::to_world`](crate::TrkHeader::to_world).
pub(crate) fn trackvis_to_world(
    affine: &Affine,
    voxel_sizes: [f32; 3],
    dimensions: [i16; 3],
    voxel_order: &str,
) -> Affine {
    // Headers are checked when they are made; the identity stands for what cannot be.
    let (Some(header), Some(implied)) = (orientation(voxel_order), directions(affine)) else {
        return IDENTITY;
    };
    // Between the voxel axes of the header and those of the affine: pairs that follow the same world axis, turned round
    // within the grid where they run against each other (nibabel's `ornt_transform` and `inv_ornt_aff`).
    let mut voxels: Matrix = [[0.0; 4]; 4];
    voxels[3][3] = 1.0;
    for (i, (axis, against)) in header.into_iter().enumerate() {
        for (j, (implied_axis, implied_against)) in implied.into_iter().enumerate() {
            if axis == implied_axis {
                let sign = if against == implied_against { 1.0 } else { -1.0 };
                let centre = -(f64::from(dimensions[i]) - 1.0) / 2.0;
                voxels[i][j] = sign;
                voxels[i][3] = sign * centre - centre;
            }
        }
    }
    let mut corner: Matrix = [[0.0; 4]; 4];
    for k in 0..3 {
        corner[k][k] = 1.0 / f64::from(voxel_sizes[k]);
        corner[k][3] = -0.5;
    }
    corner[3][3] = 1.0;
    let product = multiply(&affine.map(|row| row.map(f64::from)), &multiply(&voxels, &corner));
    let mut out = product.map(|row| row.map(|x| x as f32));
    out[3] = IDENTITY[3];
    out
}

/// Whether points can be mapped there and back.
pub(crate) fn leads_back(affine: &Affine) -> bool {
    let finite = |map: &Map| map.linear.iter().flatten().chain(&map.shift).all(|x| x.is_finite());
    let there = Map::new(affine);
    finite(&there) && there.inverse().is_some_and(|back| finite(&back))
}

fn multiply(a: &Matrix, b: &Matrix) -> Matrix {
    let mut out = [[0.0; 4]; 4];
    for (i, row) in out.iter_mut().enumerate() {
        for (j, to) in row.iter_mut().enumerate() {
            *to = (0..4).map(|k| a[i][k] * b[k][j]).sum();
        }
    }
    out
}

/// A map of points, in `f64`, with one rounding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Map {
    linear: [[f64; 3]; 3],
    shift: [f64; 3],
}

impl Map {
    pub(crate) fn new(affine: &Affine) -> Self {
        let mut map = Self { linear: [[0.0; 3]; 3], shift: [0.0; 3] };
        for (i, row) in affine.iter().take(3).enumerate() {
            map.linear[i] = [f64::from(row[0]), f64::from(row[1]), f64::from(row[2])];
            map.shift[i] = f64::from(row[3]);
        }
        map
    }

    /// The map back, if there is one.
    pub(crate) fn inverse(&self) -> Option<Self> {
        let linear = inverse3(&self.linear)?;
        let shift = linear.map(|row| -row.iter().zip(self.shift).map(|(a, b)| a * b).sum::<f64>());
        Some(Self { linear, shift })
    }

    pub(crate) fn apply(&self, p: [f32; 3]) -> [f32; 3] {
        let p = p.map(f64::from);
        std::array::from_fn(|i| {
            let row = &self.linear[i];
            (row[0] * p[0] + row[1] * p[1] + row[2] * p[2] + self.shift[i]) as f32
        })
    }
}
