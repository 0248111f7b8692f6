//! What happens to connections, whatever they carry.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};

use super::bench::{
    Bench, HALVES, LARGE, LARGE_BYTES, POLL, UPGRADE, ask, ends, hear, hear_out, is_reset, within,
};
use crate::Faults;

#[tokio::test]
async fn a_delay_is_paid_once_each_way_and_not_for_each_piece() {
    let bench = Bench::with("delay=50ms").await;
    let mut client = bench.client().await;
    let begun = Instant::now();
    ask(&mut client, LARGE).await.unwrap();
    hear(&mut client, LARGE_BYTES).await.unwrap();
    let took = begun.elapsed();
    // Thirty pieces of what is read at once.
    let expected = Duration::from_millis(100)..Duration::from_millis(700);
    assert!(expected.contains(&took), "{took:?}");
}

#[tokio::test]
async fn a_delayed_connection_keeps_its_order_and_its_end() {
    let bench = Bench::with("delay=20ms").await;
    let mut client = bench.upgraded().await;
    for text in ["one", "two", "three"] {
        client.write_all(text.as_bytes()).await.unwrap();
    }
    assert_eq!(hear(&mut client, 16).await.unwrap(), "helloonetwothree");
    client.shutdown().await.unwrap();
    assert!(ends(&mut client).await);
}

#[tokio::test]
async fn a_rate_is_kept_each_way() {
    let bench = Bench::with("rate=1m").await;
    let mut client = bench.client().await;
    let begun = Instant::now();
    ask(&mut client, LARGE).await.unwrap();
    hear(&mut client, LARGE_BYTES).await.unwrap();
    let took = begun.elapsed();
    let expected = Duration::from_millis(450)..Duration::from_secs(3);
    assert!(expected.contains(&took), "{took:?}");
}

#[tokio::test]
async fn a_dribble_comes_byte_by_byte_and_whole() {
    let bench = Bench::with("dribble").await;
    let mut client = bench.client().await;
    client.write_all(POLL.as_bytes()).await.unwrap();
    let (mut heard, mut reads) = (String::new(), 0);
    while !heard.ends_with("\r\n\r\n1") {
        let mut some = [0; 256];
        // Past the reader's buffer, which would gather the pieces.
        let read = within(client.get_mut().read(&mut some)).await.unwrap();
        heard += std::str::from_utf8(&some[..read]).unwrap();
        reads += 1;
    }
    assert!(reads > 10, "{reads}");
}

#[tokio::test]
async fn an_idle_connection_is_cut() {
    let bench = Bench::with("idle-cut=50ms").await;
    assert!(ends(&mut bench.client().await).await, "without a request");

    let mut client = bench.upgraded().await;
    hear(&mut client, 5).await.unwrap();
    assert!(ends(&mut client).await, "upgraded");

    let mut client = bench.client().await;
    ask(&mut client, HALVES).await.unwrap();
    let (heard, end) = hear_out(&mut client).await;
    assert_eq!(heard, "01234", "while an answer is awaited");
    assert!(end.is_ok());
    assert_eq!(bench.proxy.counts().cuts, 3);
}

#[tokio::test]
async fn a_connection_is_cut_at_the_byte_that_goes_down() {
    let bench = Bench::with("cut-down=20").await;
    let mut client = bench.client().await;
    client.write_all(POLL.as_bytes()).await.unwrap();
    let (heard, end) = hear_out(&mut client).await;
    assert_eq!(heard, "HTTP/1.1 200 OK\r\nx-s");
    assert!(end.is_ok());
    assert_eq!(bench.proxy.counts().cuts, 1);

    bench.proxy.set(Faults::of("cut-down=20,rst"));
    let mut client = bench.client().await;
    client.write_all(POLL.as_bytes()).await.unwrap();
    assert!(hear_out(&mut client).await.1.is_err());
}

#[tokio::test]
async fn a_connection_is_cut_at_the_byte_that_comes_up() {
    let mut bench = Bench::with("none").await;
    let faults = Faults {
        cut_up: Some(UPGRADE.len() as u64 + 2),
        ..Faults::default()
    };
    bench.proxy.set(faults);
    let mut client = bench.upgraded().await;
    assert_eq!(hear(&mut client, 5).await.unwrap(), "hello");
    client.write_all(b"ping").await.unwrap();
    assert!(ends(&mut client).await);
    assert!(bench.next_seen().await.starts_with("GET"));
    assert_eq!(bench.next_seen().await, "pi");

    bench.proxy.set(Faults::of("cut-up=20,rst"));
    let mut client = bench.client().await;
    client.write_all(POLL.as_bytes()).await.unwrap();
    assert!(is_reset(&mut client).await);
    assert!(
        bench.seen.try_recv().is_err(),
        "half a head reaches no server"
    );
}

#[tokio::test]
async fn cuts_meet_each_nth_connection() {
    let bench = Bench::with("cut-down=20,every=2").await;
    for is_cut in [false, true, false, true] {
        let answered = ask(&mut bench.client().await, POLL).await;
        assert_eq!(answered.is_err(), is_cut);
    }
}

#[tokio::test]
async fn chances_follow_from_the_seed() {
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        let bench = Bench::with(&format!("cut-chance=100%,seed={seed}")).await;
        let mut lengths = Vec::new();
        for _ in 0..3 {
            let mut client = bench.client().await;
            client.write_all(LARGE.as_bytes()).await.unwrap();
            lengths.push(hear_out(&mut client).await.0.len());
        }
        assert!(lengths.iter().all(|length| *length < 20_000), "{lengths:?}");
        runs.push(lengths);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
    assert_ne!(runs[0][0], runs[0][1]);
}
