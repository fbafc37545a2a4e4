//! A state as the text of a link, and back.

use std::io::{Read, Write};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};

use crate::error::Refused;
use crate::paint::{Stroke, Strokes};
use crate::pixels::Pixels;
use crate::state::{Noise, State};

/// Bytes that everything but the strokes may unpack to.
const REST: u64 = 1 << 20;
/// Bytes of a pixel that has a stroke of its own: 32 around the numbers, 7 of the pixel's, 15 of each of three colours'.
const PER_PIXEL: u64 = 96;

/// Bytes that a link to an image of `area` pixels may unpack to. That is enough: a state has each pixel in one stroke at most.
fn largest(area: usize) -> u64 {
    REST + PER_PIXEL * area as u64
}

/// Bytes of a link's text, at most: packing does not make it longer by a thousandth, four letters hold three bytes.
pub(crate) fn longest(area: usize) -> usize {
    (largest(area) / 100 * 135) as usize
}

/// Pixels of one colour.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// Each less the one before.
    pixels: Vec<u32>,
    color: Vec<f32>,
}

/// A state with strokes by value, their pixels as differences, which pack better.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Packed {
    latent: u64,
    noise: Noise,
    scales: Vec<f32>,
    locked: Vec<Line>,
    free: Vec<Line>,
}

fn packed(strokes: &[Arc<Stroke>]) -> Vec<Line> {
    let steps = |pixels: &Pixels| {
        let before = std::iter::once(0).chain(pixels.iter());
        pixels.iter().zip(before).map(|(p, before)| p - before).collect()
    };
    strokes.iter().map(|s| Line { pixels: steps(&s.pixels), color: s.color.clone() }).collect()
}

fn unpacked(lines: Vec<Line>) -> Vec<Arc<Stroke>> {
    let sums = |steps: Vec<u32>| {
        let add = |sum: &mut u32, step: u32| {
            *sum = sum.wrapping_add(step);
            Some(*sum)
        };
        Pixels::new(steps.into_iter().scan(0, add).collect())
    };
    lines.into_iter().map(|l| Arc::new(Stroke { pixels: sums(l.pixels), color: l.color })).collect()
}

/// The text of a state: letters, digits, `-` and `_`.
pub(crate) fn write(state: &State) -> String {
    let State { latent, noise, scales, strokes } = state;
    let (locked, free) = (packed(&strokes.locked), packed(&strokes.free));
    let packed = Packed { latent: *latent, noise: *noise, scales: scales.clone(), locked, free };
    // Numbers and lists of numbers can be written, and memory takes all that is written to it.
    let json = serde_json::to_vec(&packed).unwrap_or_default();
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let bytes = encoder.write_all(&json).and_then(|()| encoder.finish()).unwrap_or_default();
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The state of a text, for an image of `area` pixels; whether it fits is not looked at otherwise.
pub(crate) fn read(text: &str, area: usize) -> Result<State, Refused> {
    let largest = largest(area);
    let damaged = |what: &str| Refused::bad(format!("the link is damaged: {what}"));
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|e| damaged(&e.to_string()))?;
    let mut json = Vec::new();
    let read = ZlibDecoder::new(&bytes[..]).take(largest + 1).read_to_end(&mut json);
    read.map_err(|e| damaged(&e.to_string()))?;
    if json.len() as u64 > largest {
        return Err(damaged("it is too long"));
    }
    let Packed { latent, noise, scales, locked, free } =
        serde_json::from_slice(&json).map_err(|e| damaged(&e.to_string()))?;
    let strokes = Strokes { locked: unpacked(locked), free: unpacked(free) };
    Ok(State { latent, noise, scales, strokes })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each pixel with a stroke of its own, and colours of many digits.
    #[test]
    fn the_largest_state_of_an_image_comes_back() {
        let area = 400 * 400;
        let color = |p: u32| (0..3).map(|c| 1e-38 * (1.0 + (3 * p + c) as f32 / area as f32)).collect();
        let stroke = |p: u32| Arc::new(Stroke { pixels: Pixels::new(vec![p]), color: color(p) });
        let free: Vec<_> = (0..area as u32).map(stroke).collect();
        let state = State { strokes: Strokes { locked: Vec::new(), free }, ..State::default() };
        let text = write(&state);
        assert!(text.len() <= longest(area));
        let again = read(&text, area).unwrap();
        assert_eq!(again.strokes.free, state.strokes.free);
        // One that unpacks to more than the image can need is not unpacked to its end.
        assert!(read(&text, 1000).unwrap_err().reason.contains("too long"));
    }
}
