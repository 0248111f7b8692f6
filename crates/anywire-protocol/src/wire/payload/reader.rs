//! Reads a payload that comes bit by bit: a stream (PROTOCOL §13).

use std::str;

use bytes::BytesMut;

use super::{Encoding, Extent, binary_extent, binary_packet, text_extent, text_packet};
use crate::{CloseCode, Packet, ProtocolError};

/// A payload of which more is to come. What it holds in the end, behind the last whole packet, is no packet.
#[derive(Debug)]
pub struct PayloadReader {
    encoding: Encoding,
    max_packet_bytes: usize,
    pending: BytesMut,
}

impl PayloadReader {
    /// Nothing has come yet. A packet that takes more than `max_packet_bytes` is refused.
    pub fn new(encoding: Encoding, max_packet_bytes: usize) -> Self {
        Self {
            encoding,
            max_packet_bytes,
            pending: BytesMut::new(),
        }
    }

    /// Bytes came; call [`PayloadReader::next_packet`] until it has no more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next packet, if all of it has come.
    ///
    /// # Errors
    /// Drop the stream: what follows means nothing.
    pub fn next_packet(&mut self) -> Result<Option<Packet>, ProtocolError> {
        if self.pending.is_empty() {
            return Ok(None);
        }
        let extent = match self.encoding {
            Encoding::Text => text_extent(self.text()?)?,
            Encoding::Binary => binary_extent(&self.pending)?,
        };
        let Some(Extent { letter, begin, end }) = extent else {
            if self.pending.len() > self.max_packet_bytes {
                let text = "a packet is longer than the limits allow";
                return Err(ProtocolError::new(CloseCode::TOO_LARGE, text));
            }
            return Ok(None);
        };
        let content = self.pending.split_to(end).split_off(begin).freeze();
        let packet = match self.encoding {
            Encoding::Text => {
                let content = str::from_utf8(&content).expect("the extent ends between characters");
                text_packet(letter, content)?
            }
            Encoding::Binary => binary_packet(letter, content)?,
        };
        Ok(Some(packet))
    }

    /// What has come, but for a last character that is not there whole.
    fn text(&self) -> Result<&str, ProtocolError> {
        match str::from_utf8(&self.pending) {
            Ok(text) => Ok(text),
            Err(error) if error.error_len().is_none() => {
                Ok(str::from_utf8(&self.pending[..error.valid_up_to()])
                    .expect("it is valid up to there"))
            }
            Err(_) => Err(ProtocolError::malformed(
                "a payload in the text encoding that is not UTF-8",
            )),
        }
    }
}
