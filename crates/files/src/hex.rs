//! Digests as text.

/// Two hexadecimal digits a byte, as digests are written.
///
/// ```
/// assert_eq!(variata_files::hex(&[0, 0x1f, 0xff]), "001fff");
/// ```
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digits =
        |byte: &u8| [byte >> 4, byte & 15].map(|four| char::from_digit(four.into(), 16).unwrap_or('?'));
    bytes.iter().flat_map(digits).collect()
}
