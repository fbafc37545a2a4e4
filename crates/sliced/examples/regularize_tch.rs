//! A sliced distance in the loss of one's own tch model. See docs/src/how-to/regularise.md.
//!
//! ```sh
//! cargo run --release -p variata-sliced --features torch --example regularize_tch
//! ```

use variata_sliced::{Directions, Discrepancy, Distance, Loss, torch};
use variata_torch_bridge::tch::nn::{self, Module, OptimizerConfig};
use variata_torch_bridge::tch::{Device, Kind, Tensor};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = nn::VarStore::new(Device::Cpu);
    let root = store.root();
    let encoder = nn::seq()
        .add(nn::linear(&root / "e1", 16, 64, nn::LinearConfig::default()))
        .add_fn(Tensor::relu)
        .add(nn::linear(&root / "e2", 64, 4, nn::LinearConfig::default()));
    let decoder = nn::seq()
        .add(nn::linear(&root / "d1", 4, 64, nn::LinearConfig::default()))
        .add_fn(Tensor::relu)
        .add(nn::linear(&root / "d2", 64, 16, nn::LinearConfig::default()));
    let mut adam = nn::Adam::default().build(&store, 1e-3)?;

    // Points of a curved surface in 16 dimensions.
    let x = (Tensor::randn([1024, 4], (Kind::Float, Device::Cpu))
        .matmul(&Tensor::randn([4, 16], (Kind::Float, Device::Cpu))))
    .tanh();
    let scfwae = Discrepancy::new(Distance::WASSERSTEIN_2);
    for step in 0..=600 {
        let batch = x.narrow(0, (step % 8) * 128, 128);
        let codes = encoder.forward(&batch);
        let error = (decoder.forward(&codes) - &batch).square().sum(Kind::Double) / 128.0;
        let directions = Directions::uniform(50, 4, step.unsigned_abs())?;
        let distance = torch::sliced(&scfwae, &codes, &directions)?;
        let loss = &error + torch::loss(Loss::Log, &distance)?;
        adam.backward_step(&loss);
        if step % 200 == 0 {
            println!(
                "step {step}: error {:.3}, d {:.4}",
                error.double_value(&[]),
                distance.double_value(&[])
            );
        }
    }
    Ok(())
}
