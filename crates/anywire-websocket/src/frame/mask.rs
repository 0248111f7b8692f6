//! Masking (RFC 6455 §5.3). `decoder.rs` says which frames must be masked, `encoder.rs` where masks come from.

/// Masks or unmasks `data` in place; `offset` is how much of the frame came before.
pub(crate) fn apply_mask(data: &mut [u8], mask: [u8; 4], offset: usize) {
    let mut rotated = [0; 4];
    for (index, byte) in rotated.iter_mut().enumerate() {
        *byte = mask[(offset + index) % 4];
    }
    let word = u32::from_ne_bytes(rotated);
    let wide = u64::from(word) << 32 | u64::from(word);
    let mut chunks = data.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let bytes: [u8; 8] = (&*chunk).try_into().expect("chunks are 8 bytes");
        chunk.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ wide).to_ne_bytes());
    }
    for (byte, mask) in chunks
        .into_remainder()
        .iter_mut()
        .zip(rotated.iter().cycle())
    {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_definition_at_every_length_and_offset() {
        let mask = [0x12, 0x34, 0x56, 0x78];
        for length in 0..40 {
            for offset in 0..8 {
                let plain: Vec<u8> = (0..length).map(|index| index as u8 ^ 0x5a).collect();
                let mut masked = plain.clone();
                apply_mask(&mut masked, mask, offset);
                for (index, byte) in masked.iter().enumerate() {
                    assert_eq!(*byte, plain[index] ^ mask[(index + offset) % 4]);
                }
            }
        }
    }
}
