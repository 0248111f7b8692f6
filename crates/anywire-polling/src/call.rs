//! The script that a script tag fetches: one call, with a number and a payload or a refusal (PROTOCOL §15).

/// The comment keeps the answer from beginning with anything that came from elsewhere. The name is fixed and the callback
/// a number, so that nothing of the request is in the script but digits.
pub(crate) fn script(number: u64, json: &str) -> String {
    let mut script = format!("/**/anywire_jsonp({number},");
    for character in json.chars() {
        match character {
            // Outside of strings JSON has none of these. Inside, they may mean something to a browser that takes the answer
            // for a page, and the separators end a line in scripts of before 2019.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\u{7f}' => {
                script.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => script.push(character),
        }
    }
    script + ");"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_payload_is_one_string_whatever_it_holds(
            payload in prop_oneof![
                ".{0,60}",
                "[<>&\"'\\\\/\u{2028}\u{2029}\u{0}\r\n()*;!-]{0,60}",
            ],
            number in 0..1_u64 << 53,
        ) {
            let json = serde_json::to_string(&payload).expect("text always serialises");
            let script = script(number, &json);
            let rest = script.strip_prefix(&format!("/**/anywire_jsonp({number},"));
            let json = rest.and_then(|rest| rest.strip_suffix(");")).expect("it is one call");
            let is_risky = json.contains(['<', '>', '&', '\r', '\n', '\u{2028}', '\u{2029}', '\u{0}']);
            prop_assert!(!is_risky);
            prop_assert_eq!(serde_json::from_str::<String>(json).expect("it is one string"), payload);
        }
    }

    #[test]
    fn a_refusal_is_an_object() {
        let json = r#"{"code":4966,"error":"unauthorized","message":"</script>"}"#;
        assert_eq!(
            script(7, json),
            r#"/**/anywire_jsonp(7,{"code":4966,"error":"unauthorized","message":"\u003c/script\u003e"});"#
        );
    }
}
