//! The view of a phone's hour, which is computed from measured minutes.

use serde::Deserialize;

use super::*;

/// One of a way's two lanes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Quiet {
    kind: String,
    name: String,
    port: u16,
    /// Bytes at the beginning and the end of the minutes, and when those were.
    from: (f64, u64),
    to: (f64, u64),
    kilobytes: f64,
    wake_ups: f64,
    awake: f64,
}

const QUIETS: &str = "[].concat.apply([], Compare.view.phones.map(function (phone) {
    return Compare.PhoneView.CASES.map(function (name) {
        var quiet = phone.lanes[name], hour = quiet.hour();
        function bytes(reading) { return [reading.at, reading.bytesUp + reading.bytesDown]; }
        return { kind: phone.kind, name: name, port: parseInt(phone.clients[name].url.split(':')[2], 10),
            from: bytes(quiet.first), to: bytes(quiet.whole),
            kilobytes: hour.kilobytes, wakeUps: hour.wakeUps, awake: hour.awake };
    });
}))";

/// Longer than the first minute.
const MINUTE: Duration = Duration::from_secs(100);

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_is_what_the_measured_minutes_make() {
    let compare = Compare::start();
    let browser = Browser::launch().await.expect("Chromium starts");
    let capture = Capture::socks().await;
    let options = PageOptions {
        proxy: Some(format!("socks5://{}", capture.address)),
        before_load: Some(before("en")),
        window: (1_400, 900),
        ..compare.page("phone")
    };
    let page = browser.page_with(options).await.unwrap();
    let shown = "document.querySelector('#measured span').textContent.indexOf('from 1 measured') > 0 && \
                 document.querySelector('.lane-stream .verdict').textContent.indexOf('of WebSocket') > 0";
    page.wait_for(shown, MINUTE).await.unwrap();
    let quiets = page.evaluate::<Vec<Quiet>>(QUIETS).await.unwrap();
    assert_eq!(quiets.len(), 10);
    for quiet in &quiets {
        let captured = |at| capture.bytes(quiet.port, at) as f64;
        let least = captured(quiet.to.0 - TRIP_MS) - captured(quiet.from.0 + TRIP_MS);
        let most = captured(quiet.to.0 + TRIP_MS) - captured(quiet.from.0 - TRIP_MS);
        let measured = (quiet.to.1 - quiet.from.1) as f64;
        assert!(
            (least..=most).contains(&measured),
            "{least} to {most} captured: {quiet:?}"
        );
        let minutes = ((quiet.to.0 - quiet.from.0) / 60_000.0).round();
        let hour = measured / minutes * 60.0 / 1_024.0;
        assert!((quiet.kilobytes - hour).abs() < 0.01, "{hour}: {quiet:?}");
        // A ping each 25 s wakes it two or three times in a minute, a short poll six times.
        let (least, most) = match quiet.kind.as_str() {
            "short-poll" => (300.0, 420.0),
            _ => (60.0, 400.0),
        };
        assert!((least..=most).contains(&quiet.wake_ups), "{quiet:?}");
        // Each time it stays awake for 5 s at least, and never longer than there is time.
        assert!((5.0..=60.0).contains(&quiet.awake), "{quiet:?}");
    }
    for pair in quiets.chunks(2) {
        assert_eq!(
            (pair[0].name.as_str(), pair[1].name.as_str()),
            ("minute", "idle")
        );
        assert!(
            pair[0].kilobytes > pair[1].kilobytes,
            "a message costs something: {pair:?}"
        );
    }
    fits(page, "phone", "en", (1_400, 900), false).await;
    let narrow = PageOptions {
        window: (390, 844),
        dark: true,
        before_load: Some(before("ko")),
        ..compare.page("phone?intervalMs=30000")
    };
    let page = browser.page_with(narrow).await.unwrap();
    let awake = "Compare.view.phones.every(function (phone) { return phone.lanes.idle && phone.lanes.idle.first; })";
    wait(&page, awake).await;
    fits(page, "phone", "ko", (390, 844), true).await;
}
