//! Editing images by conditioning (figures 6, 11–14), with the effect measured where the data knows its regions.

use anyhow::{Context, Result};
use ndarray::{Array1, Array2, Array4};
use variata_datasets::{FaceOptions, FaceRegion, Faces, Source, faces};
use variata_lowrank_mvn::{EditSession, LowRankMvn, Observation};
use variata_models::{Autoencoder, ImageShape};
use variata_report::Metrics;
use variata_torch_bridge::tensor_from_array;

use super::SosVaeConfig;
use super::dense::{self, Comparison};
use super::models::TrainedSet;
use crate::Session;
use crate::pixels::{Pixels, as_images};

/// Rows of the figure.
const SHOWN: usize = 6;
/// Half the side of the brush, pixels.
const BRUSH: i64 = 1;

/// Colours that are painted: dark on light, light on dark, so that every edit changes something.
const DARK: [f64; 3] = [0.15, 0.1, 0.1];
const LIGHT: [f64; 3] = [0.9, 0.8, 0.4];

/// How far a region follows an edit of a few of its pixels, as a share of the change painted.
#[derive(Debug, Clone)]
pub(super) struct Following {
    pub(super) region: FaceRegion,
    /// Mean over faces, of the rest of the region, and of the rest of the image.
    pub(super) inside: f64,
    pub(super) outside: f64,
    /// Faces that show enough of the region.
    pub(super) faces: usize,
}

/// What came of editing.
#[derive(Debug)]
pub(super) struct Edits {
    /// Whether the data has regions.
    pub(super) known: bool,
    /// Empty where the data has no regions, or none of the size of the brush.
    pub(super) following: Vec<Following>,
    /// [rows · 5, c, h, w]: prediction, first edit, its result, second edit, its result.
    pub(super) strips: Array4<f32>,
    /// Whether the edits lie in hair and background, or else in the middle and a corner.
    pub(super) in_regions: bool,
    /// The conditional mean against the dense formula.
    pub(super) dense: Vec<Comparison>,
}

impl Edits {
    pub(super) fn record(&self, seed: &str, metrics: &mut Metrics) {
        for f in &self.following {
            let key = |what: &str| format!("edit/{seed}/{:?}/{what}", f.region).to_lowercase();
            metrics.insert(key("inside"), f.inside);
            metrics.insert(key("outside"), f.outside);
            metrics.insert(key("faces"), f.faces as f64);
        }
        for c in &self.dense {
            metrics.insert(format!("conditional-mean/{seed}/{}-edits", c.edits), c.errors.to_vec());
        }
    }
}

/// A part of an image.
struct Patch {
    /// Pixels of the brush, rows times width plus column.
    pixels: Vec<usize>,
}

/// Where the regions of the test images are.
struct Regions<'a> {
    faces: &'a Faces,
    image: ImageShape,
}

impl Regions<'_> {
    fn shows(&self, face: usize, pixel: usize, region: FaceRegion) -> bool {
        let width = self.image.width as usize;
        self.faces.shows(face, [pixel / width, pixel % width], region)
    }

    /// The first place where the brush lies wholly in the region.
    fn patch(&self, face: usize, region: FaceRegion) -> Option<Patch> {
        let (height, width) = (self.image.height, self.image.width);
        let brush = |y: i64, x: i64| {
            let rows = y - BRUSH..=y + BRUSH;
            rows.flat_map(move |y| (x - BRUSH..=x + BRUSH).map(move |x| (y * width + x) as usize))
        };
        let mut places = (BRUSH..height - BRUSH).flat_map(|y| (BRUSH..width - BRUSH).map(move |x| (y, x)));
        let place = places.find(|&(y, x)| brush(y, x).all(|pixel| self.shows(face, pixel, region)))?;
        Some(Patch { pixels: brush(place.0, place.1).collect() })
    }
}

impl Patch {
    /// Mean colour of the patch in an image.
    fn color(&self, image: &Array1<f32>, channels: usize) -> Vec<f64> {
        let plane = image.len() / channels;
        let mean = |c: usize| {
            let sum: f64 = self.pixels.iter().map(|p| f64::from(image[c * plane + p])).sum();
            sum / self.pixels.len() as f64
        };
        (0..channels).map(mean).collect()
    }

    /// The other of the two colours.
    fn contrast(&self, image: &Array1<f32>, channels: usize) -> Vec<f64> {
        let own = self.color(image, channels);
        let far = |color: &[f64; 3]| own.iter().zip(color).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        let color = if far(&DARK) > far(&LIGHT) { DARK } else { LIGHT };
        color[..channels.min(3)].to_vec()
    }

    fn painted(&self, color: &[f64], plane: usize) -> Vec<Observation> {
        let channel = |(c, &value): (usize, &f64)| {
            self.pixels.iter().map(move |p| Observation::exact(c * plane + p, value)).collect::<Vec<_>>()
        };
        color.iter().enumerate().flat_map(channel).collect()
    }
}

