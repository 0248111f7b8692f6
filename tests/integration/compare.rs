//! The comparison's numbers beside independent ones, with Rust clients.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anywire_compare::{Comparison, Kind, Lane, Settings, Tally, View, follow};
use anywire_tests::capture::Capture;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

const DEADLINE: Duration = Duration::from_secs(60);

/// A lane's client behind a capture.
struct Observed {
    capture: Capture,
    tally: Arc<Mutex<Tally>>,
    received: watch::Receiver<u64>,
    _client: JoinSet<()>,
}

impl Observed {
    async fn start(comparison: &Comparison, lane: &Lane) -> Self {
        let capture = Capture::before(lane.address).await;
        let tally = Arc::new(Mutex::new(Tally::default()));
        let (count, received) = watch::channel(0);
        let taken = tally.clone();
        let got = move |event| {
            let mut tally = taken.lock().unwrap();
            tally.take(event);
            count.send_replace(tally.received);
        };
        let mut client = JoinSet::new();
        client.spawn(follow(
            lane.kind,
            capture.address,
            comparison.settings(),
            got,
        ));
        Self {
            capture,
            tally,
            received,
            _client: client,
        }
    }

    async fn receives(&mut self, kind: Kind, count: u64) {
        let all = self.received.wait_for(|received| *received >= count);
        let all = timeout(DEADLINE, all).await.map(|_| ());
        assert!(
            all.is_ok(),
            "{}: {:?}",
            kind.name(),
            self.tally.lock().unwrap()
        );
    }
}

/// Waits for a moment in which nothing is on its way: then both counts are the same, if they are right.
async fn agrees(lane: &Lane, observed: &Observed) {
    let mut last = None;
    let agreed = async {
        let mut ticks = interval(Duration::from_millis(3));
        loop {
            ticks.tick().await;
            let reading = lane.reading();
            let measured = (
                reading.totals.bytes_up + reading.totals.bytes_down,
                reading.deliveries,
            );
            let counted = (
                observed.capture.bytes(lane.address.port(), f64::MAX),
                observed.tally.lock().unwrap().received,
            );
            if measured == counted {
                return;
            }
            last = Some((measured, counted));
        }
    };
    let agreed = timeout(DEADLINE, agreed).await;
    assert!(
        agreed.is_ok(),
        "{}: (bytes, events) {last:?}",
        lane.kind.name()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relays_measure_what_a_capture_counts_and_the_servers_what_arrives() {
    let settings = Settings {
        events_per_second: 20,
        size_bytes: 700,
        interval_ms: 200,
        added_rtt_ms: 0,
        ..Settings::default()
    };
    let comparison = Comparison::start(View::News, settings, &[]).await.unwrap();
    for lane in comparison.lanes() {
        let mut observed = Observed::start(&comparison, lane).await;
        observed.receives(lane.kind, 60).await;
        agrees(lane, &observed).await;
        let reading = lane.reading();
        assert!(reading.cpu_ns > 0, "{} took some CPU", lane.kind.name());
        let tally = observed.tally.lock().unwrap();
        assert!(
            tally.latency_ms(0.5) < Some(300.0),
            "{:?}",
            tally.latency_ms(0.5)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_added_round_trip_shows_in_the_latency() {
    let settings = Settings {
        events_per_second: 10,
        added_rtt_ms: 200,
        ..Settings::default()
    };
    let comparison = Comparison::start(View::News, settings, &[]).await.unwrap();
    let lanes = comparison.lanes().iter();
    let lane = lanes.last().unwrap();
    let mut observed = Observed::start(&comparison, lane).await;
    observed.receives(lane.kind, 20).await;
    let median = observed.tally.lock().unwrap().latency_ms(0.5).unwrap();
    assert!(
        (100.0..160.0).contains(&median),
        "half of the round trip: {median}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cuts_and_a_broken_websocket_lose_and_repeat_nothing() {
    let settings = Settings {
        events_per_second: 50,
        interval_ms: 100,
        added_rtt_ms: 20,
        cuts_per_minute: 60,
        ..Settings::default()
    };
    let comparison = Comparison::start(View::News, settings, &[]).await.unwrap();
    let mut all = Vec::new();
    for lane in comparison.lanes() {
        all.push(Observed::start(&comparison, lane).await);
    }
    for (lane, observed) in comparison.lanes().iter().zip(&mut all) {
        observed.receives(lane.kind, 100).await;
    }
    comparison.set(Settings {
        websocket_broken: true,
        ..settings
    });
    for (lane, observed) in comparison.lanes().iter().zip(&mut all) {
        let so_far = *observed.received.borrow();
        observed.receives(lane.kind, so_far + 200).await;
    }
    comparison.set(settings);
    for (lane, observed) in comparison.lanes().iter().zip(&mut all) {
        let so_far = *observed.received.borrow();
        observed.receives(lane.kind, so_far + 100).await;
        let tally = observed.tally.lock().unwrap();
        assert_eq!((tally.gaps, tally.repeats), (0, 0), "{}", lane.kind.name());
        assert!(
            lane.reading().totals.connections > 1,
            "{} was cut",
            lane.kind.name()
        );
    }
}
