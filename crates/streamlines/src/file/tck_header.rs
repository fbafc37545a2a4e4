//! The header of a TCK file: lines of text, `key: value`.

use std::fmt::Write as _;
use std::io::Read;

use super::bytes::ByteOrder;
use super::input::Input;
use crate::Error;

pub(super) const MAGIC: &[u8; 13] = b"mrtrix tracks";

/// A header is not longer; histories of commands are some kilobytes.
const LONGEST: usize = 1 << 20;

/// The number type of the points in a TCK file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TckDatatype {
    /// `Float32LE`.
    #[default]
    Float32Le,
    /// `Float32BE`.
    Float32Be,
    /// `Float64LE`; rounded to f32 when read.
    Float64Le,
    /// `Float64BE`; rounded to f32 when read.
    Float64Be,
}

impl TckDatatype {
    /// All, in the order of their declaration.
    pub const ALL: [Self; 4] = [Self::Float32Le, Self::Float32Be, Self::Float64Le, Self::Float64Be];

    /// The name in the header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32Le => "Float32LE",
            Self::Float32Be => "Float32BE",
            Self::Float64Le => "Float64LE",
            Self::Float64Be => "Float64BE",
        }
    }

    pub(super) fn order(self) -> ByteOrder {
        match self {
            Self::Float32Le | Self::Float64Le => ByteOrder::Little,
            Self::Float32Be | Self::Float64Be => ByteOrder::Big,
        }
    }

    /// Bytes of a number.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Float32Le | Self::Float32Be => 4,
            Self::Float64Le | Self::Float64Be => 8,
        }
    }
}

/// The header of a TCK file.
///
/// `count`, `datatype` and `file` are written by the writer; all other fields are kept in order, a key that comes more than
/// once as often as it comes.
///
/// ```
/// use variata_streamlines::{TckDatatype, TckHeader};
///
/// let header = TckHeader::new(TckDatatype::Float32Le, [("step_size", "0.5"), ("method", "iFOD2")])?;
/// assert_eq!(header.get("step_size"), Some("0.5"));
/// assert!(TckHeader::new(TckDatatype::Float32Le, [("a:b", "")]).is_err());
/// # Ok::<(), variata_streamlines::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TckHeader {
    datatype: TckDatatype,
    fields: Vec<(String, String)>,
    /// The bytes in front of the points as they were read, and the number of streamlines that they announce.
    original: Option<(Vec<u8>, u64)>,
}

impl TckHeader {
    /// A header with these fields.
    ///
    /// # Errors
    /// [`Error::Name`] for a key that is empty, one of the writer's own, or has a colon or a line's end in it or space
    /// around it, for a value with a line's end in it or space around it, and for more than 1 MiB of all of them.
    pub fn new<K: Into<String>, V: Into<String>>(
        datatype: TckDatatype,
        fields: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, Error> {
        let fields: Vec<(String, String)> =
            fields.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        for (key, value) in &fields {
            let own = ["count", "datatype", "file"].contains(&&key[..]);
            if own || key.is_empty() || key.trim() != key || key.contains([':', '\n', '\r']) {
                let must = "must be a key without colon, line's end or space around it, and not count, datatype, file";
                return Err(Error::Name { name: key.clone(), must });
            }
            if value.trim() != value || value.contains(['\n', '\r']) {
                let must = "must be a value without line's end or space around it";
                return Err(Error::Name { name: value.clone(), must });
            }
        }
        let header = Self { datatype, fields, original: None };
        header.bytes(u64::MAX)?;
        Ok(header)
    }

    /// The number type of the points.
    pub fn datatype(&self) -> TckDatatype {
        self.datatype
    }

    /// Keys and values in order, without those that the writer writes. A value of several lines is written as so many of its key, and comes back
    /// as these.
    pub fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    /// The first value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == key).map(|(_, value)| &value[..])
    }

    /// Everything in front of the points: as it was read where it is still true, else in nibabel's form, in which each line of a value
    /// repeats its key.
    ///
    /// # Errors
    /// [`Error::Name`] for more than the reader would take.
    pub(super) fn bytes(&self, count: u64) -> Result<Vec<u8>, Error> {
        if let Some((bytes, announced)) = &self.original
            && *announced == count
        {
            return Ok(bytes.clone());
        }
        let mut text = String::from("mrtrix tracks\n");
        // Writing to a string does not fail.
        let _ = writeln!(text, "count: {count:010}\ndatatype: {}", self.datatype.name());
        for (key, value) in &self.fields {
            for value in value.split('\n') {
                let _ = writeln!(text, "{key}: {value}");
            }
        }
        // The offset counts its own digits.
        let rest = text.len() + "file: . \nEND\n".len();
        let mut offset = rest;
        while rest + offset.to_string().len() != offset {
            offset = rest + offset.to_string().len();
        }
        let _ = write!(text, "file: . {offset}\nEND\n");
        if text.len() > LONGEST {
            let must = "must be short enough, together, for a header of at most 1 MiB";
            return Err(Error::Name { name: "fields".to_owned(), must });
        }
        Ok(text.into_bytes())
    }