/// Share of the painted change that the values at `pixels` make, on average; `None` where there is no pixel.
fn share(
    before: &Array1<f32>,
    after: &Array1<f32>,
    change: &[f64],
    pixels: impl Iterator<Item = usize>,
) -> Option<f64> {
    let plane = before.len() / change.len();
    let size: f64 = change.iter().map(|d| d * d).sum();
    let (mut sum, mut count) = (0.0, 0usize);
    for pixel in pixels {
        let along = change.iter().enumerate().map(|(c, d)| {
            let at = c * plane + pixel;
            d * f64::from(after[at] - before[at])
        });
        sum += along.sum::<f64>() / size;
        count += 1;
    }
    (count > 0).then(|| sum / count as f64)
}

/// Edits the predictions for the first test images.
pub(super) fn measure(
    session: &Session,
    config: &SosVaeConfig,
    set: &TrainedSet,
    model: &Autoencoder,
) -> Result<Edits> {
    let image = session.image();
    let indices = &set.parts.test[..config.measure.edited.min(set.parts.test.len())];
    let x = tensor_from_array(session.data.gather(indices)?)?.to_device(session.device);
    let code = model.encode(&x, None)?.code;
    let pixels = Pixels::of(&model.decode(&code.mean, None)?)?;
    let p = pixels.low_rank().context("the observation model has no factor")?;
    let known = match session.source(super::DATA)? {
        Source::Faces(size) => {
            let count = indices.iter().max().map_or(0, |last| last + 1);
            Some(faces(&FaceOptions { size, count, ..FaceOptions::default() })?)
        }
        _ => None,
    };
    let regions = known.as_ref().map(|faces| Regions { faces, image });
    let following = regions.as_ref().map_or(Ok(Vec::new()), |r| follow(r, indices, p))?;
    let found = regions.as_ref().map(|r| strips(Some(r), indices, p, image)).transpose()?;
    // So small a face has no patch of hair, and nobody among so few may have.
    let in_regions = found.filter(|found| found.dim().0 > 0);
    Ok(Edits {
        known: regions.is_some(),
        following,
        in_regions: in_regions.is_some(),
        strips: in_regions.map_or_else(|| strips(None, indices, p, image), Ok)?,
        dense: dense::compare(&p.single(0)?)?,
    })
}

fn follow(regions: &Regions<'_>, indices: &[usize], p: &LowRankMvn<'static, f32>) -> Result<Vec<Following>> {
    let channels = regions.image.channels as usize;
    let plane = p.dim() / channels;
    let edited = [FaceRegion::Hair, FaceRegion::Skin, FaceRegion::Background, FaceRegion::Clothes];
    let mut all = Vec::new();
    for region in edited {
        let (mut inside, mut outside, mut count) = (0.0, 0.0, 0usize);
        for (item, &face) in indices.iter().enumerate() {
            let Some(patch) = regions.patch(face, region) else { continue };
            let before = p.loc().row(item).to_owned();
            let color = patch.contrast(&before, channels);
            let change: Vec<f64> =
                color.iter().zip(patch.color(&before, channels)).map(|(to, from)| to - from).collect();
            let one = p.single(item)?;
            let after = one.condition_each(&[patch.painted(&color, plane)])?.mean().row(0).to_owned();
            let others = |within: bool| {
                let here = move |pixel: &usize| regions.shows(face, *pixel, region) == within;
                (0..plane).filter(|pixel| !patch.pixels.contains(pixel)).filter(here)
            };
            let shares = (
                share(&before, &after, &change, others(true)),
                share(&before, &after, &change, others(false)),
            );
            if let (Some(within), Some(without)) = shares {
                inside += within;
                outside += without;
                count += 1;
            }
        }
        if count > 0 {
            let (inside, outside) = (inside / count as f64, outside / count as f64);
            all.push(Following { region, inside, outside, faces: count });
        }
    }
    Ok(all)
}

/// Two edits in a row of some predictions: in hair and background of those that show both, or in the middle and a corner.
fn strips(
    regions: Option<&Regions<'_>>,
    indices: &[usize],
    p: &LowRankMvn<'static, f32>,
    image: ImageShape,
) -> Result<Array4<f32>> {
    let channels = image.channels as usize;
    let (height, width, plane) = (image.height as usize, image.width as usize, p.dim() / channels);
    let square = |y: usize, x: usize| Patch {
        pixels: (y..(y + 3).min(height))
            .flat_map(|y| (x..(x + 3).min(width)).map(move |x| y * width + x))
            .collect(),
    };
    let mut rows = Vec::new();
    for (item, &face) in indices.iter().enumerate() {
        let patches = match regions {
            None => [square(height / 2, width / 2), square(height / 8, width / 8)],
            Some(regions) => {
                let found = [FaceRegion::Hair, FaceRegion::Background].map(|r| regions.patch(face, r));
                // Someone bald, for example.
                let [Some(first), Some(second)] = found else { continue };
                [first, second]
            }
        };
        let one = p.single(item)?;
        let mut session = EditSession::new(&one, 0)?;
        rows.push(session.image());
        for patch in patches {
            let now = session.image();
            let stroke = patch.painted(&patch.contrast(&now, channels), plane);
            let mut painted = now;
            for o in &stroke {
                painted[o.index] = o.value as f32;
            }
            rows.push(painted);
            session.paint(&stroke)?;
            rows.push(session.image());
        }
        if rows.len() == 5 * SHOWN {
            break;
        }
    }
    let flat = Array2::from_shape_fn((rows.len(), p.dim()), |(k, i)| rows[k][i]);
    as_images(&flat, image)
}
