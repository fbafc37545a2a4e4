//! A linear classifier of made-up images: AugSVF with the consistency loss, calibration, and its heatmap.
//!
//! ```sh
//! cargo run --release -p variata-fourier-aug --features torch --example train_tch
//! ```

use std::convert::Infallible;
use std::ops::ControlFlow;

use variata_fourier_aug::{
    AugMix, AugMixOptions, AugmentationSet, Binning, Error, FlipCrop, Grid, HeatmapOptions, HeatmapRun,
    JSD_WEIGHT, Layout, Normalize, Pipeline, WaveSampler, WaveSamplerOptions, torch,
};
use variata_torch_bridge::tch::{Device, Kind, Tensor};

fn main() -> Result<(), Error> {
    let (device, side, batch) = (Device::cuda_if_available(), 16, 64);
    let waves = WaveSampler::new(Grid::new(16, 16)?, &WaveSamplerOptions::default())?;
    let augmix = AugMix::new(AugmentationSet::AugSVF.operations(&waves), AugMixOptions::default())?;
    let base = FlipCrop { flip: true, padding: 2 };
    let pipeline = Pipeline::new(Layout::Chw, Some(base), Some(augmix), Normalize::default())?;

    // Class 1 is brighter above, class 0 below.
    let labels = Tensor::arange(batch, (Kind::Int64, device)).remainder(2);
    let slope = Tensor::linspace(1.0, -1.0, side, (Kind::Float, device)).view([1, 1, side, 1]);
    let noise = Tensor::rand([batch, 3, side, side], (Kind::Float, device)) - 0.5;
    let signs = (&labels * 2 - 1).view([-1, 1, 1, 1]);
    let images = (slope * signs * 0.2 + noise * 0.4 + 0.5).clamp(0.0, 1.0);

    let mut weights = Tensor::zeros([3 * side * side, 2], (Kind::Float, device)).set_requires_grad(true);
    for step in 0..40 {
        let views = Tensor::stack(&torch::fork(&pipeline, &images, 1, step * batch as u64)?, 0);
        let logits = views.view([3, batch, -1]).matmul(&weights);
        let loss = torch::consistency_loss(&logits, &labels, JSD_WEIGHT)?;
        loss.value.backward();
        let gradient = weights.grad();
        weights = (weights.detach() - gradient * 0.02).set_requires_grad(true);
        if step % 13 == 0 {
            println!("step {step}: {:.4}", loss.value.double_value(&[]));
        }
    }

    let classify = |images: &Tensor| {
        let pixels = (images - 0.5) * 2.0;
        Ok::<_, Infallible>(pixels.view([images.size()[0], -1]).matmul(&weights))
    };
    let logits = torch::clean(&pipeline, &images)?.view([batch, -1]).matmul(&weights);
    let predictions = torch::predictions(&logits, &labels)?;
    let rms = predictions.reliability(Binning::Adaptive { size: 16 })?.rms();
    println!("error {:.3}, RMS calibration error {rms:.3}", predictions.error_rate());

    let mut run = HeatmapRun::new([3, 16, 16], HeatmapOptions::default())?;
    let _ = run.add_tensors(&images, &labels, classify, |_| ControlFlow::Continue(()))?;
    let map = run.errors()?;
    println!("error under a random wave {:.3}, under the worst {:.3}", map.mean(), map.max());
    Ok(())
}
