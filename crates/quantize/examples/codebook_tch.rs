//! A codebook between encoder and decoder of one's own tch model. See docs/src/how-to/quantize.md.
//!
//! ```sh
//! cargo run --release -p variata-quantize --features torch --example codebook_tch
//! ```

use rand::SeedableRng;
use variata_quantize::{Estimator, Metric, Revival, Smoothing, UsageWindow, torch};
use variata_torch_bridge::tch::nn::{self, Module, OptimizerConfig};
use variata_torch_bridge::tch::{Device, Kind, Tensor};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let float = (Kind::Float, Device::Cpu);
    let store = nn::VarStore::new(Device::Cpu);
    let root = store.root();
    let encoder = nn::linear(&root / "encoder", 16, 4, nn::LinearConfig::default());
    let decoder = nn::linear(&root / "decoder", 4, 16, nn::LinearConfig::default());
    let mut adam = nn::Adam::default().build(&store, 3e-3)?;

    // Codes far from all that the encoder says: most would never be chosen.
    let (metric, count) = (Metric::SquaredEuclidean, 64);
    let mut codes = Tensor::randn([count, 4], float) * 2.0 + 3.0;
    let mut ema = torch::Ema::new(&codes, metric, 0.9, Smoothing::None)?;
    let mut usage = UsageWindow::new(usize::try_from(count)?, 8)?;
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);

    let x = Tensor::randn([1024, 4], float).matmul(&Tensor::randn([4, 16], float)).tanh();
    for step in 0..=600 {
        let batch = x.narrow(0, (step % 8) * 128, 128);
        let z = encoder.forward(&batch);
        let quantized = torch::quantize(&codes, metric, &z, Estimator::StraightThrough)?;
        let error = (decoder.forward(&quantized.output) - &batch).square().mean(Kind::Double);
        adam.backward_step(&(&error + quantized.commitment_loss * 0.25));

        // The codes follow the vectors that chose them; the loss has no term for them.
        let clusters = torch::clusters(&codes, metric, &z, &quantized.indices)?;
        ema.update(&mut codes, &clusters)?;
        usage.push(&torch::indices(&quantized.indices)?)?;
        let dead = usage.dead(1)?;
        if !dead.is_empty() && step % 8 == 0 {
            let batch = (&z, usage.recent());
            torch::revive(&mut codes, metric, &dead, Revival::Batch, batch, Some(&mut ema), &mut rng)?;
        }
        if step % 200 == 0 {
            println!(
                "step {step}: error {:.4}, perplexity {:.1} of {count}, {} dead",
                error.double_value(&[]),
                usage.recent().perplexity().unwrap_or(1.0),
                dead.len()
            );
        }
    }
    Ok(())
}
