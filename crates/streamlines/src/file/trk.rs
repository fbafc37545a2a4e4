//! Reading and writing TRK.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use ndarray::Array2;
use variata_distributions::ArgumentError;

use super::ReadOptions;
use super::bytes::{ByteOrder, Bytes};
use super::input::Input;
use super::trk_header::{N_COUNT, N_PROPERTIES, N_SCALARS, SIZE, TrkHeader};
use crate::error::{scalar, shape};
use crate::{Columns, Error, Streamlines, Tractogram};

/// Bytes decoded at once.
const BLOCK: usize = 1 << 15;

pub(super) fn read<R: Read>(mut input: Input<R>, options: ReadOptions) -> Result<Tractogram, Error> {
    let mut bytes = Box::new([0; SIZE]);
    input.exact(&mut bytes[..], "the header")?;
    let header = TrkHeader::parse(&input.file(), bytes)?;
    let (scalar_columns, property_columns, count) = header.counts();
    let scalar_names = header.names(&input.file(), true)?;
    let property_names = header.names(&input.file(), false)?;

    let point_bytes = 4 * (3 + scalar_columns as u64);
    let line_bytes = 4 + 4 * property_columns as u64;
    let mut body = Body {
        lines: Streamlines::new(),
        scalars: Vec::new(),
        properties: Vec::new(),
        order: header.byte_order(),
        scalar_columns,
        options,
    };
    // What is reserved, the file has the bytes for; if not the memory, as of a sparse file, it is told where that is used.
    input.holds("the streamlines", count as u64 * line_bytes)?;
    if let Some(rest) = input.rest() {
        let points = (rest - count as u64 * line_bytes) / point_bytes;
        if count > 0 {
            body.lines.reserve(count, points as usize);
            let _ = body.scalars.try_reserve_exact(points as usize * scalar_columns);
            let _ = body.properties.try_reserve_exact(count * property_columns);
        }
    }

    let mut block = Vec::new();
    while count == 0 || body.lines.len() < count {
        let at = input.position();
        let mut word = [0; 4];
        let n = input.fill(&mut word)?;
        if n == 0 && count == 0 {
            break; // a count of 0 says: as many as there are
        }
        if n == 0 {
            let found = body.lines.len() as u64;
            return Err(Error::Count {
                file: input.file(),
                offset: N_COUNT as u64,
                announced: count as u64,
                found,
            });
        }
        if n < 4 {
            return Err(input.truncated(at, "the number of points", 4, n as u64));
        }
        let points = i32::from_order(word, body.order);
        let Ok(points) = u64::try_from(points) else {
            let value = points.to_string();
            let (field, must) = ("number of points", "not negative");
            return Err(Error::Header { file: input.file(), offset: at, field, value, must });
        };
        let what = "points of a streamline";
        input.holds(what, points * point_bytes)?;
        read_block(&mut input, &mut block, points, point_bytes, what, |input, at, bytes| {
            body.points(input, at, bytes)
        })?;
        body.lines.end();
        let what = "properties of a streamline";
        read_block(&mut input, &mut block, property_columns as u64, 4, what, |_, _, bytes| {
            let (numbers, _) = bytes.as_chunks::<4>();
            body.properties.extend(numbers.iter().map(|number| f32::from_order(*number, body.order)));
            Ok(())
        })?;
    }
    if !input.at_end()? {
        return Err(Error::TrailingBytes { file: input.file(), offset: input.position() });
    }

    let Body { lines, scalars, properties, .. } = body;
    let columns = |values: Vec<f32>, rows: usize, width: usize, names: Vec<(String, usize)>, at: usize| {
        // The vectors were filled row by row; only a size beyond what an array can address is left to fail.
        let values = Array2::from_shape_vec((if width > 0 { rows } else { 0 }, width), values)
            .map_err(|_| shape("columns", &[rows, width], "addressable"))?;
        Columns::new(values, names).map_err(|error| Error::Header {
            file: input.file(),
            offset: at as u64,
            field: "names",
            value: error.to_string(),
            must: "names with columns",
        })
    };
    let scalars = columns(scalars, lines.points().nrows(), scalar_columns, scalar_names, N_SCALARS)?;
    let properties = columns(properties, lines.len(), property_columns, property_names, N_PROPERTIES)?;
    let mut out = Tractogram::with_trk(lines, header);
    out.set_scalars(scalars)?;
    out.set_properties(properties)?;
    Ok(out)
}

