//! Which runs there are: each engine over each transport that it can do, and from another origin, with what that needs
//! and without.

use std::time::Duration;

use crate::roster::{
    ALLOW_CREDENTIALS, EVENTS_ACROSS, Engine, REQUESTS_ACROSS, TIMERS_BESIDE, WITHOUT_COOKIES,
};

/// One visit of one engine to the page.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Which engine.
    pub engine: &'static Engine,
    /// The only transport that the client may use; without one, it climbs as it does by itself.
    pub transport: Option<&'static str>,
    /// Where Anywire is, seen from the page.
    pub origin: Origin,
}

/// Where Anywire is, seen from the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Where the page is.
    Same,
    /// On another port, with or without credentials. Without, no answer says that they are allowed.
    Other {
        /// Whether the page sends cookies there.
        credentials: bool,
    },
    /// On another port, and this header is taken out of all answers.
    WithoutHeader {
        /// Which one.
        header: &'static str,
        /// Whether the page sends cookies there.
        credentials: bool,
    },
    /// On another port, which requests of this engine do not reach.
    OutOfReach,
}

/// All runs of an engine.
pub fn runs(engine: &'static Engine) -> Vec<Run> {
    let run = |transport, origin| Run {
        engine,
        transport,
        origin,
    };
    let mut runs = Vec::new();
    for transport in engine.transports() {
        // Script tags are there to cross origins.
        let origin = match transport {
            JSONP => Origin::Other { credentials: true },
            _ => Origin::Same,
        };
        runs.push(run(Some(transport), origin));
    }
    runs.push(run(None, Origin::Same));
    if engine.can(REQUESTS_ACROSS) {
        for transport in engine
            .transports()
            .filter(|transport| crosses(engine, transport))
        {
            runs.push(run(Some(transport), Origin::Other { credentials: true }));
            // No page keeps its cookies from a WebSocket.
            if transport != "websocket" && engine.can(WITHOUT_COOKIES) {
                runs.push(run(Some(transport), Origin::Other { credentials: false }));
            }
        }
    } else {
        if engine.can(JSONP) {
            runs.push(run(None, Origin::Other { credentials: true }));
        }
        runs.push(run(Some("poll"), Origin::OutOfReach));
    }
    for credentials in [true, false] {
        for header in engine.needed_headers {
            if credentials || *header != ALLOW_CREDENTIALS {
                let origin = Origin::WithoutHeader {
                    header,
                    credentials,
                };
                runs.push(run(Some("poll"), origin));
            }
        }
    }
    runs
}

fn crosses(engine: &Engine, transport: &str) -> bool {
    transport != JSONP && (transport != "events" || engine.can(EVENTS_ACROSS))
}

impl Run {
    /// What it shows, as a fact.
    pub fn fact(&self) -> String {
        let cookies = |credentials| match credentials {
            true => "with cookies",
            false => "without cookies",
        };
        let fact = match (self.origin, self.transport) {
            (Origin::Same, Some(transport)) | (_, Some(transport @ JSONP)) => {
                format!("carries a session over {transport}")
            }
            (Origin::Same, None) => format!("reaches {}", self.reached()),
            (_, None) => format!("reaches another origin by {}", self.reached()),
            (Origin::Other { credentials }, Some(transport)) => {
                format!("crosses origins {} over {transport}", cookies(credentials))
            }
            (
                Origin::WithoutHeader {
                    header,
                    credentials,
                },
                _,
            ) => format!("{} shows that {header} is missing", cookies(credentials)),
            (Origin::OutOfReach, _) => "shows that its requests cannot cross origins".into(),
        };
        format!("{} {fact}", self.engine.name)
            .replace([' ', '-', '.'], "_")
            .to_lowercase()
    }

    /// Whether the page is to fail, and to say why.
    pub fn is_refused(&self) -> bool {
        match self.origin {
            Origin::Same | Origin::Other { .. } => false,
            Origin::WithoutHeader { .. } | Origin::OutOfReach => true,
        }
    }

    /// The page's steps.
    pub fn steps(&self) -> &'static [&'static str] {
        match (self.origin, self.transport) {
            (Origin::WithoutHeader { .. } | Origin::OutOfReach, _) => &["open"],
            (_, None) => &["open", "numbered", "closedByPage"],
            (Origin::Same, Some(_)) | (_, Some(JSONP)) => &[
                "open",
                "numbered",
                "unicode",
                "binary",
                "large",
                "parts",
                "veil",
                "resumed",
                "idle",
                "awaited",
                "framework",
                "abandoned",
                "left",
                "closedByPage",
                "closedByApp",
                "closedByBoth",
                "subProtocols",
                "renewed",
                "revoked",
                "reopened",
            ],
            (Origin::Other { .. }, Some(_)) => {
                &["open", "numbered", "resumed", "closedByPage", "closedByApp"]
            }
        }
    }

    /// The transport that carries the session in the end.
    pub fn reached(&self) -> &'static str {
        let is_in_reach = |transport: &&str| {
            self.origin == Origin::Same || *transport == JSONP || self.engine.can(REQUESTS_ACROSS)
        };
        self.transport
            .or_else(|| self.engine.transports().find(is_in_reach))
            .expect("each engine can poll")
    }

    /// How long the grant of the page's first token holds. The page is asked for another halfway; where its timers wait for
    /// its requests, that takes some holds more.
    pub fn term(&self) -> Duration {
        Duration::from_secs(if self.engine.can(TIMERS_BESIDE) { 3 } else { 8 })
    }

    /// What the page is told of it in its address.
    pub fn query(&self) -> String {
        let steps = self.steps().join(",");
        let mut query = format!("steps={steps}&termMs={}", self.term().as_millis());
        if let Some(transport) = self.transport {
            query += &format!("&transport={transport}");
        }
        query += match self.origin {
            Origin::Other { credentials: false }
            | Origin::WithoutHeader {
                credentials: false, ..
            } => "&credentials=no",
            _ => "&credentials=yes",
        };
        query
            + &match self.is_refused() {
                true => "&connectMs=500".to_owned(),
                false => format!("&reached={}", self.reached()),
            }
    }
}

const JSONP: &str = "jsonp";
