//! Reading and writing TCK.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use super::ReadOptions;
use super::bytes::Bytes;
use super::input::Input;
use super::tck_header::{TckDatatype, TckHeader};
use crate::{Error, Streamlines, Tractogram};

/// Points decoded at once.
const BLOCK: usize = 1 << 11;

pub(super) fn read<R: Read>(mut input: Input<R>, options: ReadOptions) -> Result<Tractogram, Error> {
    let (header, count) = TckHeader::read(&mut input)?;
    let datatype = header.datatype();
    let row = 3 * datatype.size();
    let mut lines = Streamlines::new();
    if let Some(rest) = input.rest() {
        let known = count.map_or(0, |(count, _)| count.min(rest / row as u64));
        lines.reserve(known as usize, (rest / row as u64 - known) as usize);
    }
    let mut block = vec![0; BLOCK * row];
    // Position of the block, bytes of it that are filled, and where the end marker is.
    let (mut at, mut filled, mut end) = (input.position(), 0, None);
    while end.is_none() {
        at += filled as u64;
        filled = input.fill(&mut block)?;
        for (k, bytes) in block[..filled].chunks_exact(row).enumerate() {
            let offset = at + (k * row) as u64;
            let point = decode(bytes, datatype);
            if point.iter().all(|x| x.is_nan()) {
                lines.end();
            } else if point.iter().all(|x| x.is_infinite()) {
                end = Some(offset);
                break;
            } else {
                let point = point.map(|x| x as f32);
                // One without a finite coordinate is next to a delimiter, and is not written either.
                let kept = options.keep_non_finite && point.iter().any(|x| x.is_finite());
                if !kept && !point.iter().all(|x| x.is_finite()) {
                    return Err(Error::NonFinite {
                        file: input.file(),
                        offset,
                        streamline: lines.len(),
                        point: lines.open(),
                    });
                }
                lines.point(point);
            }
        }
        if end.is_none() && filled < block.len() {
            let whole = filled / row * row;
            let what = "the end marker, a point of infinities,";
            return Err(input.truncated(at + whole as u64, what, row as u64, (filled - whole) as u64));
        }
    }
    let end = end.unwrap_or(at);
    if lines.open() > 0 {
        return Err(Error::Delimiter { file: input.file(), offset: end, streamline: lines.len() });
    }
    if end + (row as u64) < at + filled as u64 || !input.at_end()? {
        return Err(Error::TrailingBytes { file: input.file(), offset: end + row as u64 });
    }
    // 0 is what a program writes first, and corrects when it is done.
    if let Some((announced, offset)) = count
        && announced != 0
        && announced != lines.len() as u64
    {
        let found = lines.len() as u64;
        return Err(Error::Count { file: input.file(), offset, announced, found });
    }
    Ok(Tractogram::with_tck(lines, header))
}

/// A point from its bytes; exact, f32 and f64 alike.
fn decode(bytes: &[u8], datatype: TckDatatype) -> [f64; 3] {
    let order = datatype.order();
    if datatype.size() == 4 {
        let (numbers, _) = bytes.as_chunks::<4>();
        std::array::from_fn(|k| f64::from(f32::from_order(numbers[k], order)))
    } else {
        let (numbers, _) = bytes.as_chunks::<8>();
        std::array::from_fn(|k| f64::from_order(numbers[k], order))
    }
}

/// The header's bytes as they will be written, and the points in world coordinates.
pub(super) fn prepare(tractogram: &Tractogram) -> Result<(Vec<u8>, Cow<'_, Streamlines<f32>>), Error> {
    if tractogram.scalars().width() > 0 {
        return Err(Error::Unsupported { what: "scalars" });
    }
    if tractogram.properties().width() > 0 {
        return Err(Error::Unsupported { what: "properties" });
    }
    let lines = tractogram.world();
    // They would be taken for delimiters.
    if lines.flat().iter().any(|point| !point.iter().any(|x| x.is_finite())) {
        return Err(Error::Unsupported { what: "points without a finite coordinate" });
    }
    Ok((tractogram.tck().bytes(lines.len() as u64)?, lines))
}

pub(super) fn write(
    tractogram: &Tractogram,
    header: &[u8],
    lines: &Streamlines<f32>,
    sink: &mut dyn Write,
) -> io::Result<()> {
    let datatype = tractogram.tck().datatype();
    let order = datatype.order();
    sink.write_all(header)?;
    let mut bytes = Vec::new();
    let mut put = |sink: &mut dyn Write, points: &[[f32; 3]], delimiter: Option<f32>| {
        bytes.clear();
        for x in points.as_flattened().iter().copied().chain(delimiter.into_iter().flat_map(|x| [x; 3])) {
            if datatype.size() == 4 {
                bytes.extend(x.to_order(order));
            } else {
                bytes.extend(f64::from(x).to_order(order));
            }
        }
        sink.write_all(&bytes)
    };
    for line in lines.slices() {
        put(sink, line, Some(f32::NAN))?;
    }
    put(sink, &[], Some(f32::INFINITY))
}