/// Reads `n` rows of `row` bytes in blocks, so that a number in a file never becomes an allocation by itself.
fn read_block<R: Read>(
    input: &mut Input<R>,
    block: &mut Vec<u8>,
    n: u64,
    row: u64,
    what: &'static str,
    mut each: impl FnMut(&Input<R>, u64, &[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let start = input.position();
    let at_once = (BLOCK as u64 / row).max(1);
    let mut done = 0;
    while done < n {
        let rows = at_once.min(n - done);
        block.resize((rows * row) as usize, 0);
        let at = input.position();
        let found = input.fill(block)?;
        if found < block.len() {
            return Err(input.truncated(start, what, n * row, done * row + found as u64));
        }
        each(input, at, block)?;
        done += rows;
    }
    Ok(())
}

/// What has been read so far.
struct Body {
    lines: Streamlines<f32>,
    scalars: Vec<f32>,
    properties: Vec<f32>,
    order: ByteOrder,
    scalar_columns: usize,
    options: ReadOptions,
}

impl Body {
    /// Takes whole points with their scalars; `at` is where the first of them is in the file.
    fn points<R: Read>(&mut self, input: &Input<R>, at: u64, bytes: &[u8]) -> Result<(), Error> {
        let (numbers, _) = bytes.as_chunks::<4>();
        let width = 3 + self.scalar_columns;
        for (k, row) in numbers.chunks_exact(width).enumerate() {
            let number = |i: usize| f32::from_order(row[i], self.order);
            let point = [number(0), number(1), number(2)];
            if !self.options.keep_non_finite && !point.iter().all(|x| x.is_finite()) {
                return Err(Error::NonFinite {
                    file: input.file(),
                    offset: at + (4 * width * k) as u64,
                    streamline: self.lines.len(),
                    point: self.lines.open(),
                });
            }
            self.lines.point(point);
            self.scalars.extend((3..width).map(number));
        }
        Ok(())
    }
}

/// The header as it will be written, and the points in TrackVis' coordinates.
pub(super) fn prepare(tractogram: &Tractogram) -> Result<(TrkHeader, Cow<'_, Streamlines<f32>>), Error> {
    let lines = tractogram.voxel_mm()?;
    let count = lines.len();
    let must = "at most 2147483647";
    let count = i32::try_from(count).map_err(|_| scalar("streamlines", count as f64, must))?;
    if let Some(long) = lines.slices().map(<[_]>::len).find(|&n| i32::try_from(n).is_err()) {
        return Err(scalar("points of a streamline", long as f64, must));
    }
    let beyond = |(from, to): (&[f32; 3], &[f32; 3])| {
        from.iter().all(|x| x.is_finite()) && !to.iter().all(|x| x.is_finite())
    };
    let points = tractogram.streamlines().flat();
    if let Some(i) = points.iter().zip(lines.flat()).position(beyond) {
        let must = "finite, in TrackVis' coordinates too";
        return Err(ArgumentError::Value {
            argument: "points",
            index: Some(i),
            value: f64::from(points[i][0]),
            must,
        }
        .into());
    }
    let mut header = tractogram.trk().clone();
    header.set_columns(tractogram.scalars(), true)?;
    header.set_columns(tractogram.properties(), false)?;
    header.set_count(count);
    Ok((header, lines))
}

pub(super) fn write(
    tractogram: &Tractogram,
    header: &TrkHeader,
    lines: &Streamlines<f32>,
    sink: &mut dyn Write,
) -> io::Result<()> {
    let order = header.byte_order();
    let (scalars, properties) = (tractogram.scalars().values(), tractogram.properties().values());
    sink.write_all(header.bytes())?;
    let mut bytes = Vec::new();
    let mut at = 0;
    for (i, line) in lines.slices().enumerate() {
        bytes.clear();
        bytes.extend((line.len() as i32).to_order(order));
        for point in line {
            bytes.extend(point.iter().flat_map(|x| x.to_order(order)));
            if scalars.ncols() > 0 {
                bytes.extend(scalars.row(at).iter().flat_map(|x| x.to_order(order)));
            }
            at += 1;
        }
        if properties.ncols() > 0 {
            bytes.extend(properties.row(i).iter().flat_map(|x| x.to_order(order)));
        }
        sink.write_all(&bytes)?;
    }
    Ok(())
}