    /// Reads the header up to the first point; gives the announced number of streamlines too, with its place.
    pub(super) fn read<R: Read>(input: &mut Input<R>) -> Result<(Self, Option<(u64, u64)>), Error> {
        let mut bytes = Vec::new();
        let mut header = Self::default();
        let (mut count, mut datatype, mut data) = (None, None, None);
        // Whether the last line can be gone on with.
        let mut open = false;
        let error = |input: &Input<R>, offset, field, value: &str, must| Error::Header {
            file: input.file(),
            offset,
            field,
            value: format!("{:?}", value.chars().take(80).collect::<String>()),
            must,
        };
        loop {
            let at = input.position();
            let from = bytes.len();
            let n = input.line(&mut bytes, LONGEST - from)?;
            let whole = bytes.last() == Some(&b'\n');
            if n == 0 || !whole {
                let (value, must) = ("missing", "the line in front of the points, within 1 MiB");
                return Err(error(input, at, "END", value, must));
            }
            let Ok(line) = std::str::from_utf8(&bytes[from..]) else {
                let value = String::from_utf8_lossy(&bytes[from..]).into_owned();
                return Err(error(input, at, "line", &value, "UTF-8"));
            };
            let line = line.trim();
            if from == 0 {
                if line.as_bytes() != MAGIC {
                    return Err(error(input, at, "magic", line, "\"mrtrix tracks\""));
                }
                continue;
            }
            if line.is_empty() {
                continue;
            }
            if line == "END" {
                break;
            }
            let Some((key, value)) = line.split_once(':') else {
                // A line without a key goes on with the value before it; that of a number has no second line.
                match header.fields.last_mut() {
                    Some((_, value)) if open => {
                        value.push('\n');
                        value.push_str(line);
                        continue;
                    }
                    _ => return Err(error(input, at, "line", line, "`key: value`")),
                }
            };
            open = false;
            let (key, value) = (key.trim(), value.trim());
            let twice = "given once";
            match key {
                "count" => {
                    let parsed = value.parse().map_err(|_| error(input, at, "count", value, "a number"))?;
                    if count.replace((parsed, at)).is_some() {
                        return Err(error(input, at, "count", value, twice));
                    }
                }
                "datatype" => {
                    let known = TckDatatype::ALL.into_iter().find(|known| known.name() == value);
                    let must = "Float32LE, Float32BE, Float64LE or Float64BE";
                    let known = known.ok_or_else(|| error(input, at, "datatype", value, must))?;
                    if datatype.replace(known).is_some() {
                        return Err(error(input, at, "datatype", value, twice));
                    }
                }
                "file" => {
                    let must = "`. ` and the offset of the points in this file";
                    let offset = value.strip_prefix('.').filter(|rest| rest.starts_with(char::is_whitespace));
                    let offset = offset.and_then(|offset| offset.trim().parse::<u64>().ok());
                    let offset = offset.ok_or_else(|| error(input, at, "file", value, must))?;
                    if data.replace((offset, at)).is_some() {
                        return Err(error(input, at, "file", value, twice));
                    }
                }
                _ => {
                    header.fields.push((key.to_owned(), value.to_owned()));
                    open = true;
                }
            }
        }
        header.datatype = datatype.unwrap_or_default();
        if let Some((offset, at)) = data {
            let end = input.position();
            if offset < end || offset > end + LONGEST as u64 {
                let must = "the offset of the points: behind END, by at most 1 MiB";
                return Err(error(input, at, "file", &format!(". {offset}"), must));
            }
            let from = bytes.len();
            let gap = (offset - end) as usize;
            input.holds("the gap in front of the points", gap as u64)?;
            bytes.resize(from + gap, 0);
            input.exact(&mut bytes[from..], "the gap in front of the points")?;
        }
        if let (Some((announced, _)), Some(_), Some(_)) = (count, datatype, data) {
            header.original = Some((bytes, announced));
        }
        Ok((header, count))
    }
}
