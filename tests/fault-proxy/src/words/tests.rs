//! Words are read as they are shown, and a wrong one says how it is right.

use std::time::Duration;

use super::{NONE, WORDS};
use crate::{Buffer, Faults, Upgrade};

#[test]
fn every_word_is_shown_as_it_is_read() {
    for word in WORDS {
        let text = word.shape();
        let faults = Faults::of(&text);
        assert_ne!(faults, Faults::default(), "{text}");
        assert_eq!(faults.to_string(), text);
        assert!(Faults::explain_words().contains(&text));
    }
}

#[test]
fn no_fault_has_a_word_too() {
    assert_eq!(Faults::default().to_string(), NONE);
    assert_eq!(Faults::of(NONE), Faults::default());
    assert_eq!(Faults::of(""), Faults::default());
}

#[test]
fn words_compose() {
    let text = "delay=50ms,rate=64k,cut-down=700,refuse-upgrade,strip=cookie,strip=x-a,buffer=end";
    let faults = Faults::of(text);
    assert_eq!(
        faults,
        Faults {
            delay: Some(Duration::from_millis(50)),
            rate: Some(65_536),
            cut_down: Some(700),
            upgrade: Upgrade::Refuse,
            strip: vec!["cookie".to_owned(), "x-a".to_owned()],
            buffer: Buffer::UntilEnd,
            ..Faults::default()
        }
    );
    assert_eq!(faults.to_string(), text);
}

#[test]
fn a_wrong_word_says_which_are_right() {
    let says = |text: &str| text.parse::<Faults>().unwrap_err().to_string();
    assert!(says("slow").contains("there are refuse-connections, rst, delay"));
    assert_eq!(
        says("delay=50"),
        "`delay=50`: write a duration, such as =50ms or =2s"
    );
    assert_eq!(says("rst=1"), "`rst=1`: write it without a value");
    assert!(says("rate").contains("such as =700, =64k or =1m"));
    assert!(says("lose-answers=0").contains("above 0"));
    assert!(says("cut-chance=101%").contains("5%"));
    assert!(says("strip").contains("a header's name"));
    assert!(says("refuse-upgrade,hang-upgrade").contains("exclude each other"));
    assert!(says("delay=1s,delay=2s").contains("exclude each other"));
}
