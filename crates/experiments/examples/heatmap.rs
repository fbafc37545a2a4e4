//! The errors of a classifier of digits under every plane wave, as a picture: of a checkpoint that `reproduce fourier-aug` left, or of
//! a small wide residual network that is trained here for some seconds.
//!
//! ```text
//! cargo run --release -p variata-experiments --example heatmap -- map.png [IMAGES [CHECKPOINT]]
//! ```

use std::error::Error;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use variata_datasets::{ImageDataset, Loader, LoaderOptions, digits_of};
use variata_fourier_aug::{HeatmapOptions, HeatmapRun};
use variata_models::tch::{Device, Tensor};
use variata_models::train::{TrainConfig, Trainer};
use variata_models::{Architecture, Classifier, ClassifierConfig, ImageShape};

/// Images that the network takes at once.
const BATCH: usize = 250;

/// A wide residual network of depth 10 after five epochs.
fn trained(data: &Arc<ImageDataset>) -> Result<Classifier, Box<dyn Error>> {
    let [_, height, width] = data.image_shape();
    let image = ImageShape { channels: 1, height: height as i64, width: width as i64 };
    let architecture = Architecture::WideResidual { depth: 10, widen: 1 };
    let config = ClassifierConfig { architecture, shift: 0.5, scale: 0.5, ..ClassifierConfig::default() };
    let model = Classifier::new(&config, image, 10, 0, Device::Cpu)?;
    let train = Loader::new(data.clone(), (0..data.len()).collect::<Vec<_>>(), LoaderOptions::default())?;
    let config = TrainConfig { epochs: 5, ..TrainConfig::default() };
    println!("training a small network");
    Trainer::new(&model, &train, config, 0).run()?;
    Ok(model)
}

fn main() -> Result<(), Box<dyn Error>> {
    let _ = variata_torch_bridge::keep_freed_memory();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let picture = arguments.first().map_or("map.png", String::as_str);
    let count = arguments.get(1).map_or(Ok(500), |images| images.parse())?;
    let given = arguments.get(2).map(|path| Classifier::from_checkpoint(path, Device::Cpu));
    let given = given.transpose()?;
    let data = Arc::new(digits_of(given.as_ref().map_or(28, |model| model.image().height as usize))?);
    let model = given.map_or_else(|| trained(&data), Ok)?;

    let started = Instant::now();
    let mut run = HeatmapRun::new(data.image_shape(), HeatmapOptions::default())?;
    // From the front again where there are fewer.
    let chosen: Vec<usize> = (0..count).map(|i| i % data.len()).collect();
    for batch in chosen.chunks(BATCH) {
        let images = variata_torch_bridge::tensor_from_array(data.gather(batch)?)?;
        let labels: Vec<i64> = batch.iter().map(|&i| data.labels()[i].into()).collect();
        let _ = run.add_tensors(
            &images,
            &Tensor::from_slice(&labels),
            |x| model.logits(x),
            |progress| {
                if progress.waves_done == progress.waves {
                    println!("{} batches", progress.batches_done + 1);
                }
                ControlFlow::Continue(())
            },
        )?;
    }
    let map = run.errors()?;
    map.picture(0.0, 1.0, 10)?.save(picture)?;
    let (mean, max, seconds) = (map.mean(), map.max(), started.elapsed().as_secs_f64());
    println!(
        "{count} images, {} waves, {seconds:.1} s: error {mean:.3}, at most {max:.3}; {picture}",
        run.waves()
    );
    Ok(())
}
