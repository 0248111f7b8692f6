//! Reads one direction of an HTTP/1.1 connection as it passes by, WebSocket frames after an upgrade included.
//!
//! It only watches: what it does not understand it lets pass, and says nothing more of that connection.

/// What has passed, in the order in which it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A head, whole.
    Head(String),
    /// Bytes of a body that is not chunked.
    Body(Vec<u8>),
    /// A whole chunk with its size line, or a whole frame with its header.
    Piece(Piece),
    /// The message has ended; the next one begins with a head.
    End,
}

/// The beginning of a chunk or a frame, and how long all of it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) begin: Vec<u8>,
    pub(crate) length: usize,
}

/// Which side of a connection is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Requests,
    Answers,
}

/// One direction of a connection.
#[derive(Debug)]
pub(crate) struct HttpReader {
    side: Side,
    state: State,
    piece: Piece,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Head,
    Body {
        left: usize,
    },
    ChunkSize,
    Chunk {
        left: usize,
    },
    LastChunk,
    FrameHead,
    Frame {
        left: usize,
    },
    /// A body that ends with its connection, or what is not understood.
    Rest,
}

impl HttpReader {
    pub(crate) fn new(side: Side) -> Self {
        Self {
            side,
            state: State::Head,
            piece: Piece::default(),
        }
    }

    /// What follows are WebSocket frames: the other side has agreed to them.
    pub(crate) fn upgrade(&mut self) {
        self.state = State::FrameHead;
    }

    pub(crate) fn push(&mut self, mut bytes: &[u8], parts: &mut Vec<Part>) {
        while !bytes.is_empty() {
            let taken = match self.state {
                State::Head | State::ChunkSize | State::LastChunk | State::FrameHead => {
                    self.take(&bytes[..1]);
                    self.end_line(parts);
                    1
                }
                State::Body { left } => {
                    let taken = left.min(bytes.len());
                    parts.push(Part::Body(bytes[..taken].to_vec()));
                    self.state = State::Body { left: left - taken };
                    self.end_body(left - taken, parts);
                    taken
                }
                State::Chunk { left } | State::Frame { left } => {
                    let taken = left.min(bytes.len());
                    self.take(&bytes[..taken]);
                    self.end_piece(left - taken, parts);
                    taken
                }
                State::Rest => {
                    parts.push(Part::Body(bytes.to_vec()));
                    bytes.len()
                }
            };
            bytes = &bytes[taken..];
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = MAX_KEPT_BYTES.saturating_sub(self.piece.begin.len());
        self.piece
            .begin
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.piece.length += bytes.len();
    }

    /// One more byte of what is read byte by byte.
    fn end_line(&mut self, parts: &mut Vec<Part>) {
        let bytes = &self.piece.begin;
        match self.state {
            State::Head if bytes.ends_with(b"\r\n\r\n") => {
                let head =
                    String::from_utf8_lossy(&std::mem::take(&mut self.piece).begin).into_owned();
                let state = self.after_head(&head);
                self.state = state;
                parts.push(Part::Head(head));
                if let State::Body { left } = state {
                    self.end_body(left, parts);
                }
            }
            State::Head if bytes.len() == MAX_KEPT_BYTES => self.state = State::Rest,
            State::ChunkSize if bytes.ends_with(b"\r\n") => {
                let line = String::from_utf8_lossy(bytes);
                let size = line.split([';', '\r']).next().unwrap_or_default().trim();
                self.state = match usize::from_str_radix(size, 16) {
                    Ok(0) => State::LastChunk,
                    Ok(size) => State::Chunk { left: size + 2 },
                    Err(_) => State::Rest,
                };
            }
            State::LastChunk if bytes.ends_with(b"\r\n\r\n") => {
                self.piece = Piece::default();
                self.state = State::Head;
                parts.push(Part::End);
            }
            State::FrameHead => {
                if let Some(left) = frame_length(bytes) {
                    self.state = State::Frame { left };
                    if left == 0 {
                        self.end_piece(0, parts);
                    }
                }
            }
            _ => {}
        }
    }

    fn end_body(&mut self, left: usize, parts: &mut Vec<Part>) {
        if left == 0 {
            self.state = State::Head;
            parts.push(Part::End);
        }
    }

    fn end_piece(&mut self, left: usize, parts: &mut Vec<Part>) {
        self.state = match (self.state, left) {
            (State::Chunk { .. }, 0) => State::ChunkSize,
            (State::Chunk { .. }, left) => State::Chunk { left },
            (_, 0) => State::FrameHead,
            (_, left) => State::Frame { left },
        };
        if left == 0 {
            parts.push(Part::Piece(std::mem::take(&mut self.piece)));
        }
    }

    /// What a head says of its body (RFC 9112 §6.3).
    fn after_head(&self, head: &str) -> State {
        let status = head.split(' ').nth(1).unwrap_or_default();
        let has_none = self.side == Side::Answers && matches!(status, "204" | "304");
        if has_none {
            return State::Body { left: 0 };
        }
        if self.side == Side::Answers && status == "101" {
            return State::FrameHead;
        }
        if header(head, "transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            return State::ChunkSize;
        }
        match header(head, "content-length").map(str::parse) {
            Some(Ok(left)) => State::Body { left },
            Some(Err(_)) => State::Rest,
            None if self.side == Side::Answers => State::Rest,
            None => State::Body { left: 0 },
        }
    }
}

/// A header's value in a head.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// How much of a frame follows its header, once the header is whole (RFC 6455 §5.2).
fn frame_length(head: &[u8]) -> Option<usize> {
    let second = *head.get(1)?;
    let (extended, mask) = (
        match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        },
        if second & 0x80 == 0 { 0 } else { 4 },
    );
    if head.len() < 2 + extended + mask {
        return None;
    }
    Some(match extended {
        0 => usize::from(second & 0x7f),
        _ => head[2..2 + extended]
            .iter()
            .fold(0_usize, |length, byte| length << 8 | usize::from(*byte)),
    })
}

