//! Whether a photograph is all there.

/// Whether a JPEG file has its end, which decoders do not ask for: they fill up what is missing.
///
/// Walks from marker to marker, since the bytes of the end may also be in a thumbnail, say. Says nothing about what lies between.
///
/// ```
/// // Begin, a comment of two bytes that look like the end, and the end.
/// let file = [0xFF, 0xD8, 0xFF, 0xFE, 0, 4, 0xFF, 0xD9, 0xFF, 0xD9];
/// assert!(variata_files::is_whole_jpeg(&file));
/// assert!(!variata_files::is_whole_jpeg(&file[..8]));
/// ```
#[must_use]
pub fn is_whole_jpeg(bytes: &[u8]) -> bool {
    let mut at = 0;
    loop {
        // Behind the header of a scan are its coded bytes, in which FF stands before 0 and the numbers of restarts only.
        let marker = bytes
            .get(at..)
            .unwrap_or_default()
            .windows(2)
            .position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0x01 | 0xD0..=0xD8 | 0xFF));
        let Some(marker) = marker.map(|found| at + found) else { return false };
        if bytes[marker + 1] == 0xD9 {
            return true;
        }
        let Some(&[high, low]) = bytes.get(marker + 2..marker + 4) else { return false };
        at = marker + 2 + usize::from(u16::from_be_bytes([high, low]));
    }
}
