//! The view of questions and their answers, its uploads, its address, and what a visitor takes along.

use serde::Deserialize;

use super::*;

/// A lane's requests as the browser itself counts them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Requests {
    kind: String,
    /// Those that the relay has counted.
    relayed: usize,
    /// Those that have ended, by the browser's resource timing, and how long the median one took.
    timed: usize,
    timed_median: Option<f64>,
    per_question: Option<f64>,
    median: Option<f64>,
}

const REQUESTS: &str = "Compare.view.lanes.map(function (lane) {
    var own = performance.getEntriesByType('resource').filter(function (entry) {
        return entry.name.indexOf(lane.client.url) === 0;
    });
    var times = own.map(function (entry) { return entry.duration; }).sort(function (a, b) { return a - b; });
    var summary = lane.stats.summary();
    return { kind: lane.kind, relayed: lane.reading.requests, timed: own.length,
        timedMedian: times.length ? times[Math.floor(times.length / 2)] : null,
        perQuestion: summary.requestsPerEvent, median: summary.median };
})";

#[tokio::test(flavor = "multi_thread")]
async fn questions_cost_what_a_capture_and_the_browser_count() {
    let compare = Compare::start();
    let browser = Browser::launch().await.expect("Chromium starts");
    let capture = Capture::socks().await;
    let options = PageOptions {
        proxy: Some(format!("socks5://{}", capture.address)),
        before_load: Some("performance.setResourceTimingBufferSize(100000)".to_owned()),
        ..compare.page("questions?questionsPerSecond=3")
    };
    let page = open(&browser, options).await;
    sleep(RUN).await;
    totals_agree(&page, &capture).await;
    for lane in page.evaluate::<Vec<Shown>>(LANES).await.unwrap() {
        shown_agrees(&lane, &capture);
    }
    requests_agree(&page).await;
    for lane in page.evaluate::<Vec<Requests>>(REQUESTS).await.unwrap() {
        let per_question = lane.per_question.expect("there were questions");
        let (least, most) = match lane.kind.as_str() {
            "fetch" => (0.95, 1.05),
            // A question, and its share of the polls: one a second for three questions.
            "short-poll" => (1.2, 1.6),
            "long-poll" => (1.5, 2.1),
            // The question, and its share of the acknowledgements.
            "events" | "stream" => (0.95, 1.7),
            "websocket" => (0.0, 0.0),
            kind => panic!("there is no {kind}"),
        };
        assert!((least..=most).contains(&per_question), "{lane:?}");
        let median = lane.median.expect("there were answers");
        assert!(median >= 40.0, "a round trip takes that: {lane:?}");
        if lane.kind == "fetch" {
            let timed = lane.timed_median.expect("there were requests");
            // The page's own time has the waiting for its script in it.
            let most = timed * 1.5 + 10.0;
            assert!((timed - 10.0..=most).contains(&median), "{lane:?}");
        }
    }
}

