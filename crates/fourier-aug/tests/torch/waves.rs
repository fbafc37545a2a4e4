//! Plane waves on tensors.

use ndarray::{Array3, Array4};
use variata_distributions::ArgumentError;
use variata_fourier_aug::{Error, Grid, PlaneWave, WaveVector, torch};
use variata_torch_bridge::tch::{Device, Kind, Tensor};
use variata_torch_bridge::{tensor_from_array, tensor_into_array};

fn some(grid: &Grid, n: usize) -> Vec<PlaneWave> {
    let vectors: Vec<_> = grid.distinct().collect();
    let wave = |i: usize| PlaneWave {
        vector: vectors[i * 7 % vectors.len()],
        phase: i as f64 * 0.61 - 2.0,
        norm: 0.5 + i as f64 / 9.0,
        flipped: [i % 2 == 1, i % 3 == 1, i % 5 == 2],
    };
    (0..n).map(wave).collect()
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor_into_array::<f64>("t", tensor).unwrap().into_iter().collect()
}

#[test]
fn waves_are_the_native_ones() {
    for (height, width) in [(8, 8), (9, 14), (1, 5), (33, 2)] {
        let grid = Grid::new(height, width).unwrap();
        let waves = some(&grid, 30);
        let native: Array3<f32> = grid.waves(&waves).unwrap();
        let single: Vec<f64> = native.iter().map(|v| f64::from(*v)).collect();
        for make in [torch::waves, torch::waves_composed] {
            let found = make(&grid, &waves, Kind::Float, Device::Cpu).unwrap();
            assert_eq!(found.size(), [30, height as i64, width as i64]);
            assert_eq!(values(&found), single);
            for (kind, ulp) in [(Kind::Half, 2f64.powi(-11)), (Kind::BFloat16, 2f64.powi(-8))] {
                let found = make(&grid, &waves, kind, Device::Cpu).unwrap();
                assert_eq!(found.kind(), kind);
                for (got, want) in values(&found).iter().zip(&single) {
                    assert!((got - want).abs() <= ulp * want.abs() + 1e-7, "{kind:?}: {got} {want}");
                }
            }
            let double = make(&grid, &waves, Kind::Double, Device::Cpu).unwrap();
            for (i, (wave, found)) in waves.iter().zip(double.unbind(0)).enumerate() {
                let norm = found.square().sum(Kind::Double).sqrt().double_value(&[]);
                assert!((norm / wave.norm - 1.0).abs() < 1e-13, "{i}: {norm} {}", wave.norm);
            }
            let loud = [PlaneWave { norm: 1e7, ..waves[0] }];
            assert!(make(&grid, &loud, Kind::BFloat16, Device::Cpu).is_ok());
            let told = make(&grid, &loud, Kind::Half, Device::Cpu).unwrap_err().to_string();
            assert!(told.contains("norm") && told.contains("stored"), "{told}");
            assert_eq!(make(&grid, &[], Kind::Float, Device::Cpu).unwrap().size()[0], 0);
        }
    }
}

#[test]
fn added_new_and_in_place_with_signs_and_cut() {
    let grid = Grid::new(6, 9).unwrap();
    for channels in [1, 3] {
        let images = Array4::from_shape_fn((20, channels, 6, 9), |(n, c, y, x)| {
            ((n * 7 + c * 5 + y * 3 + x * 11) % 23) as f32 / 22.0
        });
        for clip in [false, true] {
            let waves = some(&grid, 20);
            let mut want = images.clone();
            grid.add_waves(&waves, &mut want, clip).unwrap();
            let want: Vec<f64> = want.iter().map(|v| f64::from(*v)).collect();
            let plain = tensor_from_array(images.clone()).unwrap();
            for add in [torch::add_waves, torch::add_waves_composed] {
                assert_eq!(values(&add(&grid, &waves, &plain, clip).unwrap()), want);
                let last = plain.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
                assert_eq!(values(&add(&grid, &waves, &last, clip).unwrap()), want);
                let leaf = plain.copy().set_requires_grad(true);
                let moved = add(&grid, &waves, &leaf, clip).unwrap();
                assert_eq!(values(&moved), want);
                moved.sum(Kind::Float).backward();
                // The slope is 1 where nothing is cut.
                let slopes = values(&leaf.grad());
                assert!(slopes.iter().zip(&want).all(|(g, v)| *g == 1.0 || clip && (*v == 0.0 || *v == 1.0)));
            }
            assert_eq!(plain, tensor_from_array(images.clone()).unwrap(), "the images are left as they were");
            let mut place = plain.copy();
            torch::add_waves_(&grid, &waves, &mut place, clip).unwrap();
            assert_eq!(values(&place), want);
            let mut half = plain.to_kind(Kind::BFloat16);
            let want = torch::add_waves(&grid, &waves, &half, clip).unwrap();
            torch::add_waves_(&grid, &waves, &mut half, clip).unwrap();
            assert_eq!((half.kind(), values(&half)), (Kind::BFloat16, values(&want)));
        }
    }
}

#[test]
fn bad_input_is_refused() {
    let grid = Grid::new(4, 4).unwrap();
    let wave = some(&grid, 1)[0];
    let outside = PlaneWave { vector: WaveVector { y: 4, x: 0 }, ..wave };
    let images = Tensor::zeros([1, 3, 4, 4], (Kind::Float, Device::Cpu));
    for add in [torch::add_waves, torch::add_waves_composed] {
        assert!(matches!(add(&grid, &[outside], &images, false), Err(Error::WaveVector { .. })));
        for bad in [images.get(0), images.narrow(1, 0, 2), images.narrow(3, 0, 3), images.narrow(0, 0, 0)] {
            assert!(matches!(
                add(&grid, &[wave], &bad, true),
                Err(Error::Argument(ArgumentError::Shape { argument: "images", .. }))
            ));
        }
        let counts = images.to_kind(Kind::Int64);
        assert!(matches!(add(&grid, &[wave], &counts, true), Err(Error::Tensor(_))));
    }
    assert!(matches!(torch::waves(&grid, &[wave], Kind::Int64, Device::Cpu), Err(Error::Tensor(_))));
    // Autograd protects leaves.
    let mut leaf = images.set_requires_grad(true);
    assert!(matches!(torch::add_waves_(&grid, &[wave], &mut leaf, true), Err(Error::Tensor(_))));
}
