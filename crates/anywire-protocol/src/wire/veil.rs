//! Payloads that show no text to what lies between the two sides (PROTOCOL §4.13). It is no encryption.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;

use crate::ProtocolError;

/// What a veiled body begins with; no payload does, in either encoding.
pub const VEILED_MARK: &[u8] = b"v=";

/// Veils a payload in the binary encoding. The mask should be random, and another one for each body.
pub fn veil(payload: &[u8], mask: [u8; 4]) -> Bytes {
    let mut bytes = mask.to_vec();
    bytes.extend(masked(payload, mask));
    let mut body = String::from_utf8_lossy(VEILED_MARK).into_owned();
    URL_SAFE_NO_PAD.encode_string(bytes, &mut body);
    body.into()
}

/// Takes the veil off a body that begins with [`VEILED_MARK`]: a payload in the binary encoding.
///
/// # Errors
/// Refuse the whole body.
pub fn unveil(body: &[u8]) -> Result<Bytes, ProtocolError> {
    let veiled = body.strip_prefix(VEILED_MARK).and_then(|text| {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (mask, payload) = bytes.split_first_chunk::<4>()?;
        Some(masked(payload, *mask).collect())
    });
    veiled.ok_or_else(|| {
        ProtocolError::malformed(
            "a veiled body that is not `v=`, and base64url of a mask and a payload",
        )
    })
}

/// How long the veiled body of a payload is.
pub const fn veiled_bytes(payload_bytes: usize) -> usize {
    VEILED_MARK.len()
        + (payload_bytes.saturating_add(4))
            .saturating_mul(4)
            .div_ceil(3)
}

/// How long a payload may be whose veiled body has at most so many bytes.
pub const fn unveiled_bytes(body_bytes: usize) -> usize {
    (body_bytes.saturating_sub(VEILED_MARK.len()) / 4 * 3).saturating_sub(4)
}

fn masked(bytes: &[u8], mask: [u8; 4]) -> impl Iterator<Item = u8> {
    bytes
        .iter()
        .zip(mask.into_iter().cycle())
        .map(|(byte, mask)| byte ^ mask)
}