/// In some moment the relays' counts are the browser's, and one more where a request is always held.
async fn requests_agree(page: &Page) {
    let mut agreed = Vec::new();
    let mut last = Vec::new();
    let agreeing = async {
        let mut ticks = interval(Duration::from_millis(40));
        loop {
            ticks.tick().await;
            last = page.evaluate::<Vec<Requests>>(REQUESTS).await.unwrap();
            for lane in &last {
                let held = match lane.kind.as_str() {
                    "fetch" | "short-poll" => 0,
                    // The browser times no WebSocket.
                    _ => 1,
                };
                if lane.relayed == lane.timed + held && !agreed.contains(&lane.kind) {
                    agreed.push(lane.kind.clone());
                }
            }
            if agreed.len() == last.len() {
                return;
            }
        }
    };
    let in_time = timeout(DEADLINE, agreeing).await.is_ok();
    assert!(in_time, "{agreed:?} agreed: {last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_measured_over_every_way() {
    let compare = Compare::start();
    let browser = Browser::launch().await.expect("Chromium starts");
    let page = open(&browser, compare.page("questions")).await;
    run(&page, "document.querySelector('#upload button').click(); 0").await;
    wait(
        &page,
        "Compare.view.upload.results.every(function (result) { return result; })",
    )
    .await;
    let results = page
        .evaluate::<Vec<Value>>("Compare.view.upload.results")
        .await
        .unwrap();
    let mib = 1_024.0 * 1_024.0;
    for (place, result) in results.iter().enumerate() {
        let number = |name: &str| result[name].as_f64().unwrap();
        // Only the second way sends base64.
        let most = if place == 1 { 1.4 } else { 1.05 };
        let bytes = number("uploadBytes");
        assert!((mib..mib * most).contains(&bytes), "{place}: {result}");
        assert!(number("uploadMs") >= 40.0, "{place}: {result}");
        assert!(number("uploadCpu") > 0.0, "{place}: {result}");
    }
    assert_eq!(results[0]["uploadRequests"], 1);
    assert_eq!(results[5]["uploadRequests"], 0);
    // What an upload costs is not charged to the questions that follow.
    wait(
        &page,
        "Compare.view.lanes.every(function (lane) { return lane.stats.readings.length > 20; })",
    )
    .await;
    for lane in page.evaluate::<Vec<Shown>>(LANES).await.unwrap() {
        assert!(lane.bytes_per_event < Some(10_000.0), "{lane:?}");
        assert_eq!((lane.gaps, lane.repeats), (0, 0), "{lane:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_loses_plain_requests_and_no_question_of_a_session() {
    let compare = Compare::start();
    let browser = Browser::launch().await.expect("Chromium starts");
    let view = "questions?answerMs=500&cutsPerMinute=30&questionsPerSecond=5";
    let page = open(&browser, compare.page(view)).await;
    wait(&page, "Compare.view.lanes[0].stats.gaps >= 3").await;
    run(&page, "window.so_far = Compare.view.lanes.map(function (lane) { return lane.stats.received; }); 0").await;
    wait(
        &page,
        "Compare.view.lanes.slice(1).every(function (lane, place) { return lane.stats.received > so_far[place + 1] + 10; })",
    )
    .await;
    for lane in &page.evaluate::<Vec<Shown>>(LANES).await.unwrap()[1..] {
        assert_eq!((lane.gaps, lane.repeats), (0, 0), "{lane:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_shows_what_was_seen_and_a_visitor_takes_the_numbers_along() {
    let compare = Compare::start();
    let browser = Browser::launch().await.expect("Chromium starts");
    let page = open(
        &browser,
        compare.page("questions?answerMs=100&intervalMs=444"),
    )
    .await;
    let output = |name: &str| {
        format!("document.getElementById('{name}').parentNode.querySelector('output').textContent")
    };
    wait(&page, &format!("{} === '444 ms'", output("intervalMs"))).await;
    let median = "Compare.view.lanes[0].stats.summary().median";
    let median = page.evaluate::<f64>(median).await.unwrap();
    assert!(median >= 140.0, "the server thinks for 100 ms: {median}");
    run(&page, &slide("answerBytes", 5)).await;
    run(&page, "document.getElementById('break').click(); 0").await;
    run(
        &page,
        "document.querySelector('#wire-lane [value=stream]').click(); 0",
    )
    .await;
    let query = "?answerMs=100&intervalMs=444&answerBytes=4096&websocketBroken=true&wire=stream";
    let mut expected: Vec<_> = query[1..].split('&').collect();
    expected.sort_unstable();
    let sorted = "location.search.substr(1).split('&').sort().join()";
    wait(&page, &format!("{sorted} === '{}'", expected.join(","))).await;
    let csv = "Compare.csv(Compare.view.table(), { answerMs: 100 })";
    let csv = page.evaluate::<String>(csv).await.unwrap();
    let mut lines = csv.lines();
    let head: Vec<_> = lines.next().unwrap().split(',').collect();
    assert_eq!(head[0], "lane");
    for name in ["median", "requestsPerEvent", "bytesPerEvent", "cpu"] {
        assert!(head.contains(&name), "{head:?}");
    }
    let rows: Vec<Vec<_>> = lines.map(|line| line.split(',').collect()).collect();
    let kinds: Vec<_> = rows.iter().map(|row| row[0]).collect();
    let all = [
        "fetch",
        "short-poll",
        "long-poll",
        "events",
        "stream",
        "websocket",
    ];
    assert_eq!(kinds, all);
    assert!(rows.iter().all(|row| row.len() == head.len()), "{csv}");
    let picture = "(function () { var picture = Compare.picture('a', 'b', Compare.view.rows()); \
                   return [picture.width, picture.height, picture.toDataURL().length]; })()";
    let picture = page.evaluate::<[u64; 3]>(picture).await.unwrap();
    assert!(picture[0] == 2_800 && picture[1] > 1_400, "{picture:?}");
    assert!(
        picture[2] > 20_000,
        "there is something to see: {picture:?}"
    );
    page.close().await.unwrap();
    let again = open(&browser, compare.page(&format!("questions{query}"))).await;
    wait(&again, &format!("{} === '4,096 B'", output("answerBytes"))).await;
    wait(
        &again,
        "document.querySelector('.lane-websocket .badge').getAttribute('data-transport') === 'poll' && \
         document.querySelector('#wire-lane [value=stream]').getAttribute('aria-pressed') === 'true'",
    )
    .await;
}
