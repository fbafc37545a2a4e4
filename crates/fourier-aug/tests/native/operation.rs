//! Operations against Pillow, and what they have to keep.

use ndarray::{Array3, array};
use proptest::prelude::*;
use variata_fourier_aug::{Image, Layout};

fn pixel(x: usize, y: usize, c: usize, kind: &str) -> u8 {
    let value = match kind {
        "flat" => 93,
        "two" => [181, 20, 20][(x + y + c) % 3],
        _ => {
            (x * x * 3 + y * 29 + x * y * 7 + c * 41 + 17) * 2_654_435_761 / (1 << 13) % 97
                + 3 * x % 61
                + 2 * y
        }
    };
    (value % 256) as u8
}

fn made(channels: usize, height: usize, width: usize, kind: &str) -> Array3<u8> {
    Array3::from_shape_fn((height, width, channels), |(y, x, c)| pixel(x, y, c, kind))
}

/// In hexadecimal, the bytes or, of more than `whole`, their 64-bit FNV-1a hash.
pub(crate) fn told(data: &[u8], whole: usize) -> String {
    if data.len() <= whole {
        return data.iter().fold(String::new(), |told, byte| told + &format!("{byte:02x}"));
    }
    let step = |state: u64, byte: &u8| (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", data.iter().fold(0xcbf2_9ce4_8422_2325, step))
}

fn apply(image: &mut Image, operation: &str, parameter: f64) {
    match operation {
        "rotate" => image.rotate(parameter),
        "shear_x" => image.shear_x(parameter),
        "shear_y" => image.shear_y(parameter),
        "translate_x" => image.translate_x(parameter as i64),
        "translate_y" => image.translate_y(parameter as i64),
        "autocontrast" => image.autocontrast(),
        "equalize" => image.equalize(),
        "posterize" => image.posterize(parameter as u32),
        "solarize" => image.solarize(parameter as u32),
        "brightness" => image.brightness(parameter as f32),
        "color" => image.color(parameter as f32),
        "contrast" => image.contrast(parameter as f32),
        "sharpness" => image.sharpness(parameter as f32),
        other => panic!("no operation {other}"),
    }
}

#[test]
fn every_pixel_is_pillows() {
    let mut wrong = Vec::new();
    let mut rows = 0;
    for line in include_str!("../golden/operations.tsv").lines().skip(2) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [mode, width, height, kind, operation, parameter, want] = cells[..] else { panic!("{line}") };
        let (width, height): (usize, usize) = (width.parse().unwrap(), height.parse().unwrap());
        let pixels = made(mode.len(), height, width, kind);
        let mut image = Image::new(&pixels, Layout::Hwc).unwrap();
        apply(&mut image, operation, parameter.parse().unwrap());
        let found: Vec<u8> = image.to_array(Layout::Hwc).into_iter().collect();
        if told(&found, 64) != want {
            wrong.push(line);
        }
        rows += 1;
    }
    assert!(wrong.is_empty(), "{} of {rows}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(rows > 1000);
}

#[test]
fn the_same_from_any_layout() {
    let hwc = made(3, 9, 14, "made");
    let chw = hwc.view().permuted_axes([2, 0, 1]).to_owned();
    let mut a = Image::new(&hwc, Layout::Hwc).unwrap();
    let mut b = Image::new(&chw.as_standard_layout(), Layout::Chw).unwrap();
    assert_eq!(a, b);
    a.rotate(11.0);
    b.rotate(11.0);
    assert_eq!(a.to_array(Layout::Hwc).permuted_axes([2, 0, 1]), b.to_array(Layout::Chw));
    let unit = a.to_unit(Layout::Hwc);
    assert_eq!(Image::from_unit(&unit, Layout::Hwc).unwrap(), a);
}

#[test]
fn wrong_images_are_refused() {
    let told = |pixels: Array3<u8>, layout| Image::new(&pixels, layout).unwrap_err().to_string();
    assert!(told(Array3::zeros((2, 4, 4)), Layout::Chw).contains("[2, 4, 4]"));
    assert!(told(Array3::zeros((4, 4, 2)), Layout::Hwc).contains("1 or 3"));
    assert!(told(Array3::zeros((3, 0, 4)), Layout::Chw).contains("not empty"));
    for bad in [f32::NAN, -0.1, 1.1, f32::INFINITY] {
        let told = Image::from_unit(&array![[[0.5, bad]]], Layout::Chw).unwrap_err().to_string();
        assert!(told.contains("pixels[1]"), "{told}");
    }
    // What is not finite moves nothing.
    let mut image = Image::new(&made(3, 5, 5, "made"), Layout::Hwc).unwrap();
    let before = image.clone();
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        image.rotate(bad);
        image.shear_x(bad);
        image.shear_y(bad);
    }
    assert_eq!(image, before);
    image.translate_x(i64::MIN);
    assert!(image.to_array(Layout::Chw).iter().all(|v| *v == 0));
}

proptest! {
    /// There and back again: the middle is as it was.
    #[test]
    fn translations_come_back(h in 1usize..20, w in 1usize..20, x in -25i64..25, y in -25i64..25) {
        let pixels = made(3, h, w, "made");
        let mut image = Image::new(&pixels, Layout::Hwc).unwrap();
        image.translate_x(x);
        image.translate_y(y);
        image.translate_x(-x);
        image.translate_y(-y);
        let kept = |at: usize, by: i64, side: usize| (0..side as i64).contains(&(at as i64 - by));
        for ((row, column, c), v) in image.to_array(Layout::Hwc).indexed_iter() {
            let inside = kept(row, y, h) && kept(column, x, w);
            prop_assert_eq!(*v, if inside { pixels[[row, column, c]] } else { 0 });
        }
    }

    /// Nothing panics, whatever the parameter.
    #[test]
    fn any_parameter_will_do(h in 1usize..9, w in 1usize..9, bits in any::<u64>(), c in prop::sample::select(vec![1usize, 3])) {
        let mut image = Image::new(&made(c, h, w, "made"), Layout::Hwc).unwrap();
        let v = f64::from_bits(bits);
        for name in [
            "rotate", "shear_x", "shear_y", "translate_x", "translate_y", "autocontrast", "equalize", "posterize",
            "solarize", "brightness", "color", "contrast", "sharpness",
        ] {
            apply(&mut image, name, v);
        }
        prop_assert_eq!(image.shape(), [c, h, w]);
    }
}
