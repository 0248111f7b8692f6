//! Which engines there are, and what each of them cannot do. Plain data; the measured reasons stand beside it, and the
//! table of docs/browsers.md repeats them.

/// An engine that `install.sh` and `run.sh` know.
#[derive(Debug)]
pub struct Engine {
    /// What the runs call it.
    pub name: &'static str,
    /// What the scripts call it.
    pub program: &'static str,
    /// Which build of the client its page loads.
    pub build: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Of which year it is, or what it stands in for is.
    pub year: &'static str,
    /// Whether every test run includes it.
    pub is_everyday: bool,
    /// What it cannot do: transports of [`TRANSPORTS`], steps of the page, what is named below them, and what it is lent.
    pub lacks: &'static [Lack],
    /// Which headers a server on another origin must send to it, with credentials.
    pub needed_headers: &'static [&'static str],
}

/// What an engine cannot do, and why.
pub type Lack = (&'static str, &'static str);

/// All transports, the best first.
pub const TRANSPORTS: [&str; 5] = ["websocket", "stream", "events", "poll", "jsonp"];

/// That requests of its pages reach other origins, and their answers the page.
pub const REQUESTS_ACROSS: &str = "other origin";
/// That an event stream may come from another origin where requests do.
pub const EVENTS_ACROSS: &str = "events of another origin";

/// That requests to other origins can leave cookies out.
pub const WITHOUT_COOKIES: &str = "other origin without cookies";
/// That timers run while a request is under way.
pub const TIMERS_BESIDE: &str = "timers beside a request";
/// That answers of other origins are shown if their headers say so.
const HEADERS_HEEDED: &str = "says what is missing";

/// What an engine without credentials can do without.
pub const ALLOW_CREDENTIALS: &str = "Access-Control-Allow-Credentials";
const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";
const ALLOW_HEADERS: &str = "Access-Control-Allow-Headers";

/// All engines, in the order of the table.
pub const ENGINES: [Engine; 19] = [
    everyday(modern("chromium", "Chromium", "today")),
    everyday(modern("firefox", "Firefox ESR", "today")),
    modern("webkitgtk", "WebKitGTK", "today"),
    everyday(with_modern_build(
        modern("chromium-modern", "Chromium, modern build", "today"),
        "chromium",
    )),
    everyday(with_modern_build(
        modern("firefox-modern", "Firefox ESR, modern build", "today"),
        "firefox",
    )),
    with_modern_build(
        modern("webkitgtk-modern", "WebKitGTK, modern build", "today"),
        "webkitgtk",
    ),
    modern("chromium-65", "Chromium 65", "2018"),
    modern("chromium-49", "Chromium 49", "2016"),
    everyday(middle(
        "qtwebkit",
        "QtWebKit 602",
        "2016",
        &[
            ("awaited", JOBS_AS_TASKS),
            ("left", NO_BEACONS),
            ("veil", NO_DECODER),
        ],
    )),
    everyday(middle(
        "qtwebkit-without-websocket",
        "QtWebKit 602 without WebSocket",
        "2016",
        &[
            ("websocket", "taken away before the page's scripts run"),
            ("awaited", JOBS_AS_TASKS),
            ("left", NO_BEACONS),
            ("veil", NO_DECODER),
        ],
    )),
    middle(
        "phantomjs-2.1",
        "PhantomJS 2.1 (WebKit 538, as Safari 7)",
        "2013",
        &[
            ("awaited", NO_PROMISES),
            ("left", NO_BEACONS),
            ("veil", NO_DECODER),
        ],
    ),
    everyday(middle(
        "phantomjs-1.9",
        "PhantomJS 1.9 (WebKit 534, as Safari 5)",
        "2011",
        &[
            (
                "websocket",
                "that of a draft (hixie-76), which carries texts only",
            ),
            (EVENTS_ACROSS, "its EventSource throws"),
            ("awaited", NO_PROMISES),
            ("left", NO_BEACONS),
            ("veil", NO_DECODER),
        ],
    )),
    oldest(
        "khtml",
        "KHTML 5",
        "2008",
        &[
            ("websocket", NONE),
            (
                "stream",
                "makes a space of NUL in an answer; tells of its first bytes alone",
            ),
            ("events", NONE),
            (
                "jsonp",
                "no frame loads in it as it is run here, and what is long goes by a form into one",
            ),
            (REQUESTS_ACROSS, "its XMLHttpRequest throws"),
            ("awaited", NO_PROMISES),
            ("left", NO_BEACONS),
            ("veil", NO_DECODER),
        ],
    ),
    oldest("htmlunit-ie11", "HtmlUnit as IE 11", "2013", HTMLUNIT_11),
    oldest("htmlunit-ie9", "HtmlUnit as IE 9", "2011", HTMLUNIT),
    everyday(oldest("htmlunit-ie8", "HtmlUnit as IE 8", "2009", HTMLUNIT)),
    oldest("htmlunit-ie7", "HtmlUnit as IE 7", "2006", HTMLUNIT),
    oldest("htmlunit-ie6", "HtmlUnit as IE 6", "2001", HTMLUNIT_6),
    oldest(
        "jscript",
        "JScript 5.8 of Wine, ECMAScript 3",
        "2009",
        &[
            ("websocket", NONE),
            ("stream", UNTIL_WHOLE),
            ("events", NONE),
            ("jsonp", "no page: the language and XMLHTTP alone"),
            (
                "encodeURIComponent",
                "Wine's ends a text at NUL and throws at surrogate pairs; `engines/jscript.js` lends it one that does not",
            ),
            ("binary", NO_BYTES),
            (REQUESTS_ACROSS, NO_CORS),
            ("awaited", NO_PROMISES),
            ("left", NO_BEACONS),
            ("veil", NO_DECODER),
        ],
    ),
];

