//! Which of a Redis Cluster's 16,384 slots a key belongs to.

/// The last slot.
pub(super) const LAST_SLOT: u16 = 16_383;

/// The slot of a key: that of what stands in its first braces, if anything does.
pub(super) fn slot(key: &[u8]) -> u16 {
    let begin = key.iter().position(|byte| *byte == b'{');
    let tag = begin.and_then(|begin| {
        let rest = &key[begin + 1..];
        let length = rest.iter().position(|byte| *byte == b'}')?;
        (length > 0).then(|| &rest[..length])
    });
    crc16(tag.unwrap_or(key)) & LAST_SLOT
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => crc << 1 ^ 0x1021,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_that_redis_says() {
        // Of `CLUSTER KEYSLOT`, and of its page.
        assert_eq!(crc16(b"123456789"), 0x31c3);
        for (key, expected) in [
            (&b"foo"[..], 12_182),
            (b"hello", 866),
            (b"somekey", 11_058),
            (b"foo{hash_tag}", 2_515),
            (b"bar{hash_tag}x{other}", 2_515),
            (b"foo{}{bar}", slot_of_all(b"foo{}{bar}")),
            (b"{open", slot_of_all(b"{open")),
            (b"", 0),
        ] {
            assert_eq!(slot(key), expected, "{}", String::from_utf8_lossy(key));
        }
    }

    fn slot_of_all(key: &[u8]) -> u16 {
        crc16(key) % 16_384
    }
}
