//! The table of words: what each says of the proxy, and which field it stands for.

use std::time::Duration;

use crate::faults::{Buffer, Faults, Upgrade};

/// A word, what it says of the proxy, and the field that it stands for.
pub(super) struct Word {
    pub(super) name: &'static str,
    /// What stands after the `=` in the help; empty if nothing does.
    pub(super) example: &'static str,
    pub(super) help: &'static str,
    pub(super) field: Field,
}

/// Where a word's value lies, and thereby what it looks like.
pub(super) enum Field {
    Flag(fn(&mut Faults) -> &mut bool),
    Upgrade(Upgrade),
    Count(fn(&mut Faults) -> &mut u32),
    Number(fn(&mut Faults) -> &mut Option<u64>),
    Bytes(fn(&mut Faults) -> &mut Option<u64>),
    Time(fn(&mut Faults) -> &mut Option<Duration>),
    Percent(fn(&mut Faults) -> &mut f64),
    Buffer(fn(&mut Faults) -> &mut Buffer),
    Headers(fn(&mut Faults) -> &mut Vec<String>),
}

/// All words, in the order in which they are shown.
#[rustfmt::skip] // A table is read by its rows.
pub(super) const WORDS: &[Word] = &[
    word("refuse-connections", "", "close connections at once: nothing gets through", Field::Flag(|f| &mut f.refuse_connections)),
    word("rst", "", "the proxy's own closes are resets", Field::Flag(|f| &mut f.rst)),
    word("delay", "50ms", "one way, each direction", Field::Time(|f| &mut f.delay)),
    word("rate", "64k", "bytes per second, each direction of each connection", Field::Bytes(|f| &mut f.rate)),
    word("dribble", "", "one byte per write", Field::Flag(|f| &mut f.dribble)),
    word("idle-cut", "2s", "close a connection on which nothing moved for so long", Field::Time(|f| &mut f.idle_cut)),
    word("cut-up", "700", "close a connection when so many bytes have come up", Field::Bytes(|f| &mut f.cut_up)),
    word("cut-down", "700", "close a connection when so many bytes have gone down", Field::Bytes(|f| &mut f.cut_down)),
    word("every", "3", "cut-up and cut-down meet only each third connection", Field::Count(|f| &mut f.every)),
    word("cut-chance", "5%", "each request: its connection is closed within 20,000 bytes", Field::Percent(|f| &mut f.cut_chance_percent)),
    word("seed", "7", "where the chances begin", Field::Number(|f| &mut f.seed)),
    word("refuse-upgrade", "", "answer an upgrade with 403 and close", Field::Upgrade(Upgrade::Refuse)),
    word("hang-upgrade", "", "never answer an upgrade", Field::Upgrade(Upgrade::Hang)),
    word("strip-upgrade", "", "take Upgrade and Connection out of an upgrade", Field::Upgrade(Upgrade::Strip)),
    word("kill-after", "200ms", "close an upgraded connection so long after its 101", Field::Time(|f| &mut f.kill_after)),
    word("kill-after-bytes", "4k", "close an upgraded connection after so many bytes both ways", Field::Bytes(|f| &mut f.kill_after_bytes)),
    word("silent", "", "swallow all of an upgraded connection, close nothing", Field::Flag(|f| &mut f.silent)),
    word("silent-after-bytes", "4k", "the same, after so many bytes both ways", Field::Bytes(|f| &mut f.silent_after_bytes)),
    word("buffer-websocket", "512", "pass an upgraded connection down in blocks of so many bytes", Field::Bytes(|f| &mut f.buffer_websocket)),
    word("refuse-posts", "", "answer each POST with 403 and a page", Field::Flag(|f| &mut f.refuse_posts)),
    word("limit-body", "100k", "answer each POST with a longer body with 413 and a page", Field::Bytes(|f| &mut f.limit_body)),
    word("refuse-text", "text", "answer each POST whose body says it, also in escapes or base64, with 403; may be repeated", Field::Headers(|f| &mut f.refuse_text)),
    word("lose-answers", "7", "each seventh poll is handled, its answer lost", Field::Count(|f| &mut f.lose_answers)),
    word("repeat", "3", "each third POST is sent twice", Field::Count(|f| &mut f.repeat)),
    word("reorder", "3", "each third POST waits for another to overtake it", Field::Count(|f| &mut f.reorder)),
    word("http10", "", "speak HTTP/1.0 to both sides", Field::Flag(|f| &mut f.http10)),
    word("strip-cookies", "", "take cookies out of requests", Field::Flag(|f| &mut f.strip_cookies)),
    word("strip", "name", "take a header out of requests; may be repeated", Field::Headers(|f| &mut f.strip)),
    word("strip-answer", "name", "take a header out of answers; may be repeated", Field::Headers(|f| &mut f.strip_answer)),
    word("buffer", "8k", "hold an answer's body until so many bytes have come, or its `end`", Field::Buffer(|f| &mut f.buffer)),
    word("mute-answers-after", "100", "stop an answer's body after so many bytes, close nothing", Field::Bytes(|f| &mut f.mute_answers_after)),
];

impl Word {
    /// The word with the example of its value.
    pub(super) fn shape(&self) -> String {
        match self.example {
            "" => self.name.to_owned(),
            example => format!("{}={example}", self.name),
        }
    }
}

const fn word(name: &'static str, example: &'static str, help: &'static str, field: Field) -> Word {
    Word {
        name,
        example,
        help,
        field,
    }
}
