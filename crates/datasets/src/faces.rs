//! Cartoon faces, drawn from a seed: images whose parts and causes are known.

use ndarray::{Array3, Array4, ArrayView3};

use crate::shuffle::{Purpose, Uniform};
use crate::{Error, ImageDataset};

/// Points per pixel and direction: edges are anti-aliased.
const POINTS: usize = 4;

/// How many faces, how large, and from which seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaceOptions {
    /// Number of faces.
    pub count: usize,
    /// Height and width in pixels, 8 to 512.
    pub size: usize,
    /// Face i depends on the seed and i alone, not on the number of faces.
    pub seed: u64,
}

impl Default for FaceOptions {
    fn default() -> Self {
        Self { count: 3000, size: 32, seed: 0 }
    }
}

/// What most of a pixel shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FaceRegion {
    /// Behind the person.
    Background,
    /// Shoulders.
    Clothes,
    /// Face, ears and neck, without what lies on them.
    Skin,
    /// Hair and brows.
    Hair,
    /// White and iris.
    Eyes,
    /// Lips.
    Mouth,
}

impl FaceRegion {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Background, Self::Clothes, Self::Skin, Self::Hair, Self::Eyes, Self::Mouth];
}

/// The shape of the hair: the class of a face.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum HairShape {
    /// None.
    Bald,
    /// A cap.
    Short,
    /// A cap, and strands down to the shoulders.
    Long,
    /// A wide round of curls.
    Curly,
}

impl HairShape {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Bald, Self::Short, Self::Long, Self::Curly];
}

/// What a face was drawn from. Colours are red, green, blue in [0, 1], of hair up to 1.05, which the image cuts off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaceFactors {
    /// From 0, dark, to 1, light.
    pub skin_tone: f64,
    /// Colour of the skin, from its tone.
    pub skin: [f64; 3],
    /// Colour of hair and brows.
    pub hair: [f64; 3],
    /// Shape of the hair.
    pub hair_shape: HairShape,
    /// Colour behind the person.
    pub background: [f64; 3],
    /// Colour of the clothes.
    pub clothes: [f64; 3],
    /// Where the face looks, from −1, the left of the image, to 1.
    pub yaw: f64,
    /// Tangent of half the angle by which the head is tilted, −0.1 to 0.1.
    pub tilt: f64,
    /// From −1 to 1.
    pub smile: f64,
    /// Half the width of the face; the image reaches from −1 to 1.
    pub width: f64,
    /// How far the eyes are open, 0.4 to 1.
    pub openness: f64,
}

/// Faces with their regions and factors.
#[derive(Debug, Clone, PartialEq)]
pub struct Faces {
    dataset: ImageDataset,
    regions: Array3<u8>,
    factors: Vec<FaceFactors>,
}

impl Faces {
    /// The images, [n, 3, size, size], with the shape of the hair as class.
    pub fn dataset(&self) -> &ImageDataset {
        &self.dataset
    }

    /// The images alone.
    pub fn into_dataset(self) -> ImageDataset {
        self.dataset
    }

    /// The [`FaceRegion`] of each pixel as its number, [n, size, size].
    pub fn regions(&self) -> ArrayView3<'_, u8> {
        self.regions.view()
    }

    /// Whether pixel (row, column) of a face shows mostly that region; `false` outside.
    pub fn shows(&self, face: usize, [row, column]: [usize; 2], region: FaceRegion) -> bool {
        self.regions.get((face, row, column)).is_some_and(|&found| found == region as u8)
    }

    /// What each face was drawn from.
    pub fn factors(&self) -> &[FaceFactors] {
        &self.factors
    }
}

