//! Which engines there are, what each of them can do, and so which runs there are. Plain data; the measured reasons
//! stand beside it.

/// An engine that `install.sh` and `run.sh` know.
#[derive(Debug)]
pub struct Engine {
    /// What the scripts call it.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Of which year it is, or what it stands in for is.
    pub year: &'static str,
    /// Whether every test run includes it.
    pub is_everyday: bool,
    /// The transports that it can do with its page's own server, the best first. Words of [`LADDER`].
    pub rungs: &'static [&'static str],
    /// Whether it can hold binary messages.
    pub has_bytes: bool,
    /// Whether its XMLHttpRequest crosses origins, and which headers it then cannot do without.
    pub needed_headers: &'static [&'static str],
}

/// All transports, the best first.
pub const LADDER: [&str; 5] = ["websocket", "stream", "events", "poll", "jsonp"];

/// Those that have a row of their own. Script tags are tested across origins in Chromium.
pub const BUILT: [&str; 4] = ["websocket", "stream", "events", "poll"];

/// All engines, in the order of the table.
pub const ENGINES: [Engine; 16] = [
    modern("chromium", "Chromium", "today", true),
    modern("firefox", "Firefox ESR", "today", true),
    modern("webkitgtk", "WebKitGTK", "today", false),
    modern("chromium-65", "Chromium 65", "2018", false),
    modern("chromium-49", "Chromium 49", "2016", false),
    Engine {
        is_everyday: true,
        ..middle("qtwebkit", "QtWebKit 602", "2016", &LADDER)
    },
    Engine {
        is_everyday: true,
        ..middle(
            "qtwebkit-without-websocket",
            "QtWebKit 602 without WebSocket",
            "2016",
            HTTP,
        )
    },
    middle(
        "phantomjs-2.1",
        "PhantomJS 2.1 (WebKit 538, as Safari 7)",
        "2013",
        &LADDER,
    ),
    Engine {
        is_everyday: true,
        // Its WebSocket is a draft's, and carries texts only.
        ..middle(
            "phantomjs-1.9",
            "PhantomJS 1.9 (WebKit 534, as Safari 5)",
            "2011",
            HTTP,
        )
    },
    // No WebSocket, no event source, and an XMLHttpRequest that throws across origins.
    Engine {
        has_bytes: true,
        ..oldest("khtml", "KHTML 5", "2008", &["poll", "jsonp"])
    },
    Engine {
        has_bytes: true,
        ..oldest(
            "htmlunit-ie11",
            "HtmlUnit as Internet Explorer 11",
            "2013",
            &["poll", "jsonp"],
        )
    },
    oldest(
        "htmlunit-ie9",
        "HtmlUnit as Internet Explorer 9",
        "2011",
        &["poll", "jsonp"],
    ),
    Engine {
        is_everyday: true,
        ..oldest(
            "htmlunit-ie8",
            "HtmlUnit as Internet Explorer 8",
            "2009",
            &["poll", "jsonp"],
        )
    },
    oldest(
        "htmlunit-ie7",
        "HtmlUnit as Internet Explorer 7",
        "2006",
        &["poll", "jsonp"],
    ),
    oldest(
        "htmlunit-ie6",
        "HtmlUnit as Internet Explorer 6",
        "2001",
        &["poll", "jsonp"],
    ),
    // No page at all: the language and the XMLHTTP object alone.
    oldest(
        "jscript",
        "JScript 5.8 of Wine, ECMAScript 3",
        "2009",
        &["poll"],
    ),
];

const HTTP: &[&str] = &["stream", "events", "poll", "jsonp"];

const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";
const ALLOW_CREDENTIALS: &str = "Access-Control-Allow-Credentials";
const ALLOW_HEADERS: &str = "Access-Control-Allow-Headers";

const fn modern(
    name: &'static str,
    title: &'static str,
    year: &'static str,
    is_everyday: bool,
) -> Engine {
    Engine {
        name,
        title,
        year,
        is_everyday,
        rungs: &LADDER,
        has_bytes: true,
        needed_headers: &[ALLOW_ORIGIN, ALLOW_CREDENTIALS, ALLOW_HEADERS],
    }
}

