//! Payloads in the text encoding where the path does not bear every character (PROTOCOL §4.7). What the payload says is
//! left to `payload.rs`.

use bytes::{BufMut, Bytes, BytesMut};

use crate::ProtocolError;

/// What an escaped body begins with; no payload in the text encoding does.
pub const ESCAPED_MARK: &[u8] = b"b=";

/// Takes percent-escapes back as they come. The result is to be read as a payload, which finds what is no UTF-8.
#[derive(Debug, Default)]
pub struct Unescaper {
    escape: Escape,
}

/// ```text
///            %             digit            digit
///   None ─────────▶ Begun ────────▶ Half ─────────▶ None
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Begun,
    /// The first digit's value.
    Half(u8),
}

impl Unescaper {
    /// Bytes came, without the mark; what they stand for goes to `out`.
    ///
    /// # Errors
    /// Refuse the whole body.
    pub fn push(&mut self, escaped: &[u8], out: &mut BytesMut) -> Result<(), ProtocolError> {
        for &byte in escaped {
            self.escape = match (self.escape, byte) {
                (Escape::None, b'%') => Escape::Begun,
                (Escape::None, b'&') => {
                    return Err(ProtocolError::malformed(
                        "an escaped body that is not one field, `b`",
                    ));
                }
                (Escape::None, byte) => {
                    // Forms write a space so.
                    out.put_u8(if byte == b'+' { b' ' } else { byte });
                    Escape::None
                }
                (Escape::Begun, byte) => Escape::Half(digit(byte)?),
                (Escape::Half(high), byte) => {
                    out.put_u8(high << 4 | digit(byte)?);
                    Escape::None
                }
            };
        }
        Ok(())
    }

    /// Ends the body, once all of it was pushed.
    ///
    /// # Errors
    /// The body ends within an escape, such as `%4`: refuse all of it.
    pub fn finish(self) -> Result<(), ProtocolError> {
        match self.escape {
            Escape::None => Ok(()),
            Escape::Begun | Escape::Half(_) => Err(broken()),
        }
    }
}

fn digit(byte: u8) -> Result<u8, ProtocolError> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(broken()),
    }
}

const fn broken() -> ProtocolError {
    ProtocolError::malformed(
        "a % without two hexadecimal digits behind it: escape as encodeURIComponent does",
    )
}

/// Appends a payload in the text encoding as one line: with `%`, NUL and line ends escaped (PROTOCOL §4.7).
pub fn escape_line(payload: &[u8], out: &mut BytesMut) {
    out.reserve(payload.len());
    let mut rest = payload;
    while let Some(at) = rest.iter().position(|byte| breaks_line(*byte)) {
        out.put_slice(&rest[..at]);
        out.put_slice(match rest[at] {
            b'\0' => b"%00",
            b'\r' => b"%0D",
            b'\n' => b"%0A",
            _ => b"%25",
        });
        rest = &rest[at + 1..];
    }
    out.put_slice(rest);
}

/// Whether [`escape_line`] leaves bytes as they are.
pub fn is_line(payload: &[u8]) -> bool {
    !payload.iter().any(|byte| breaks_line(*byte))
}

const fn breaks_line(byte: u8) -> bool {
    matches!(byte, b'\0' | b'\r' | b'\n' | b'%')
}

/// A body in the text encoding without its escape, if it has one.
///
/// # Errors
/// Refuse the whole body.
pub fn unescape(body: Bytes) -> Result<Bytes, ProtocolError> {
    let Some(escaped) = body.strip_prefix(ESCAPED_MARK) else {
        return Ok(body);
    };
    let mut payload = BytesMut::with_capacity(escaped.len());
    let mut unescaper = Unescaper::default();
    unescaper.push(escaped, &mut payload)?;
    unescaper.finish()?;
    Ok(payload.freeze())
}
