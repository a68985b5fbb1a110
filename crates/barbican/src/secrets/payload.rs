//! Media types and encodings of payloads.

use base::{Error, Kind, Result};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

pub const TEXT: &str = "text/plain";
pub const BINARY: &str = "application/octet-stream";
const PKCS8: &str = "application/pkcs8";

/// As refusals name them.
pub const SUPPORTED: &str = "['text/plain', 'text/plain;charset=utf-8', 'text/plain; charset=utf-8', \
    'application/octet-stream', 'application/pkcs8']";

/// The type that is kept, of what clients write for it; None: not supported.
pub fn normalized(content_type: &str) -> Option<&'static str> {
    let (media, parameter) = content_type.split_once(';').unwrap_or((content_type, ""));
    let parameter: String = parameter.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    match (media.trim().to_ascii_lowercase().as_str(), parameter.to_ascii_lowercase().as_str()) {
        (TEXT, "" | "charset=utf-8") => Some(TEXT),
        (BINARY, "") => Some(BINARY),
        (PKCS8, "") => Some(PKCS8),
        _ => None,
    }
}

/// Line breaks and missing padding are forgiven, as by Python's decoder.
pub fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let compact: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    GeneralPurpose::new(&alphabet::STANDARD, config).decode(compact).ok()
}

/// The payload as `accept` wants it, with its type. `*/*` and nothing at all differ: the first is whatever it is kept as.
pub fn shown(payload: Vec<u8>, kept: &str, accept: Option<&str>) -> Result<(Vec<u8>, String)> {
    let wrong = || {
        Error::new(Kind::NotAcceptable, "Secret payload retrieval issue seen - Wrong payload content-type.")
    };
    let asked = match accept {
        None | Some("") => BINARY,
        Some("*/*") => kept,
        Some(accept) => accept,
    };
    match normalized(asked).ok_or_else(wrong)? {
        TEXT if std::str::from_utf8(&payload).is_err() => Err(wrong()),
        TEXT => Ok((payload, "text/plain; charset=UTF-8".into())),
        other => Ok((payload, other.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_what_clients_write_for_them() {
        for text in ["text/plain", "TEXT/plain; charset=UTF-8", "text/plain;charset=utf-8"] {
            assert_eq!(normalized(text), Some(TEXT), "{text}");
        }
        for other in ["text/plain;charset=latin1", "text/plain; utf-8", "application/json", ""] {
            assert_eq!(normalized(other), None, "{other}");
        }
    }

    #[test]
    fn base64_may_be_wrapped_and_unpadded() {
        assert_eq!(from_base64(b"aGVs\nbG8=").unwrap(), b"hello");
        assert_eq!(from_base64(b"aGVsbG8").unwrap(), b"hello");
        assert_eq!(from_base64(b"a!"), None);
    }

    #[test]
    fn bytes_that_are_no_text_are_not_shown_as_one() {
        assert!(shown(vec![0xff], BINARY, Some("text/plain")).is_err());
        assert_eq!(shown(vec![0xff], BINARY, Some("*/*")).unwrap().1, BINARY);
        assert_eq!(shown(b"a".to_vec(), TEXT, None).unwrap().1, BINARY);
        assert!(shown(b"a".to_vec(), TEXT, Some("image/png")).is_err());
    }
}