/// Typed arrays, but no `TextEncoder`: its bodies are texts, for which it asks nobody.
const fn middle(
    name: &'static str,
    title: &'static str,
    year: &'static str,
    rungs: &'static [&'static str],
) -> Engine {
    Engine {
        name,
        title,
        year,
        is_everyday: false,
        rungs,
        has_bytes: true,
        needed_headers: &[ALLOW_ORIGIN, ALLOW_CREDENTIALS],
    }
}

const fn oldest(
    name: &'static str,
    title: &'static str,
    year: &'static str,
    rungs: &'static [&'static str],
) -> Engine {
    Engine {
        name,
        title,
        year,
        is_everyday: false,
        rungs,
        has_bytes: false,
        needed_headers: &[],
    }
}

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
    /// On another port, with or without credentials.
    Other {
        /// Whether the page sends cookies there.
        credentials: bool,
    },
    /// On another port, with credentials, and this header is taken out of all answers.
    WithoutHeader(&'static str),
}

/// All runs of an engine.
pub fn runs(engine: &'static Engine) -> Vec<Run> {
    let run = |transport, origin| Run {
        engine,
        transport,
        origin,
    };
    let mut runs: Vec<_> = engine
        .rungs
        .iter()
        .filter(|rung| BUILT.contains(rung))
        .map(|rung| run(Some(*rung), Origin::Same))
        .collect();
    runs.push(run(None, Origin::Same));
    if !engine.needed_headers.is_empty() {
        runs.extend(
            [true, false].map(|credentials| run(Some("poll"), Origin::Other { credentials })),
        );
    }
    let missing = engine.needed_headers.iter();
    runs.extend(missing.map(|header| run(Some("poll"), Origin::WithoutHeader(header))));
    runs
}

impl Run {
    /// What it shows, as a fact.
    pub fn fact(&self) -> String {
        let fact = match (self.origin, self.transport) {
            (Origin::Same, Some(transport)) => format!("carries a session over {transport}"),
            (Origin::Same, None) => format!("reaches {}", self.reached()),
            (Origin::Other { credentials: true }, _) => "crosses origins with cookies".into(),
            (Origin::Other { credentials: false }, _) => "crosses origins without cookies".into(),
            (Origin::WithoutHeader(header), _) => format!("shows that {header} is missing"),
        };
        format!("{} {fact}", self.engine.name)
            .replace([' ', '-', '.'], "_")
            .to_lowercase()
    }

    /// The page's steps.
    pub fn steps(&self) -> &'static [&'static str] {
        match (self.origin, self.transport) {
            (Origin::Same, Some(_)) => &[
                "open",
                "numbered",
                "unicode",
                "binary",
                "large",
                "resumed",
                "idle",
                "closedByPage",
                "closedByApp",
            ],
            (Origin::Same, None) => &["open", "numbered", "closedByPage"],
            (Origin::Other { .. }, _) => {
                &["open", "numbered", "resumed", "closedByPage", "closedByApp"]
            }
            (Origin::WithoutHeader(_), _) => &["open"],
        }
    }

    /// The transport that carries the session in the end.
    pub fn reached(&self) -> &'static str {
        let built = self.engine.rungs.iter().find(|rung| BUILT.contains(rung));
        self.transport
            .or(built.copied())
            .expect("each engine can poll")
    }

    /// What the page is told of it in its address.
    pub fn query(&self) -> String {
        let mut query = format!("steps={}", self.steps().join(","));
        if let Some(transport) = self.transport {
            query += &format!("&transport={transport}");
        }
        query += match self.origin {
            Origin::Same | Origin::Other { credentials: true } => "&credentials=yes",
            Origin::Other { credentials: false } => "&credentials=no",
            Origin::WithoutHeader(_) => "&credentials=yes&connectMs=1500",
        };
        query
    }
}
