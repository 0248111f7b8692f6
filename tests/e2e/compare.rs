//! The comparison, run as people run it, and its numbers beside independent ones.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anywire_tests::capture::Capture;
use anywire_tests::chromium::{Browser, Page, PageOptions};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{interval, sleep, timeout};

mod phone;
mod questions;

const DEADLINE: Duration = Duration::from_secs(30);

/// How long each setting runs before it is looked at.
const RUN: Duration = Duration::from_secs(20);

/// The running example; stopped when dropped, by its own pid.
struct Compare {
    child: Child,
    url: String,
}

/// What the page knows of a lane, at one moment.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    port: u16,
    received: u64,
    gaps: u64,
    repeats: u64,
    /// The beginning and the end of what the shown rates are of; nothing just after the connecting was left out.
    from: Option<Moment>,
    to: Option<Moment>,
    bytes_per_event: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Moment {
    at: f64,
    bytes: u64,
    deliveries: u64,
    received: u64,
}

const LANES: &str = "Compare.view.lanes.map(function (lane) {
    function moment(one) {
        return one && { at: one.at, bytes: one.reading.bytesUp + one.reading.bytesDown,
            deliveries: one.reading.deliveries, received: one.received };
    }
    var readings = lane.stats.readings, summary = lane.stats.summary();
    return { port: parseInt(lane.client.url.split(':')[2], 10), received: summary.received, gaps: summary.gaps,
        repeats: summary.repeats, bytesPerEvent: summary.bytesPerEvent,
        from: moment(readings[0]), to: moment(readings[readings.length - 1]) };
})";

impl Compare {
    fn start() -> Self {
        let test = std::env::current_exe().unwrap();
        let target = test.parent().unwrap().parent().unwrap();
        let mut child = Command::new(target.join("examples/compare"))
            .env("PORT", "0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("`cargo build --examples` has built it");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("open ").unwrap().to_owned();
        Self { child, url }
    }

    /// A view with settings of its own, such as `questions?answerMs=50`.
    fn page(&self, view: &str) -> PageOptions {
        PageOptions {
            url: format!("{}/{view}", self.url),
            window: (1_400, 1_000),
            ..PageOptions::default()
        }
    }
}

impl Drop for Compare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn open(browser: &Browser, options: PageOptions) -> Page {
    let page = browser.page_with(options).await.unwrap();
    let all = "Compare.view.lanes.every(function (lane) { \
               return lane.stats.received >= 10 && lane.stats.readings.length > 1; })";
    wait(&page, all).await;
    page
}

async fn wait(page: &Page, condition: &str) {
    if let Err(error) = page.wait_for(condition, DEADLINE).await {
        panic!("{condition}: {error}\n{:?}", page.console());
    }
}

async fn run(page: &Page, script: &str) {
    page.evaluate::<Value>(script).await.unwrap();
}

/// Moves a slider as a visitor does.
fn slide(name: &str, step: usize) -> String {
    format!(
        "(function () {{ var slider = document.getElementById({name:?}); slider.value = {step};
         slider.dispatchEvent(new Event('input', {{ bubbles: true }})); }})(); 0"
    )
}

/// The page's totals equal the capture's and the server's in some moment in which nothing is on its way.
async fn totals_agree(page: &Page, capture: &Capture) {
    let lanes = page.evaluate::<usize>("Compare.view.lanes.length").await;
    let mut agreed = vec![false; lanes.unwrap()];
    let mut last = Vec::new();
    let agreeing = async {
        let mut ticks = interval(Duration::from_millis(40));
        while agreed.contains(&false) {
            ticks.tick().await;
            last = page.evaluate::<Vec<Shown>>(LANES).await.unwrap();
            for (agreed, lane) in agreed.iter_mut().zip(&last) {
                *agreed |= lane.to.as_ref().is_some_and(|to| {
                    capture.bytes(lane.port, to.at) == to.bytes && to.deliveries == to.received
                });
            }
        }
    };
    let in_time = timeout(DEADLINE, agreeing).await.is_ok();
    let bytes: Vec<_> = last
        .iter()
        .map(|lane| lane.to.as_ref().map(|to| capture.bytes(lane.port, to.at)))
        .collect();
    assert!(in_time, "{agreed:?}: {bytes:?} captured, {last:?}");
}

