//! What a batch asks for does not grow with its images. One test, since others would be counted with it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use ndarray::{Array4, s};
use variata_fourier_aug::{
    AugMix, AugMixOptions, AugmentationSet, FlipCrop, Grid, Layout, Normalize, Pipeline, WaveSampler,
    WaveSamplerOptions,
};
use variata_testkit::alloc::{CountingAllocator, measure_process};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn nothing_is_allocated_per_image() {
    let waves = WaveSampler::new(Grid::new(32, 32).unwrap(), &WaveSamplerOptions::default()).unwrap();
    let mut operations = AugmentationSet::AugSVC.operations(&waves);
    operations.extend(AugmentationSet::AugF.operations(&waves));
    let augmix = AugMix::new(operations, AugMixOptions::default()).unwrap();
    let normalize = Normalize::default();
    let pipeline = Pipeline::new(Layout::Chw, Some(FlipCrop::default()), Some(augmix), normalize).unwrap();
    let images =
        Array4::from_shape_fn((512, 3, 32, 32), |(n, c, y, x)| ((n + c * 7 + y * 5 + x) % 251) as u8);
    let count = |n: usize| {
        let mut views = [(); 3].map(|()| Array4::zeros((n, 3, 32, 32)));
        let part = images.slice(s![..n, .., .., ..]);
        measure_process(|| pipeline.fork_into(&part, 1, 0, &mut views).unwrap()).1.count
    };
    // The threads' memory is made by the first calls.
    count(512);
    count(512);
    let (few, many) = (count(128), count(512));
    // A handful of lists and what the thread pool needs to split the work.
    assert!(many <= few + 32, "{few} allocations for 128 images, {many} for 512");
    assert!(many < 100, "{many}");
}