/// Draws faces: skin tone, colour and shape of the hair, background, clothes, pose, smile, width and eyes vary independently.
/// The same arguments give the same bytes on every platform: nothing but sums, products and square roots is computed.
///
/// ```
/// use variata_datasets::{FaceOptions, FaceRegion, faces};
///
/// let faces = faces(&FaceOptions { count: 3, size: 32, seed: 1 })?;
/// assert_eq!(faces.dataset().images().shape(), [3, 3, 32, 32]);
/// assert!(faces.shows(0, [17, 16], FaceRegion::Skin));
/// # Ok::<(), variata_datasets::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for a size outside 8 to 512, or more faces than fit in memory.
pub fn faces(options: &FaceOptions) -> Result<Faces, Error> {
    let FaceOptions { count, size, seed } = *options;
    if !(8..=512).contains(&size) {
        return Err(Error::argument("size", size, "8 to 512"));
    }
    let bytes = count.checked_mul(4 * size * size).filter(|bytes| isize::try_from(*bytes).is_ok());
    let (mut pixels, mut regions, mut factors) = (Vec::new(), Vec::new(), Vec::new());
    let held = |bytes: usize| {
        pixels.try_reserve_exact(bytes / 4 * 3).is_ok()
            && regions.try_reserve_exact(bytes / 4).is_ok()
            && factors.try_reserve_exact(count).is_ok()
    };
    if !bytes.is_some_and(held) {
        return Err(Error::argument("count", count, "few enough that the images fit in memory"));
    }
    pixels.resize(count * 3 * size * size, 0);
    let mut images = Array4::from_shape_vec((count, 3, size, size), pixels)
        .map_err(|error| Error::argument("count", count, error.to_string()))?;
    regions.resize(count * size * size, 0);
    let mut regions = Array3::from_shape_vec((count, size, size), regions)
        .map_err(|error| Error::argument("count", count, error.to_string()))?;
    factors.extend((0..count).map(|i| FaceFactors::drawn(seed, i as u64)));
    let share = 1.0 / (POINTS * POINTS) as f64;
    for (i, factors) in factors.iter().enumerate() {
        let face = Face::new(factors);
        for (row, column) in (0..size * size).map(|at| (at / size, at % size)) {
            let (mut color, mut votes) = ([0.0; 3], [0u8; FaceRegion::ALL.len()]);
            for point in 0..POINTS * POINTS {
                let at = |pixel: usize, part: usize| {
                    let inside = (part as f64 + 0.5) / POINTS as f64;
                    2.0 * (pixel as f64 + inside) / size as f64 - 1.0
                };
                let (region, here) = face.at(at(column, point % POINTS), at(row, point / POINTS));
                votes[region as usize] += 1;
                color.iter_mut().zip(here).for_each(|(sum, c)| *sum += c * share);
            }
            for (channel, c) in color.into_iter().enumerate() {
                images[(i, channel, row, column)] = (255.0 * c.clamp(0.0, 1.0) + 0.5) as u8;
            }
            let most = (0..votes.len()).rev().max_by_key(|&region| votes[region]).unwrap_or_default();
            regions[(i, row, column)] = most as u8;
        }
    }
    let labels = factors.iter().map(|f| f.hair_shape as u8).collect();
    let dataset = ImageDataset::new("faces", images, labels, HairShape::ALL.len(), u8::MAX)?
        .with_class_names(["bald", "short hair", "long hair", "curly hair"])?;
    Ok(Faces { dataset, regions, factors })
}

/// (1 − t)·a + t·b.
fn mix(a: [f64; 3], b: [f64; 3], t: f64) -> [f64; 3] {
    std::array::from_fn(|c| (1.0 - t) * a[c] + t * b[c])
}

fn scaled(color: [f64; 3], by: f64) -> [f64; 3] {
    color.map(|c| c * by)
}

impl FaceFactors {
    fn drawn(seed: u64, face: u64) -> Self {
        const DARK: [f64; 3] = [0.36, 0.22, 0.15];
        const LIGHT: [f64; 3] = [0.98, 0.85, 0.75];
        /// Black, brown, red, blond, grey.
        const HAIR: [[f64; 3]; 5] = [
            [0.09, 0.07, 0.06],
            [0.36, 0.21, 0.10],
            [0.68, 0.27, 0.10],
            [0.91, 0.76, 0.40],
            [0.72, 0.72, 0.75],
        ];
        let mut uniform = Uniform::new(Purpose::Faces, seed, face);
        let mut between = |low: f64, high: f64| low + (high - low) * uniform.next();
        let skin_tone = between(0.0, 1.0);
        let hair = HAIR[(between(0.0, 5.0) as usize).min(4)];
        let hair = scaled(hair, between(0.85, 1.15));
        let hair_shape = HairShape::ALL[(between(0.0, 4.0) as usize).min(3)];
        let mut color = || [between(0.15, 0.9), between(0.15, 0.9), between(0.15, 0.9)];
        let (background, clothes) = (color(), color());
        Self {
            skin_tone,
            skin: mix(DARK, LIGHT, skin_tone),
            hair,
            hair_shape,
            background,
            clothes,
            yaw: between(-1.0, 1.0),
            tilt: between(-0.1, 0.1),
            smile: between(-1.0, 1.0),
            width: between(0.46, 0.58),
            openness: between(0.4, 1.0),
        }
    }
}

/// A face ready to be drawn.
struct Face<'f> {
    factors: &'f FaceFactors,
    /// Cosine and sine of the tilt.
    turn: [f64; 2],
}

