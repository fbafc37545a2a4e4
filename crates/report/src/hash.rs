//! Checksums as text.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};
use variata_files::hex;

/// SHA-256 of `bytes` in 64 hexadecimal digits.
///
/// ```
/// assert!(variata_report::sha256(b"abc").starts_with("ba7816bf8f01cfea"));
/// ```
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-256 of everything that `reader` gives, read in blocks.
///
/// # Errors
/// What the reader returns, except interruptions, which are tried again.
pub fn sha256_reader(mut reader: impl Read) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        match reader.read(&mut block) {
            Ok(0) => return Ok(hex(&digest.finalize())),
            Ok(n) => digest.update(block.get(..n).unwrap_or(&block)),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}
