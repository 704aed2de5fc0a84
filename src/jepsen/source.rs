//! From a file's bytes to its text: unpacked where they are gzip, whatever the file is called.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

use super::plain::plain;
use super::read::ReadError;

/// What every gzip file begins with.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The text of a history, unpacked if it is packed, in numbers that the EDN reader reads.
pub fn unpack(bytes: Vec<u8>) -> Result<String, ReadError> {
    let bytes = if bytes.starts_with(&GZIP_MAGIC) { gunzip(&bytes)? } else { bytes };
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        ReadError::NotUtf8 { line: valid.split(|byte| *byte == b'\n').count() }
    })?;
    let changed = match plain(&text) {
        Cow::Borrowed(same) if same.len() == text.len() => None,
        other => Some(other.into_owned()),
    };
    Ok(changed.unwrap_or(text))
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, ReadError> {
    let mut unpacked = Vec::new();
    let read: io::Result<usize> = MultiGzDecoder::new(bytes).read_to_end(&mut unpacked);
    match read {
        Ok(_) => Ok(unpacked),
        Err(source) => Err(ReadError::Gzip { source }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn packed_and_plain_bytes_give_the_same_text() {
        let mut writer = GzEncoder::new(Vec::new(), Compression::default());
        writer.write_all(b"{:index 0}").expect("memory takes all");
        let packed = writer.finish().expect("memory takes all");
        assert_eq!(unpack(packed.clone()).expect("gzip"), "{:index 0}");
        assert_eq!(unpack(b"{:index 0}".to_vec()).expect("text"), "{:index 0}");
        let torn = unpack(packed[..packed.len() - 9].to_vec()).expect_err("a torn file");
        assert!(matches!(torn, ReadError::Gzip { .. }), "{torn}");
    }

    #[test]
    fn bytes_that_are_no_text_are_named_by_their_line() {
        let error = unpack(b"{}\n{}\n\xff".to_vec()).expect_err("no text");
        assert!(matches!(error, ReadError::NotUtf8 { line: 3 }), "{error}");
    }
}
