//! What a filter of bodies finds in one: a text as it is, behind escapes, or in base64.

use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::*;
use percent_encoding::percent_decode;

/// Whether the body says this.
pub(super) fn says(body: &[u8], text: &str) -> bool {
    let is_in = |bytes: &[u8]| {
        let mut parts = bytes.windows(text.len().max(1));
        parts.any(|part| part == text.as_bytes())
    };
    let plain = unescape(body);
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
    let mut runs = plain.split(|byte| !is_base64(byte));
    // Where it begins nobody says: what stands before it may look like a part of it.
    let is_wrapped =
        |run: &[u8]| (0..run.len().min(4)).any(|skip| is_in(&from_base64(&run[skip..])));
    is_in(body) || is_in(&plain) || runs.any(is_wrapped)
}

/// Escapes undone, also those of escapes.
fn unescape(body: &[u8]) -> Vec<u8> {
    let mut bytes = body.to_vec();
    loop {
        let plain: Vec<u8> = percent_decode(&bytes).collect();
        if plain.len() == bytes.len() {
            return plain;
        }
        bytes = plain;
    }
}

/// What a run says in either alphabet, as far as it is whole.
fn from_base64(run: &[u8]) -> Vec<u8> {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let run: Vec<u8> = run
        .iter()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            byte => *byte,
        })
        .collect();
    let whole = run.len() - usize::from(run.len() % 4 == 1);
    let engine = GeneralPurpose::new(&STANDARD, config);
    engine.decode(&run[..whole]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_however_it_is_wrapped() {
        let bodies = [
            "1:n012:t<script>x",
            "b=1%3An012%3At%3Cscript%3Ex",
            "b=%253Cscript%253E",
            "12:bPHNjcmlwdD4=",
            "v=PHNjcmlwdD4",
        ];
        for body in bodies {
            assert!(says(body.as_bytes(), "<script"), "{body}");
        }
        for body in ["", "12:tscript", "v=qrvM3d7u"] {
            assert!(!says(body.as_bytes(), "<script"), "{body}");
        }
    }
}
