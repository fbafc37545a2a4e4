//! `variata-augment`: AugMix, plane waves and corruptions for folders of images, outside of Rust.

mod files;
mod folder;
mod sheet;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand};
use ndarray::{Array3, Array4, Axis};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use variata_fourier_aug::{
    AugMix, AugMixOptions, AugmentationSet, Corruption, Grid, Image, Layout, Normalize, Operation, Pipeline,
    PlaneWave, Primitive, WaveSampler, WaveSamplerOptions, WaveVector, corrupt, write_png,
};

#[derive(Parser)]
#[command(
    version,
    about = "AugMix, plane waves and corruptions for folders of PNG and JPEG files; transparency is dropped"
)]
struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Write augmented copies of every image of a folder, as PNG.
    Augment {
        /// Folder of images.
        input: PathBuf,
        /// Folder of the copies, made if it is not there: NAME-1.png, NAME-2.png, …
        output: PathBuf,
        /// Copies of each image.
        #[arg(long, default_value_t = 1)]
        copies: usize,
        #[command(flatten)]
        mix: Mix,
    },
    /// Write one PNG with some images, and views of each beside it.
    Sheet {
        /// Folder of images.
        input: PathBuf,
        /// The PNG.
        output: PathBuf,
        /// Views of each image.
        #[arg(long, default_value_t = 6)]
        views: usize,
        /// Images at most.
        #[arg(long, default_value_t = 8)]
        images: usize,
        #[command(flatten)]
        mix: Mix,
    },
    /// Write one PNG with what each operation makes of an image: movements, levels, enhancements, waves; the image first in each row.
    Operations {
        /// The image.
        input: PathBuf,
        /// The PNG.
        output: PathBuf,
        /// Largest strength, from 0 to 10.
        #[arg(long, default_value_t = 10.0, value_parser = strength)]
        severity: f64,
        /// Seed of all chance.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Write one PNG with every distinct plane wave in its place, the lowest frequency in the middle.
    Waves {
        /// The PNG.
        output: PathBuf,
        /// Pixels of a side of each wave, at most 32.
        #[arg(long, default_value_t = 8)]
        size: usize,
        /// Phase in radians.
        #[arg(long, default_value_t = std::f64::consts::FRAC_PI_4)]
        phase: f64,
    },
    /// Write a corrupted copy of every image of a folder, as PNG.
    Corrupt {
        /// Folder of images.
        input: PathBuf,
        /// Folder of the copies, made if it is not there.
        output: PathBuf,
        /// A corruption of CIFAR-10-C, such as fog or gaussian_noise, in upper or lower case.
        #[arg(long)]
        corruption: Corruption,
        /// From 1 to 5.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=5))]
        severity: u8,
        /// Seed of all chance.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
}

/// What AugMix draws.
#[derive(Args)]
struct Mix {
    /// AugF, AugS, AugSF, AugSV, AugSVC or AugSVF.
    #[arg(long, default_value = "AugSVF", value_parser = set)]
    set: AugmentationSet,
    /// Largest strength, from 0 to 10.
    #[arg(long, default_value_t = 3.0, value_parser = strength)]
    severity: f64,
    /// Seed of all chance.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// A set that changes images.
fn set(name: &str) -> Result<AugmentationSet, String> {
    let changing = |set: &AugmentationSet| *set != AugmentationSet::Base;
    name.parse().ok().filter(changing).ok_or_else(|| {
        let known = AugmentationSet::ALL.into_iter().filter(changing).map(AugmentationSet::name);
        format!("no such set; there are {}", known.collect::<Vec<_>>().join(", "))
    })
}

/// A strength of operations.
fn strength(text: &str) -> Result<f64, String> {
    let found = text.parse().map_err(|_| "no number".to_owned())?;
    if (0.0..=10.0).contains(&found) { Ok(found) } else { Err("must be from 0 to 10".to_owned()) }
}

/// AugMix for images of any size; what depends on the size is kept until another one comes.
struct Mixer<'a> {
    mix: &'a Mix,
    made: Option<((usize, usize), Pipeline)>,
}

impl<'a> Mixer<'a> {
    fn new(mix: &'a Mix) -> Self {
        Self { mix, made: None }
    }

    /// For images of this height and width.
    fn pipeline(&mut self, size: (usize, usize)) -> Result<&Pipeline> {
        // What was made for another size goes first: samplers of photographs take hundreds of megabytes.
        let kept = self.made.take().filter(|(made, _)| *made == size);
        let pipeline = if let Some((_, pipeline)) = kept {
            pipeline
        } else {
            let Mix { set, severity, .. } = *self.mix;
            let operations = set.operations_on(Grid::new(size.0, size.1)?, &WaveSamplerOptions::default())?;
            let augmix = AugMix::new(operations, AugMixOptions { severity, ..AugMixOptions::default() })?;
            Pipeline::new(Layout::Hwc, None, Some(augmix), Normalize::none())?
        };
        Ok(&self.made.insert((size, pipeline)).1)
    }

    /// View `number` of an image [height, width, channels]; `index` tells images apart.
    fn view(&mut self, image: &Array3<u8>, index: usize, number: usize) -> Result<Array3<u8>> {
        let (height, width, _) = image.dim();
        let seed = self.mix.seed;
        let batch = image.view().insert_axis(Axis(0));
        // Views of different seeds have nothing in common: the number is no part of the seed.
        let place = ((number as u64) << 32) + index as u64;
        let view: Array4<f32> = self.pipeline((height, width))?.augment(&batch, seed, place)?;
        let bytes = view.index_axis(Axis(0), 0).mapv(|v| (v * 255.0).round() as u8);
        Ok(bytes.permuted_axes([1, 2, 0]).as_standard_layout().into_owned())
    }
}

fn augment(input: &Path, output: &Path, copies: usize, mix: &Mix) -> Result<()> {
    ensure!(copies > 0, "--copies is 0, must be at least 1");
    let mut mixer = Mixer::new(mix);
    let ending = |number: usize| format!("-{}.png", number + 1);
    folder::each(input, output, (copies, ending), |image, index, number| mixer.view(image, index, number))
}

fn sheet(input: &Path, output: &Path, (views, images): (usize, usize), mix: &Mix) -> Result<()> {
    ensure!(views > 0 && images > 0, "--views and --images must be at least 1");
    let mut mixer = Mixer::new(mix);
    let mut rows = Vec::new();
    let mut row = |index, path: &Path| {
        let mut row = vec![files::read(path)?];
        for number in 0..views {
            let view = mixer.view(&row[0], index, number);
            row.push(view.with_context(|| format!("cannot use {}", path.display()))?);
        }
        Ok::<_, anyhow::Error>(row)
    };
    for (index, path) in files::list(input)?.iter().enumerate() {
        if rows.len() == images {
            break;
        }
        match row(index, path) {
            Ok(row) => rows.push(row),
            Err(error) => eprintln!("left out: {error:#}"),
        }
    }
    ensure!(!rows.is_empty(), "no image of {} can be used", input.display());
    write_png(output, &sheet::arrange(&rows)?)?;
    println!("{} images with {views} views each: {}", rows.len(), output.display());
    Ok(())
}

fn operations(input: &Path, output: &Path, severity: f64, seed: u64) -> Result<()> {
    let picture = files::read(input)?;
    let original = Image::new(&picture, Layout::Hwc)?;
    let [_, height, width] = original.shape();
    let waves = WaveSampler::new(Grid::new(height, width)?, &WaveSamplerOptions::default())?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut row = |operations: &[&dyn Operation]| {
        let mut row = vec![picture.clone()];
        for operation in operations {
            let mut image = original.clone();
            operation.apply(&mut image, severity, &mut rng)?;
            row.push(image.to_array(Layout::Hwc));
        }
        Ok::<_, anyhow::Error>(row)
    };
    let [spatial, vision, color] = [&Primitive::SPATIAL[..], &Primitive::VISION, &Primitive::COLOR]
        .map(|set| set.iter().map(|operation| operation as &dyn Operation).collect::<Vec<_>>());
    let waves = [&waves as &dyn Operation; 5];
    let rows = [row(&spatial)?, row(&vision)?, row(&color)?, row(&waves)?];
    write_png(output, &sheet::arrange(&rows)?)?;
    println!("4 sets of operations: {}", output.display());
    Ok(())
}

fn waves(output: &Path, size: usize, phase: f64) -> Result<()> {
    ensure!((1..=32).contains(&size), "--size is {size}, must be from 1 to 32");
    let grid = Grid::new(size, size)?;
    let centred = |i: usize| (i + size.div_ceil(2)) % size;
    let mut rows = Vec::new();
    for i in 0..size {
        let mut row = Vec::new();
        for j in 0..size {
            let vector = WaveVector { y: centred(i), x: centred(j) };
            // The peak of most waves is √2, that of the others at most as large, unless the cosine is small.
            let wave = PlaneWave::aligned(vector, phase, size as f64 / std::f64::consts::SQRT_2);
            let grey = match grid.waves::<f32>(&[wave]) {
                Ok(made) => made.index_axis(Axis(0), 0).mapv(|u| (127.5 + 127.5 * u).round() as u8),
                // What vanishes has no picture.
                Err(variata_fourier_aug::Error::DegenerateWave { .. }) => {
                    ndarray::Array2::from_elem((size, size), 127)
                }
                Err(error) => return Err(error.into()),
            };
            row.push(grey.insert_axis(Axis(2)));
        }
        rows.push(row);
    }
    write_png(output, &sheet::arrange(&rows)?)?;
    println!("{} distinct waves: {}", grid.distinct().count(), output.display());
    Ok(())
}

fn corrupted(input: &Path, output: &Path, corruption: Corruption, severity: u8, seed: u64) -> Result<()> {
    folder::each(input, output, (1, |_| ".png".to_owned()), |image, index, _| {
        let batch = image.view().insert_axis(Axis(0));
        let found = corrupt(&batch, corruption, severity, seed, index as u64)?;
        Ok(found.index_axis_move(Axis(0), 0))
    })
}

fn run(verb: Verb) -> Result<()> {
    match verb {
        Verb::Augment { input, output, copies, mix } => augment(&input, &output, copies, &mix),
        Verb::Sheet { input, output, views, images, mix } => sheet(&input, &output, (views, images), &mix),
        Verb::Operations { input, output, severity, seed } => operations(&input, &output, severity, seed),
        Verb::Waves { output, size, phase } => waves(&output, size, phase),
        Verb::Corrupt { input, output, corruption, severity, seed } => {
            corrupted(&input, &output, corruption, severity, seed)
        }
    }
}

fn main() -> ExitCode {
    match run(Command::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