/// What is kept of a head, a chunk or a frame; more than the longest head.
const MAX_KEPT_BYTES: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    /// What is seen of bytes that come in pieces of this size, with neighbouring bodies joined.
    fn read(side: Side, bytes: &[u8], size: usize) -> Vec<Part> {
        let mut reader = HttpReader::new(side);
        let mut parts = Vec::new();
        bytes
            .chunks(size)
            .for_each(|bytes| reader.push(bytes, &mut parts));
        let mut joined: Vec<Part> = Vec::new();
        for part in parts {
            match (joined.last_mut(), part) {
                (Some(Part::Body(before)), Part::Body(more)) => before.extend(more),
                (_, part) => joined.push(part),
            }
        }
        joined
    }

    #[test]
    fn requests_are_told_apart_however_they_are_cut() {
        let bytes = b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\n\r\n";
        for size in 1..bytes.len() {
            let parts = read(Side::Requests, bytes, size);
            assert_eq!(parts.len(), 5, "{parts:?}");
            assert_eq!(parts[1], Part::Body(b"abc".to_vec()));
            assert_eq!(parts[2], Part::End);
            assert_eq!(parts[4], Part::End);
        }
    }

    #[test]
    fn chunks_come_whole_with_their_size() {
        let bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
        for size in 1..bytes.len() {
            let parts = read(Side::Answers, bytes, size);
            assert_eq!(parts.len(), 6, "{parts:?}");
            let Part::Piece(piece) = &parts[1] else {
                panic!("{parts:?}")
            };
            assert_eq!((&piece.begin[..], piece.length), (&b"3\r\nabc\r\n"[..], 8));
            assert_eq!(parts[5], Part::End);
        }
    }

    #[test]
    fn frames_follow_an_upgrade() {
        let mut bytes =
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x02hi\x89\x00\x82\x7e\x00\x80".to_vec();
        bytes.extend([7; 128]);
        for size in [1, 3, 7, bytes.len()] {
            let parts = read(Side::Answers, &bytes, size);
            let lengths: Vec<_> = parts
                .iter()
                .filter_map(|part| match part {
                    Part::Piece(piece) => Some(piece.length),
                    _ => None,
                })
                .collect();
            assert_eq!(lengths, [4, 2, 132]);
        }
    }
}