const HTMLUNIT: &[Lack] = &[
    ("websocket", NONE),
    ("stream", UNTIL_WHOLE),
    ("events", NONE),
    ("binary", NO_BYTES),
    (WITHOUT_COOKIES, ALWAYS_COOKIES),
    (HEADERS_HEEDED, NO_HEADERS_HEEDED),
    ("awaited", NO_PROMISES),
    ("left", NO_BEACONS),
    ("veil", NO_DECODER),
    (TIMERS_BESIDE, TIMERS_WAIT),
];

const HTMLUNIT_6: &[Lack] = &[
    ("websocket", NONE),
    ("stream", UNTIL_WHOLE),
    ("events", NONE),
    ("binary", NO_BYTES),
    (REQUESTS_ACROSS, NO_CORS),
    ("awaited", NO_PROMISES),
    ("left", NO_BEACONS),
    ("veil", NO_DECODER),
    (TIMERS_BESIDE, TIMERS_WAIT),
];

const HTMLUNIT_11: &[Lack] = &[
    ("websocket", NONE),
    ("stream", UNTIL_WHOLE),
    ("events", NONE),
    (WITHOUT_COOKIES, ALWAYS_COOKIES),
    (HEADERS_HEEDED, NO_HEADERS_HEEDED),
    ("awaited", NO_PROMISES),
    ("left", NO_BEACONS),
    ("veil", NO_DECODER),
    (TIMERS_BESIDE, TIMERS_WAIT),
];

const NONE: &str = "has none";
const UNTIL_WHOLE: &str = "no part of an answer can be read before it is whole";
const ALWAYS_COOKIES: &str = "it sends them whatever the page says";
const NO_HEADERS_HEEDED: &str = "it shows answers of all origins, so no header is ever missing";
const NO_BYTES: &str = "no typed arrays";
const JOBS_AS_TASKS: &str =
    "its promises run as tasks, so what awaits the events of a WebSocket misses some too";
const NO_PROMISES: &str = "no promises, so nothing can be awaited";
const NO_BEACONS: &str = "no request outlives its page";
const TIMERS_WAIT: &str =
    "no timer runs while a request is under way, so a fresh token waits for what is held";
const NO_DECODER: &str = "no TextDecoder, which the binary encoding needs";
const NO_CORS: &str = "its requests are ActiveX objects, which know nothing of credentials";

impl Engine {
    /// Whether it can do this.
    pub fn can(&self, what: &str) -> bool {
        self.lacks.iter().all(|(lack, _)| *lack != what)
    }

    /// The transports that it can do, the best first.
    pub fn transports(&self) -> impl Iterator<Item = &'static str> {
        TRANSPORTS
            .into_iter()
            .filter(|transport| self.can(transport))
    }
}

const fn everyday(engine: Engine) -> Engine {
    Engine {
        is_everyday: true,
        ..engine
    }
}

/// The smaller client, which knows fewer transports.
const fn with_modern_build(engine: Engine, program: &'static str) -> Engine {
    Engine {
        program,
        build: "anywire",
        lacks: MODERN_BUILD,
        ..engine
    }
}

const MODERN_BUILD: &[Lack] = &[
    ("stream", FULL_ALONE),
    ("events", FULL_ALONE),
    ("jsonp", FULL_ALONE),
];
const FULL_ALONE: &str = "only the full build knows it";

const fn modern(name: &'static str, title: &'static str, year: &'static str) -> Engine {
    Engine {
        name,
        program: name,
        build: "anywire-full",
        title,
        year,
        is_everyday: false,
        lacks: &[],
        needed_headers: &[ALLOW_ORIGIN, ALLOW_CREDENTIALS, ALLOW_HEADERS],
    }
}

/// Typed arrays, but no `TextEncoder`: its bodies are texts, for which it asks nobody.
const fn middle(
    name: &'static str,
    title: &'static str,
    year: &'static str,
    lacks: &'static [Lack],
) -> Engine {
    Engine {
        lacks,
        needed_headers: &[ALLOW_ORIGIN, ALLOW_CREDENTIALS],
        ..modern(name, title, year)
    }
}

/// Across origins there are script tags at most, which need no header.
const fn oldest(
    name: &'static str,
    title: &'static str,
    year: &'static str,
    lacks: &'static [Lack],
) -> Engine {
    Engine {
        needed_headers: &[],
        ..middle(name, title, year, lacks)
    }
}
