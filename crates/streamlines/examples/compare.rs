//! How alike are two bundles? `cargo run --release --example compare -- A.trk B.tck`, or without files two made-up ones.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use variata_streamlines::{Phantom, ShapeSimilarity, Streamlines, Tract, Tractogram, nearest};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let (a, b): (Streamlines, Streamlines) = match &files[..] {
        [] => {
            let phantom = Phantom::default();
            (phantom.bundle(1, Tract::AfL)?, phantom.bundle(2, Tract::AfL)?)
        }
        [a, b] => (Tractogram::read(a)?.world().into_owned(), Tractogram::read(b)?.world().into_owned()),
        _ => return Err("two files, or none".into()),
    };
    let found = nearest(&a.resample(20)?, &b.resample(20)?)?;
    for (name, lines, mut distances) in [("first", &a, found.a), ("second", &b, found.b)] {
        let lengths = lines.lengths();
        let mean = lengths.iter().sum::<f64>() / lengths.len().max(1) as f64;
        distances.sort_by(f32::total_cmp);
        let median = distances.get(distances.len() / 2).copied().unwrap_or(f32::NAN);
        println!(
            "{name}: {} streamlines of {mean:.1} mm; the other bundle is {median:.2} mm away",
            lines.len()
        );
    }
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for threshold in [2.0, 4.0, 6.0] {
        let buan = ShapeSimilarity { threshold, ..ShapeSimilarity::default() };
        println!("shape similarity within {threshold} mm: {:.3}", buan.score(&a, &b, &mut rng)?);
    }
    Ok(())
}