/// What the page shows is within 5 % of what the capture counts per event that the server delivered.
fn shown_agrees(lane: &Shown, capture: &Capture) {
    let until = |at| capture.bytes(lane.port, at) as f64;
    let rated = lane.from.as_ref().zip(lane.to.as_ref());
    let (from, to) = rated.expect("the relay has been read since the connecting");
    // The capture sees a byte up to a trip earlier or later than the relay does.
    let least = until(to.at - TRIP_MS) - until(from.at + TRIP_MS);
    let most = until(to.at + TRIP_MS) - until(from.at - TRIP_MS);
    let events = (to.received - from.received) as f64;
    let shown = lane.bytes_per_event.unwrap() * events;
    assert!(
        (least * 0.95..=most * 1.05).contains(&shown),
        "{least} to {most} bytes captured, {shown} shown: {lane:?}"
    );
    assert_eq!((lane.gaps, lane.repeats), (0, 0), "{lane:?}");
    assert!(lane.received >= 40, "{lane:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_what_a_capture_counts_and_the_servers_deliver() {
    let compare = Compare::start();
    let browser = Browser::launch().await.expect("Chromium starts");
    let capture = Capture::socks().await;
    let options = PageOptions {
        proxy: Some(format!("socks5://{}", capture.address)),
        ..compare.page("")
    };
    let page = open(&browser, options).await;
    // Half of the added round trip: nothing is drawn before the two clocks have been compared.
    let is_late_enough = "Compare.view.chart.rows.every(function (row) { \
                          return row.summaries.every(function (summary) { \
                              return summary.median === null || summary.median >= 19; }); })";
    let settings = [
        vec![],
        vec![
            slide("eventsPerSecond", 4),
            slide("sizeBytes", 4),
            slide("intervalMs", 3),
        ],
        vec![slide("eventsPerSecond", 2), slide("addedRttMs", 6)],
    ];
    for sliders in settings {
        for slider in sliders {
            run(&page, &slider).await;
        }
        sleep(RUN).await;
        assert!(page.evaluate::<bool>(is_late_enough).await.unwrap());
        totals_agree(&page, &capture).await;
        for lane in page.evaluate::<Vec<Shown>>(LANES).await.unwrap() {
            shown_agrees(&lane, &capture);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_websocket_falls_back_and_returns_in_one_session() {
    let compare = Compare::start();
    let browser = Browser::launch().await.expect("Chromium starts");
    let page = open(&browser, compare.page("")).await;
    let carried_by = |transport: &str| {
        format!(
            "document.querySelector('.lane-websocket .badge').getAttribute('data-transport') === '{transport}'"
        )
    };
    wait(&page, &carried_by("websocket")).await;
    // A session that ends would be told of, and no other follows.
    run(
        &page,
        "window.ends = 0; Compare.view.lanes[4].client.socket.addEventListener('close', function () { ends += 1; }); 0",
    )
    .await;
    let told = "document.querySelector('.lane-websocket .verdict').textContent";
    wait(&page, &format!("{told}.indexOf('The yardstick') === 0")).await;
    for (transport, verdict) in [("poll", "vs WebSocket"), ("websocket", "The yardstick")] {
        run(&page, "document.getElementById('break').click(); 0").await;
        wait(&page, &carried_by(transport)).await;
        run(
            &page,
            "window.so_far = Compare.view.lanes[4].stats.received; 0",
        )
        .await;
        wait(&page, "Compare.view.lanes[4].stats.received > so_far + 8").await;
        wait(&page, &format!("{told}.indexOf('{verdict}') === 0")).await;
    }
    for lane in page.evaluate::<Vec<Shown>>(LANES).await.unwrap() {
        assert_eq!((lane.gaps, lane.repeats), (0, 0), "{lane:?}");
    }
    let shown = "Array.prototype.map.call(document.querySelectorAll('[data-number=gaps], [data-number=repeats]'), \
                 function (node) { return node.textContent; }).join(' ')";
    let shown = page.evaluate::<String>(shown).await.unwrap();
    assert_eq!(shown, ["0"; 10].join(" "));
    assert_eq!(page.evaluate::<u64>("ends").await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_without_modern_means_shows_the_numbers_and_says_what_is_missing() {
    let compare = Compare::start();
    let browser = Browser::launch().await.expect("Chromium starts");
    let options = PageOptions {
        before_load: Some(WITHOUT_MODERN_MEANS.to_owned()),
        ..compare.page("")
    };
    let page = open(&browser, options).await;
    wait(&page, "!document.getElementById('reduced').hidden").await;
    wait(
        &page,
        "document.querySelectorAll('.times').length === 3 * 4",
    )
    .await;
    assert!(
        page.evaluate::<bool>("document.getElementById('chart-card').hidden && !window.uPlot")
            .await
            .unwrap()
    );
    for lane in page.evaluate::<Vec<Shown>>(LANES).await.unwrap() {
        assert_eq!((lane.gaps, lane.repeats), (0, 0), "{lane:?}");
        assert!(lane.bytes_per_event.is_some(), "{lane:?}");
    }
    let console = page.console();
    assert!(console.is_empty(), "{console:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_reaches_every_control_and_shows_where_it_is() {
    let compare = Compare::start();
    let browser = Browser::launch().await.expect("Chromium starts");
    let page = open(&browser, compare.page("")).await;
    run(&page, CONTROLS).await;
    let controls = page.evaluate::<usize>("controls.length").await.unwrap();
    assert!(controls > 5, "{controls}");
    // One more than there are, so that leaving the last one is seen too.
    for _ in 0..=controls {
        for kind in ["keyDown", "keyUp"] {
            let tab = json!({
                "type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9,
            });
            page.send("Input.dispatchKeyEvent", tab).await.unwrap();
        }
        run(&page, "noteFocus(); 0").await;
    }
    let missed = page.evaluate::<Vec<String>>("missed()").await.unwrap();
    assert!(missed.is_empty(), "{missed:?}");
}

/// Pictures for people to look at: two sizes, both themes, both languages.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_fits_its_window_in_both_languages() {
    let compare = Compare::start();
    let browser = Browser::launch().await.expect("Chromium starts");
    let (wide, narrow) = ((1_400, 900), (390, 844));
    let views = [
        ("", "en", wide, false),
        ("", "ko", wide, true),
        ("", "ko", narrow, false),
        ("", "en", narrow, true),
        ("questions", "en", wide, true),
        ("questions", "ko", wide, false),
        ("questions", "en", narrow, false),
        ("questions", "ko", narrow, true),
    ];
    for (view, language, window, dark) in views {
        let options = PageOptions {
            window,
            dark,
            before_load: Some(before(language)),
            ..compare.page(view)
        };
        let page = open(&browser, options).await;
        wait(&page, "document.querySelectorAll('.uplot').length === 1").await;
        wait(&page, "document.querySelectorAll('.times').length > 0").await;
        fits(page, view, language, window, dark).await;
    }
}

/// Chooses the language, and watches what moves.
fn before(language: &str) -> String {
    format!("localStorage.setItem('compare-language', '{language}'); {WATCH_SHIFTS}")
}

/// What is seen stays where it is, has its words, fits the window, and shows every way in a wide one. Keeps a picture.
async fn fits(page: Page, view: &str, language: &str, window: (u32, u32), dark: bool) {
    let language_is = format!("document.documentElement.lang === '{language}'");
    wait(&page, &language_is).await;
    let shifts = page.evaluate::<f64>("shifts").await.unwrap();
    assert!(
        shifts < 0.1,
        "{view} {window:?} {language}: it moves by {shifts}"
    );
    let overflow = "document.documentElement.scrollWidth - innerWidth";
    let overflow = page.evaluate::<f64>(overflow).await.unwrap();
    assert!(overflow <= 0.0, "{view} {window:?} {language}: {overflow}");
    let empty = "Array.prototype.filter.call(document.querySelectorAll('[data-word]'), \
                 function (node) { return !node.textContent.trim(); }).length";
    assert_eq!(page.evaluate::<u64>(empty).await.unwrap(), 0, "{language}");
    let last = "document.querySelector('.lane-websocket').getBoundingClientRect().bottom";
    let last = page.evaluate::<f64>(last).await.unwrap();
    assert!(
        window.0 < 1_000 || last <= f64::from(window.1),
        "{view} {language}: WebSocket's lane ends at {last} of {window:?}"
    );
    let folder = std::env::current_exe().unwrap();
    let folder = folder.parent().unwrap().join("../../screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    let theme = if dark { "dark" } else { "light" };
    let name = match view {
        "" => format!("compare-{}-{theme}-{language}.png", window.0),
        view => format!("compare-{view}-{}-{theme}-{language}.png", window.0),
    };
    page.screenshot(folder.join(name)).await.unwrap();
    page.close().await.unwrap();
}

/// Adds up how far what was seen has moved, as browsers measure it: below 0.1 is called good.
const WATCH_SHIFTS: &str = "window.shifts = 0; new PerformanceObserver(function (list) {
    list.getEntries().forEach(function (entry) { shifts += entry.value; });
}).observe({ type: 'layout-shift', buffered: true })";

const TRIP_MS: f64 = 110.0;

/// What engines of the last decade lack. Newer syntax cannot be taken away, but what finds out whether it compiles can.
const WITHOUT_MODERN_MEANS: &str = "
    ['requestAnimationFrame', 'matchMedia', 'fetch', 'Symbol', 'Map', 'TextEncoder', 'localStorage',
     'URL', 'crypto'].forEach(function (name) {
        Object.defineProperty(window, name, { value: undefined });
    });
    Object.defineProperty(performance, 'timeOrigin', { value: undefined });
    window.Function = function () { throw new SyntaxError('unexpected token'); };";

/// All that a person can use, and which of it the focus has reached visibly. Of a group of radio buttons Tab reaches the
/// one that is chosen.
const CONTROLS: &str = r#"
    var controls = Array.prototype.filter.call(
        document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]'),
        function (node) {
            return node.tabIndex >= 0 && !node.disabled && node.getClientRects().length &&
                (node.type !== 'radio' || node.checked);
        });
    var reached = [];
    function noteFocus() {
        var style = getComputedStyle(document.activeElement);
        if (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) {
            reached.push(document.activeElement);
        }
    }
    function missed() {
        return controls.filter(function (node) { return reached.indexOf(node) < 0; })
            .map(function (node) { return node.outerHTML.slice(0, 120); });
    }
    0"#;
