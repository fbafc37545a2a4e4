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
use crate::state::{Noise, State};

/// Bytes that a link may unpack to.
const LARGEST: u64 = 8 << 20;

/// A state with strokes by value, their pixels as differences, which pack better.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Packed {
    latent: u64,
    noise: Noise,
    scales: Vec<f32>,
    locked: Vec<Stroke>,
    free: Vec<Stroke>,
}

fn packed(strokes: &[Arc<Stroke>]) -> Vec<Stroke> {
    let steps = |pixels: &[u32]| {
        let before = std::iter::once(0).chain(pixels.iter().copied());
        pixels.iter().zip(before).map(|(p, before)| p.wrapping_sub(before)).collect()
    };
    strokes.iter().map(|s| Stroke { pixels: steps(&s.pixels), color: s.color.clone() }).collect()
}

fn unpacked(strokes: Vec<Stroke>) -> Vec<Arc<Stroke>> {
    let sums = |steps: Vec<u32>| {
        let add = |sum: &mut u32, step: u32| {
            *sum = sum.wrapping_add(step);
            Some(*sum)
        };
        steps.into_iter().scan(0, add).collect()
    };
    strokes.into_iter().map(|s| Arc::new(Stroke { pixels: sums(s.pixels), color: s.color })).collect()
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

/// The state of a text; whether it fits a model is not looked at.
pub(crate) fn read(text: &str) -> Result<State, Refused> {
    let damaged = |what: &str| Refused::bad(format!("the link is damaged: {what}"));
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|e| damaged(&e.to_string()))?;
    let mut json = Vec::new();
    let read = ZlibDecoder::new(&bytes[..]).take(LARGEST + 1).read_to_end(&mut json);
    read.map_err(|e| damaged(&e.to_string()))?;
    if json.len() as u64 > LARGEST {
        return Err(damaged("it is too long"));
    }
    let Packed { latent, noise, scales, locked, free } =
        serde_json::from_slice(&json).map_err(|e| damaged(&e.to_string()))?;
    let strokes = Strokes { locked: unpacked(locked), free: unpacked(free) };
    Ok(State { latent, noise, scales, strokes })
}
