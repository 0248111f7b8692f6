//! What the server loop asks of every request's head, whatever service it is for (PROTOCOL §10.6, RFC 9112 §3.2, §6.1).

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{Request, Version};

use crate::host;

/// Judges a head that hyper has read.
///
/// # Errors
/// Says what came; the connection must end.
pub(super) fn judge<B>(request: &Request<B>, has_two_lengths: bool) -> Result<(), &'static str> {
    if has_two_lengths {
        return Err("Content-Length beside Transfer-Encoding: send one of them");
    }
    host::read(request.headers(), request.uri().authority())?;
    // HTTP/1.0 has none.
    if request.version() == Version::HTTP_11 && !request.headers().contains_key(HOST) {
        return Err("a request without a Host header");
    }
    Ok(())
}

/// Looks for heads that give their body's length in two ways. hyper takes one of the two and drops the other, so its request
/// does not show it.
///
/// It reads heads that follow each other without a body between; behind a body it waits for [`HeadScan::restart`].
#[derive(Debug, Default)]
pub(super) struct HeadScan {
    /// The beginning of the line, in lower case.
    line: [u8; LONGEST_NAME],
    line_length: usize,
    has_length: bool,
    has_encoding: bool,
    is_over: bool,
}

/// Of the two names, the longer one and its colon.
const LONGEST_NAME: usize = TRANSFER_ENCODING_NAME.len() + 1;
const TRANSFER_ENCODING_NAME: &str = "transfer-encoding";

impl HeadScan {
    /// The next byte begins a head.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Reads what came. `true` if a head has both.
    pub(super) fn read(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            if self.is_over {
                return false;
            }
            match byte {
                b'\n' if self.end_line() => return true,
                b'\n' | b'\r' => {}
                _ => self.push(*byte),
            }
        }
        false
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.line.get_mut(self.line_length) {
            *place = byte.to_ascii_lowercase();
            self.line_length += 1;
        }
    }

    fn end_line(&mut self) -> bool {
        let line = &self.line[..self.line_length];
        let is_of = |name: &str| {
            line.strip_prefix(name.as_bytes())
                .is_some_and(|rest| rest.starts_with(b":"))
        };
        self.has_length |= is_of(CONTENT_LENGTH.as_str());
        self.has_encoding |= is_of(TRANSFER_ENCODING.as_str());
        let is_end = line.is_empty();
        self.line_length = 0;
        let has_both = self.has_length && self.has_encoding;
        self.is_over = is_end && (self.has_length || self.has_encoding);
        has_both
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(version: Version, uri: &str, hosts: &[&str]) -> Result<(), &'static str> {
        let mut request = Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        judge(&request.body(()).expect("a request"), false)
    }

    #[test]
    fn a_request_of_http_1_1_names_one_host() {
        assert_eq!(judged(Version::HTTP_11, "/", &["h"]), Ok(()));
        assert_eq!(judged(Version::HTTP_10, "/", &[]), Ok(()));
        assert_eq!(judged(Version::HTTP_11, "http://h/", &["h"]), Ok(()));
        for uri in ["/", "http://h/"] {
            let none = "a request without a Host header";
            assert_eq!(judged(Version::HTTP_11, uri, &[]), Err(none));
        }
        assert!(judged(Version::HTTP_11, "http://evil/", &["h"]).is_err());
        assert!(judged(Version::HTTP_10, "/", &["h", "h"]).is_err());
        let both = judge(&Request::new(()), true);
        assert_eq!(
            both,
            Err("Content-Length beside Transfer-Encoding: send one of them")
        );
    }

    #[test]
    fn both_lengths_are_seen_in_either_order_and_however_the_bytes_come() {
        let head = |lines: &str| format!("POST / HTTP/1.1\r\nHost: h\r\n{lines}\r\n\r\n");
        for (lines, has_both) in [
            ("Content-Length: 5\r\nTransfer-Encoding: chunked", true),
            (
                "transfer-encoding: chunked\r\nX: y\r\nCONTENT-LENGTH:5",
                true,
            ),
            ("Transfer-Encoding: chunked", false),
            ("Content-Length: 5\r\nX-Transfer-Encoding: chunked", false),
            ("Content-Length: 5\r\nTransfer-Encodings: chunked", false),
        ] {
            let text = head(lines);
            assert_eq!(
                HeadScan::default().read(text.as_bytes()),
                has_both,
                "{lines}"
            );
            let mut scan = HeadScan::default();
            let any = text.bytes().any(|byte| scan.read(&[byte]));
            assert_eq!(any, has_both, "{lines}");
        }
        // A body is no head; what follows a head without one is.
        let body = head("Content-Length: 99") + "Transfer-Encoding: chunked\r\n";
        assert!(!HeadScan::default().read(body.as_bytes()));
        let second = head("X: y") + &head("Content-Length: 5\r\nTransfer-Encoding: chunked");
        assert!(HeadScan::default().read(second.as_bytes()));
    }
}
