//! Distances between bundles, resampling and files, f32. The peers' side is benches/peers/streamlines.py.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group};
use ndarray::Array3;
use variata_benches::{given, spread};
use variata_streamlines::{Mam, ReadOptions, ShapeSimilarity, Streamlines, Tractogram, mdf_matrix};

/// Streamlines of about 100 mm that lie within some mm of each other, [n, points, 3].
fn bundle(n: usize, points: usize, seed: u64) -> Array3<f32> {
    let offsets = spread(n, 3, -10.0, 10.0, seed);
    let noise = spread(n, points * 3, -0.5, 0.5, seed + 1);
    Array3::from_shape_fn((n, points, 3), |(i, p, d)| {
        let t = p as f32 / (points - 1) as f32;
        let bow = [100.0 * t - 50.0, 120.0 * t * (1.0 - t), 10.0 * t * t][d];
        bow + offsets[[i, d]] + noise[[i, 3 * p + d]]
    })
}

fn streamlines(c: &mut Criterion) {
    let mut group = c.benchmark_group("streamlines");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    for n in [500, 2000] {
        let (a, b) = (bundle(n, 20, 1), bundle(n, 20, 3));
        group.bench_function(format!("mdf/{n}x{n}x20"), |bencher| {
            bencher.iter(|| given(mdf_matrix(black_box(&a), &b)));
        });
        let (a, b) = (given(Streamlines::from_array(&a)), given(Streamlines::from_array(&b)));
        group.bench_function(format!("mam/{n}x{n}x20"), |bencher| {
            bencher.iter(|| given(Mam::Mean.matrix(black_box(&a), &b)));
        });
    }
    // As the paper scores a reconstruction: 64 streamlines of 64 points against 64, no clustering but of copies.
    let (a, b) = (bundle(64, 64, 1), bundle(64, 64, 3));
    let (a, b) = (given(Streamlines::from_array(&a)), given(Streamlines::from_array(&b)));
    let buan = ShapeSimilarity { clustering: vec![0.0], ..ShapeSimilarity::default() };
    group.bench_function("buan/64x64x64", |bencher| {
        bencher.iter(|| given(buan.score_in_order(black_box(&a), &b, |n| (0..n).collect())));
    });
    let lines = given(Streamlines::from_array(&bundle(2000, 50, 5)));
    group.bench_function("resample/2000x50x64", |bencher| {
        bencher.iter(|| given(black_box(&lines).resample(64)));
    });
    for format in [variata_streamlines::Format::Trk, variata_streamlines::Format::Tck] {
        let mut bytes = Vec::new();
        given(Tractogram::new(lines.clone()).write_to("memory", &mut bytes, format));
        let name = format!("{format:?}").to_lowercase();
        group.bench_function(format!("read_{name}/2000x50"), |bencher| {
            bencher.iter(|| {
                let read = Tractogram::read_from("memory", black_box(&bytes[..]), ReadOptions::default());
                given(read).world().into_owned()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, streamlines);
variata_benches::bound_main!(benches);
