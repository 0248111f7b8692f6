//! What a proxy does wrong, as plain data. The words for it are left to `words`, doing it to the rooms that the
//! fields name.

use std::time::Duration;

/// What the proxy does wrong, all at once; the default is nothing.
///
/// It is read from words and shown in them: `Faults::of("refuse-upgrade,delay=50ms,rate=64k")`. Of a count, such
/// as `lose_answers: 7`, 0 means none; counting begins when the faults are set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults {
    /// Closes each connection at its next request, and new ones at once: a network that is there and lets
    /// nothing through.
    pub refuse_connections: bool,
    /// Closes that the proxy makes by itself are resets.
    pub rst: bool,

    /// Delays each direction by so much and keeps the order: a long way, not a narrow one.
    pub delay: Option<Duration>,
    /// Carries at most so many bytes per second, in each direction of each connection.
    pub rate: Option<u64>,
    /// Writes one byte at a time, both to the client and to the server.
    pub dribble: bool,
    /// Closes a connection on which nothing has moved for so long, also while an answer is awaited.
    pub idle_cut: Option<Duration>,
    /// Closes a connection when so many bytes have come up.
    pub cut_up: Option<u64>,
    /// Closes a connection when so many bytes have gone down.
    pub cut_down: Option<u64>,
    /// `cut_up` and `cut_down` meet only each n-th connection; 0 and 1 mean every one.
    pub every: u32,
    /// How likely it is for each request that its connection is closed within the next 20,000 bytes, both ways
    /// together.
    pub cut_chance_percent: f64,
    /// Begins the chances anew from here; without it they go on.
    pub seed: Option<u64>,

    /// What becomes of a request for a WebSocket.
    pub upgrade: Upgrade,
    /// Closes an upgraded connection so long after its 101: a proxy with a deadline for any request.
    pub kill_after: Option<Duration>,
    /// Closes an upgraded connection when it has carried so many bytes, both ways together.
    pub kill_after_bytes: Option<u64>,
    /// Passes an upgrade and its 101, then swallows everything both ways and closes nothing: a middlebox that
    /// inspects what it does not understand.
    pub silent: bool,
    /// The same, once so many bytes have passed, both ways together.
    pub silent_after_bytes: Option<u64>,
    /// Lets go of what an upgraded connection carries down only in blocks of so many bytes.
    pub buffer_websocket: Option<u64>,

    /// Answers each POST with 403 and a page: a captive portal.
    pub refuse_posts: bool,
    /// Answers each POST whose body is longer than so many bytes with 413 and a page, as a proxy with a limit does.
    pub limit_body: Option<u64>,
    /// Answers each POST whose body says one of these with 403 and a page, as a filter does: of the body as it is, and with
    /// its escapes and its base64 undone.
    pub refuse_text: Vec<String>,
    /// Each n-th `POST …/poll` reaches the server, but its answer does not reach the client, whose connection
    /// closes instead: a network that ends between the two.
    ///
    /// A browser may send a request again by itself when a connection that it has used before closes without
    /// an answer; that request is the next one in the count.
    pub lose_answers: u32,
    /// Each n-th POST is sent twice, on two connections, and the client gets the second answer: a proxy that
    /// tries again.
    ///
    /// The second is sent once the first is answered or has been held for a moment, so the server sees them in
    /// this order, and a held one is crossed by its own repeat.
    pub repeat: u32,
    /// Each n-th POST waits until another one has been sent on, but no longer than 100 ms.
    pub reorder: u32,
    /// Speaks HTTP/1.0 to both sides: no upgrade, no chunks, no second request on a connection.
    pub http10: bool,
    /// Takes the cookies out of requests.
    pub strip_cookies: bool,
    /// Takes these headers out of requests.
    pub strip: Vec<String>,
    /// Takes these headers out of answers.
    pub strip_answer: Vec<String>,
    /// Holds the body of an answer back.
    pub buffer: Buffer,
    /// Passes so many bytes of an answer's body, then swallows the rest and closes nothing.
    pub mute_answers_after: Option<u64>,
}

/// What becomes of a request for a WebSocket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Upgrade {
    /// It goes to the server, and the answer to the client.
    #[default]
    Pass,
    /// The proxy answers it with 403 and closes: a proxy that knows no WebSocket.
    Refuse,
    /// It is swallowed and never answered: a proxy that waits for a body.
    Hang,
    /// Its headers `Upgrade` and `Connection` are taken out: a proxy that passes no hop's headers on.
    Strip,
}

/// How long the body of an answer is held back. Its bytes are counted as they come, with the framing of chunks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Buffer {
    /// Not at all.
    #[default]
    Nothing,
    /// Until so many bytes have come, or the end; then anew for what follows.
    Bytes(u64),
    /// Until its end.
    UntilEnd,
}

impl Faults {
    /// The faults that these words name, such as `refuse-upgrade,delay=50ms`.
    ///
    /// # Panics
    /// When they name none; the message lists the words. For words that come from outside there is `parse`.
    #[track_caller]
    pub fn of(words: &str) -> Self {
        words.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The most bytes of one write to the server.
    pub(super) fn step(&self) -> usize {
        if self.dribble { 1 } else { usize::MAX }
    }
}