/// Whether (x, y) lies in an ellipse around (cx, cy).
fn ellipse(x: f64, y: f64, [cx, cy]: [f64; 2], [rx, ry]: [f64; 2]) -> bool {
    let (x, y) = ((x - cx) / rx, (y - cy) / ry);
    x * x + y * y <= 1.0
}

impl<'f> Face<'f> {
    fn new(factors: &'f FaceFactors) -> Self {
        let t = factors.tilt;
        let whole = 1.0 + t * t;
        Self { factors, turn: [(1.0 - t * t) / whole, 2.0 * t / whole] }
    }

    /// What is seen at a point, x to the right and y down, both from −1 to 1.
    fn at(&self, x: f64, y: f64) -> (FaceRegion, [f64; 3]) {
        let f = self.factors;
        // The head turns around the neck.
        let [c, s] = self.turn;
        let (hx, hy) = (c * x + s * (y - 0.7), c * (y - 0.7) - s * x + 0.7);
        if let Some(seen) = self.head(hx, hy) {
            return seen;
        }
        if ellipse(x, y, [0.0, 1.25], [0.95, 0.52]) {
            return (FaceRegion::Clothes, scaled(f.clothes, 1.1 - 0.25 * x * x));
        }
        if x.abs() <= 0.2 && (0.4..=0.95).contains(&y) {
            return (FaceRegion::Skin, scaled(f.skin, 0.85));
        }
        if f.hair_shape == HairShape::Long && ellipse(hx, hy, [0.0, 0.15], [f.width + 0.16, 0.85]) {
            return (FaceRegion::Hair, scaled(f.hair, 0.8));
        }
        (FaceRegion::Background, scaled(f.background, 1.0 - 0.15 * y))
    }

    /// What of the head is seen in its own coordinates.
    fn head(&self, x: f64, y: f64) -> Option<(FaceRegion, [f64; 3])> {
        let f = self.factors;
        let inside = ellipse(x, y, [0.0, 0.05], [f.width, 0.66]);
        if let Some(hair) = self.hair(x, y) {
            return Some((FaceRegion::Hair, hair));
        }
        if !inside {
            let ear = ellipse(x.abs(), y, [f.width, 0.05], [0.09, 0.14]);
            return ear.then(|| (FaceRegion::Skin, scaled(f.skin, 0.88)));
        }
        // What lies on the face moves with the pose, the more the nearer it is.
        let (eyes, nose, mouth) = (x - 0.10 * f.yaw, x - 0.16 * f.yaw, x - 0.12 * f.yaw);
        let across = eyes.abs();
        if ellipse(across, y, [0.21, -0.04], [0.1, 0.065 * f.openness]) {
            let iris = ellipse(across, y, [0.21, -0.04], [0.045, 0.05]);
            return Some((FaceRegion::Eyes, if iris { [0.12, 0.14, 0.2] } else { [0.95; 3] }));
        }
        if ellipse(across, y, [0.21, -0.17], [0.12, 0.026]) {
            return Some((FaceRegion::Hair, f.hair));
        }
        // Corners up by the smile.
        let bend = y - 0.38 - 0.09 * f.smile * (1.0 - mouth * mouth / 0.02);
        if mouth.abs() <= 0.2 && bend.abs() <= 0.04 * (1.1 - mouth.abs() / 0.2) {
            return Some((FaceRegion::Mouth, mix(f.skin, [0.72, 0.16, 0.2], 0.8)));
        }
        let shade = if ellipse(nose, y, [0.0, 0.17], [0.055, 0.09]) { 0.82 } else { 1.04 - 0.3 * x * x };
        Some((FaceRegion::Skin, scaled(f.skin, shade)))
    }

    /// The colour of the hair that lies before the face, if there is any.
    fn hair(&self, x: f64, y: f64) -> Option<[f64; 3]> {
        let f = self.factors;
        let fringe = -0.3 + 0.35 * x * x;
        let over = match f.hair_shape {
            HairShape::Bald => false,
            HairShape::Short => y < fringe && ellipse(x, y, [0.0, 0.0], [f.width + 0.05, 0.7]),
            HairShape::Long => {
                let strand = x.abs() > 0.82 * f.width && y < 0.75;
                (y < fringe || strand) && ellipse(x, y, [0.0, 0.1], [f.width + 0.14, 0.84])
            }
            HairShape::Curly => {
                let face = ellipse(x, y, [0.0, 0.12], [f.width - 0.05, 0.55]);
                y < 0.25 && !face && ellipse(x, y, [0.0, -0.1], [f.width + 0.24, 0.78])
            }
        };
        over.then(|| scaled(f.hair, 1.0 + 0.12 * (-y - x * 0.4)))
    }
}
