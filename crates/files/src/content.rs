//! Plain or compressed content: told by the first bytes where it is read.

use std::io::{self, BufRead, BufReader, BufWriter, Chain, Cursor, ErrorKind, Read, Write};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use flate2::{Compression, GzBuilder};

/// Bytes read at once, and decompressed at once.
const BUFFER: usize = 1 << 16;
/// Compressed bytes read at once: they may be a thousand times as many.
const COMPRESSED: usize = 1 << 13;
/// What a gzip file begins with.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Why [`Content`], or a part of an [`Input`](crate::Input), cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The reader failed.
    #[error("{0}")]
    Io(#[source] io::Error),
    /// The compressed stream is damaged.
    #[error("byte {offset} of the compressed stream: {reason}")]
    Gzip {
        /// Compressed bytes taken until then.
        offset: u64,
        /// What the decoder says.
        reason: String,
    },
    /// The content ends within a part: [`Input`](crate::Input) alone says so.
    #[error("byte {offset}: {found} bytes, {expected} were announced")]
    Truncated {
        /// Where the part begins.
        offset: u64,
        /// Its bytes.
        expected: u64,
        /// Those that there are.
        found: u64,
    },
}

/// Counts the compressed bytes that the decoder has taken, and remembers whether the reader itself failed.
#[derive(Debug)]
struct Counting<R> {
    inner: BufReader<R>,
    taken: u64,
    failed: bool,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buf)?;
        self.consume(n);
        Ok(n)
    }
}

impl<R: Read> BufRead for Counting<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.inner.fill_buf() {
            Ok(buffer) => Ok(buffer),
            Err(error) => {
                self.failed |= error.kind() != ErrorKind::Interrupted;
                Err(error)
            }
        }
    }

    fn consume(&mut self, n: usize) {
        self.taken += n as u64;
        self.inner.consume(n);
    }
}

/// The reader behind the bytes that were looked at.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

#[derive(Debug)]
enum Stream<R> {
    Plain(BufReader<Whole<R>>),
    Gzip(Box<BufReader<MultiGzDecoder<Counting<Whole<R>>>>>),
}

/// The bytes of a reader, decompressed where they begin like a gzip file.
///
/// ```
/// let mut content = variata_files::Content::new(&b"plain"[..])?;
/// let mut bytes = [0; 8];
/// assert_eq!((content.fill(&mut bytes)?, content.is_gzip()), (5, false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Content<R> {
    stream: Stream<R>,
}

impl<R: Read> Content<R> {
    /// Looks at the first two bytes.
    ///
    /// # Errors
    /// The reader fails.
    pub fn new(mut reader: R) -> io::Result<Self> {
        let mut start = vec![0; MAGIC.len()];
        let n = read_full(&mut reader, &mut start)?;
        start.truncate(n);
        let gzip = start == MAGIC;
        let whole = Cursor::new(start).chain(reader);
        let stream = if gzip {
            let inner = BufReader::with_capacity(COMPRESSED, whole);
            let decoder = MultiGzDecoder::new(Counting { inner, taken: 0, failed: false });
            Stream::Gzip(Box::new(BufReader::with_capacity(BUFFER, decoder)))
        } else {
            Stream::Plain(BufReader::with_capacity(BUFFER, whole))
        };
        Ok(Self { stream })
    }

    /// Whether it is compressed.
    pub fn is_gzip(&self) -> bool {
        matches!(self.stream, Stream::Gzip(_))
    }

    /// As many bytes as there are, up to the length of `buf`: fewer only at the end, where the sums of a gzip stream are checked.
    ///
    /// # Errors
    /// The reader fails, or the compressed stream is damaged.
    pub fn fill(&mut self, buf: &mut [u8]) -> Result<usize, Failure> {
        match &mut self.stream {
            Stream::Plain(reader) => read_full(reader, buf).map_err(Failure::Io),
            Stream::Gzip(reader) => read_full(reader, buf).map_err(|source| {
                let Counting { failed, taken, .. } = reader.get_ref().get_ref();
                if *failed {
                    return Failure::Io(source);
                }
                Failure::Gzip { offset: *taken, reason: source.to_string() }
            }),
        }
    }
}

/// [`replace`](crate::replace) with what `write` gives to a buffer, `compressed` or as it is. Without a time stamp, so that equal
/// content gives equal files.
///
/// # Errors
/// As there.
pub fn replace_content(
    path: &Path,
    compressed: bool,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), crate::Error> {
    crate::replace(path, |file| {
        let mut sink = BufWriter::with_capacity(BUFFER, file);
        if compressed {
            let mut encoder = BufWriter::new(GzBuilder::new().write(sink, Compression::default()));
            write(&mut encoder)?;
            sink = encoder.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?;
        } else {
            write(&mut sink)?;
        }
        sink.flush()
    })
}

/// Reads until `buf` is full or the reader is at its end.
fn read_full(reader: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < buf.len() {
        match reader.read(&mut buf[n..]) {
            Ok(0) => break,
            Ok(k) => n += k,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n)
}
