//! The values that words take: a duration, a number of bytes, a count. Which word takes what is in the table.

use std::time::Duration;

use super::table::Field;
use crate::faults::{Buffer, Faults, Upgrade};

impl Field {
    /// Whether its word, or one that excludes it, was read before. Headers add up.
    pub(super) fn is_taken(&self, faults: &mut Faults) -> bool {
        match self {
            Self::Headers(_) => false,
            Self::Upgrade(_) => faults.upgrade != Upgrade::Pass,
            Self::Flag(_)
            | Self::Count(_)
            | Self::Number(_)
            | Self::Bytes(_)
            | Self::Time(_)
            | Self::Percent(_)
            | Self::Buffer(_) => !self.show(faults).is_empty(),
        }
    }

    /// Sets the field, or says how its value is written.
    pub(super) fn read(
        &self,
        faults: &mut Faults,
        value: Option<&str>,
    ) -> Result<(), &'static str> {
        let text = value.unwrap_or_default();
        match self {
            Self::Flag(_) | Self::Upgrade(_) if value.is_some() => {
                return Err("it without a value");
            }
            Self::Flag(field) => *field(faults) = true,
            Self::Upgrade(upgrade) => faults.upgrade = *upgrade,
            Self::Count(field) => {
                let count = text.parse().ok().filter(|count| *count > 0);
                *field(faults) = count.ok_or("a count above 0, such as =3")?;
            }
            Self::Number(field) => {
                *field(faults) = Some(text.parse().map_err(|_| "a whole number, such as =7")?);
            }
            Self::Bytes(field) => {
                *field(faults) = Some(bytes(text).ok_or("bytes, such as =700, =64k or =1m")?);
            }
            Self::Time(field) => {
                *field(faults) = Some(time(text).ok_or("a duration, such as =50ms or =2s")?);
            }
            Self::Percent(field) => {
                let percent = text.strip_suffix('%').and_then(|text| text.parse().ok());
                let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
                *field(faults) = percent.ok_or("a share, such as =5% or =0.5%")?;
            }
            Self::Buffer(field) => {
                *field(faults) = match text {
                    "end" => Buffer::UntilEnd,
                    text => Buffer::Bytes(bytes(text).ok_or("bytes, such as =8k, or =end")?),
                };
            }
            Self::Headers(field) => {
                if text.is_empty() {
                    return Err("a header's name, such as =sec-websocket-protocol");
                }
                field(faults).push(text.to_ascii_lowercase());
            }
        }
        Ok(())
    }

    /// The field's values as they are written: none if there is no such fault, an empty one if the word stands
    /// alone.
    pub(super) fn show(&self, faults: &mut Faults) -> Vec<String> {
        let value = match self {
            Self::Flag(field) => (*field(faults)).then(String::new),
            Self::Upgrade(upgrade) => (faults.upgrade == *upgrade).then(String::new),
            Self::Count(field) => Some(*field(faults))
                .filter(|count| *count > 0)
                .map(|count| count.to_string()),
            Self::Number(field) => field(faults).map(|number| number.to_string()),
            Self::Bytes(field) => field(faults).map(show_bytes),
            Self::Time(field) => field(faults).map(show_time),
            Self::Percent(field) => Some(*field(faults))
                .filter(|percent| *percent > 0.0)
                .map(|percent| format!("{percent}%")),
            Self::Buffer(field) => match *field(faults) {
                Buffer::Nothing => None,
                Buffer::Bytes(bytes) => Some(show_bytes(bytes)),
                Buffer::UntilEnd => Some("end".to_owned()),
            },
            Self::Headers(field) => return field(faults).clone(),
        };
        value.into_iter().collect()
    }
}

fn bytes(text: &str) -> Option<u64> {
    let (digits, unit) = match text.strip_suffix(['k', 'm']) {
        Some(digits) if text.ends_with('k') => (digits, KIB),
        Some(digits) => (digits, KIB * KIB),
        None => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn show_bytes(bytes: u64) -> String {
    if bytes >= KIB && bytes.is_multiple_of(KIB) {
        format!("{}k", bytes / KIB)
    } else {
        bytes.to_string()
    }
}

fn time(text: &str) -> Option<Duration> {
    match text.strip_suffix("ms") {
        Some(digits) => digits.parse().ok().map(Duration::from_millis),
        None => {
            let digits = text.strip_suffix('s')?;
            digits.parse().ok().map(Duration::from_secs)
        }
    }
}

fn show_time(time: Duration) -> String {
    let millis = time.as_millis();
    if millis > 0 && millis.is_multiple_of(1_000) {
        format!("{}s", millis / 1_000)
    } else {
        format!("{millis}ms")
    }
}

const KIB: u64 = 1_024;
