//! Where a body ends, told from its bytes alone. Reading them is left to `wire`.

use std::io;

/// How much of a body is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes; a body without any is `Sized(0)`.
    Sized(u64),
    Chunked(Chunk),
    /// All until the connection ends.
    UntilClosed,
}

/// Where in a chunked body the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In the digits of a size.
    Size(u64),
    /// After them, up to the end of their line.
    Extension(u64),
    /// In the data, with so many bytes left.
    Data(u64),
    /// In the line break after the data.
    DataEnd,
    /// In the trailer, in a line of so many bytes.
    Trailer(u64),
    Over,
}

impl Body {
    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::Sized(0) | Self::Chunked(Chunk::Over))
    }

    /// Whether its length is known before it.
    pub(super) fn is_sized(self) -> bool {
        matches!(self, Self::Sized(_))
    }

    /// Says how many of `bytes` belong to the body, and remembers that they have come.
    pub(super) fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        while taken < bytes.len() && !self.is_over() {
            let rest = &bytes[taken..];
            taken += match self {
                Self::UntilClosed => rest.len(),
                Self::Sized(left) | Self::Chunked(Chunk::Data(left)) if *left > 0 => {
                    let some = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= some as u64;
                    some
                }
                Self::Sized(_) => 0,
                Self::Chunked(chunk) => {
                    *chunk = chunk.after(rest[0])?;
                    1
                }
            };
        }
        Ok(taken)
    }

    /// What of `bytes`, which are the next of this body, is content and not the framing of chunks.
    pub(super) fn content(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let Self::Chunked(mut chunk) = self else {
            return Ok(bytes.to_vec());
        };
        let mut content = Vec::new();
        for byte in bytes {
            chunk = match chunk {
                Chunk::Data(left @ 1..) => {
                    content.push(*byte);
                    Chunk::Data(left - 1)
                }
                other => other.after(*byte)?,
            };
        }
        Ok(content)
    }
}

impl Chunk {
    /// ```text
    /// Size ──> Extension ──> Data ──> DataEnd ──> Size
    ///    └──────────┴──> Trailer ──> Over      (when the size is 0)
    /// ```
    fn after(self, byte: u8) -> io::Result<Self> {
        Ok(match (self, byte) {
            (Self::Size(0) | Self::Extension(0), b'\n') => Self::Trailer(0),
            (Self::Size(size) | Self::Extension(size), b'\n') => Self::Data(size),
            (Self::Size(size), b'\r' | b';' | b' ') => Self::Extension(size),
            (Self::Size(size), digit) => {
                let digit = char::from(digit)
                    .to_digit(16)
                    .ok_or_else(|| malformed("a size"))?;
                let size = size.checked_mul(16).ok_or_else(|| malformed("a size"))?;
                Self::Size(size + u64::from(digit))
            }
            (Self::Data(_) | Self::DataEnd, b'\n') => Self::Size(0),
            (Self::Data(_), _) => Self::DataEnd,
            (Self::Trailer(0), b'\n') => Self::Over,
            (Self::Trailer(length), b'\r') => Self::Trailer(length),
            (Self::Trailer(_), b'\n') => Self::Trailer(0),
            (Self::Trailer(length), _) => Self::Trailer(length + 1),
            (Self::Extension(_) | Self::DataEnd | Self::Over, _) => self,
        })
    }
}

/// The error of a peer that speaks something else than HTTP.
pub(super) fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} that cannot be"))
}

#[cfg(test)]
mod tests {
    use super::{Body, Chunk};

    #[test]
    fn a_chunked_body_ends_where_it_ends_however_it_is_cut() {
        let body = b"5;a=b\r\nhello\r\n00a\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
        for cut in 0..body.len() {
            let mut left = Body::Chunked(Chunk::Size(0));
            assert_eq!(left.take(&body[..cut]).unwrap(), cut);
            let rest = [&body[cut..], b"GET / HTTP/1.1"].concat();
            assert_eq!(left.take(&rest).unwrap(), body.len() - cut);
            assert!(left.is_over());
        }
    }

    #[test]
    fn the_content_of_chunks_is_what_they_frame() {
        let body = b"5;a=b\r\nhello\r\n2\r\n!\n\r\n0\r\n\r\n";
        let chunked = Body::Chunked(Chunk::Size(0));
        assert_eq!(chunked.content(body).unwrap(), b"hello!\n");
        assert_eq!(Body::UntilClosed.content(body).unwrap(), body);
    }
}
