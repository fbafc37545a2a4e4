//! Mean image brightness of each class, from two epochs of prefetched batches.
//!
//! `cargo run -p variata-datasets --example batches [digits | fashion-mnist | mnist:DIR | DIR]`

use std::sync::Arc;

use variata_datasets::{Error, Loader, LoaderOptions, Position, Source, SplitOptions, Splits};

fn main() -> Result<(), Error> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "digits".to_owned());
    let data = Arc::new(Source::parse(&name)?.load()?);
    let splits = Splits::new(&data, &SplitOptions::default())?;
    println!("{}: {} images, sha256 {}", data.name(), data.len(), data.checksum());
    println!(
        "train {}, validation {}, test {}",
        splits.train.len(),
        splits.validation.len(),
        splits.test.len()
    );

    let loader = Loader::new(Arc::clone(&data), splits.train, LoaderOptions::default())?;
    let mut sums = vec![(0.0, 0u32); data.classes()];
    for epoch in 0..2 {
        for batch in loader.epoch(Position::epoch(epoch))? {
            let batch = batch?;
            for (image, &label) in batch.images.outer_iter().zip(&batch.labels) {
                let (sum, count) = &mut sums[label as usize];
                *sum += f64::from(image.mean().unwrap_or(0.0));
                *count += 1;
            }
        }
    }
    for (class, (sum, count)) in data.class_names().iter().zip(sums) {
        println!("{class:>12}  {:.3}", sum / f64::from(count));
    }
    Ok(())
}
