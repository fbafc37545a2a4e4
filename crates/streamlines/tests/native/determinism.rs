//! Results do not depend on the number of threads.

use variata_streamlines::{GroupOptions, Mam, Phantom, ShapeSimilarity, Tract, mdf_matrix, nearest};

use super::support::cloud;

/// `work` on pools of 1, 2, 3 and 8 threads.
fn on_pools<T: PartialEq + std::fmt::Debug + Send>(work: impl Fn() -> T + Sync) {
    let run = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(&work);
    let one = run(1);
    for threads in [2, 3, 8] {
        assert_eq!(run(threads), one, "{threads} threads");
    }
}

#[test]
fn distances_and_bundles_are_the_same_on_any_number_of_threads() {
    let (a, b) = (cloud(70, 20, 1).mapv(|x| x as f32), cloud(45, 20, 2).mapv(|x| x as f32));
    on_pools(|| mdf_matrix(&a, &b).unwrap());
    on_pools(|| nearest(&a, &b).unwrap());
    let phantom = Phantom { streamlines: 40, ..Phantom::default() };
    let (c, d) = (phantom.bundle(0, Tract::Mcp).unwrap(), phantom.bundle(1, Tract::Mcp).unwrap());
    on_pools(|| Mam::Mean.matrix(&c, &d).unwrap());
    on_pools(|| c.resample(33).unwrap());
    on_pools(|| ShapeSimilarity::default().score_in_order(&c, &d, |n| (0..n).collect()).unwrap());
    let options = GroupOptions { streamlines: 8, points: 8 };
    on_pools(|| phantom.groups(0..3, &Tract::ALL, options).unwrap());
}
