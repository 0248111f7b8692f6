//! What happens to answers on their way down.

use tokio::io::AsyncWriteExt;

use super::bench::{Bench, HALVES, POLL, ask, hear, hear_nothing};

#[tokio::test]
async fn a_buffered_answer_waits_for_its_end() {
    for buffer in ["buffer=end", "buffer=7"] {
        let bench = Bench::with(buffer).await;
        let mut client = bench.client().await;
        assert_eq!(ask(&mut client, HALVES).await.unwrap(), "HTTP/1.1 200 OK");
        hear_nothing(&mut client).await;
        bench.go_on.notify_one();
        assert_eq!(hear(&mut client, 10).await.unwrap(), "0123456789");
        ask(&mut client, POLL).await.unwrap();
    }
}

#[tokio::test]
async fn a_buffered_answer_goes_on_when_the_buffer_is_full() {
    let bench = Bench::with("buffer=5").await;
    let mut client = bench.client().await;
    ask(&mut client, HALVES).await.unwrap();
    assert_eq!(hear(&mut client, 5).await.unwrap(), "01234");
    bench.go_on.notify_one();
    assert_eq!(hear(&mut client, 5).await.unwrap(), "56789");
}

#[tokio::test]
async fn a_muted_answer_stops_at_the_byte_and_stays_open() {
    let bench = Bench::with("mute-answers-after=7").await;
    let mut client = bench.client().await;
    ask(&mut client, HALVES).await.unwrap();
    assert_eq!(hear(&mut client, 5).await.unwrap(), "01234");
    bench.go_on.notify_one();
    assert_eq!(hear(&mut client, 2).await.unwrap(), "56");
    client.write_all(POLL.as_bytes()).await.unwrap();
    hear_nothing(&mut client).await;
    let counts = bench.proxy.counts();
    assert_eq!((counts.silences, counts.polls), (1, 0));
}

#[tokio::test]
async fn an_answer_that_is_short_enough_is_not_muted() {
    let bench = Bench::with("mute-answers-after=10,buffer=end").await;
    let mut client = bench.client().await;
    ask(&mut client, HALVES).await.unwrap();
    bench.go_on.notify_one();
    assert_eq!(hear(&mut client, 10).await.unwrap(), "0123456789");
    assert_eq!(ask(&mut client, POLL).await.unwrap(), "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn headers_are_taken_out_of_answers() {
    let bench = Bench::with("strip-answer=x-server").await;
    let mut client = bench.client().await;
    client.write_all(POLL.as_bytes()).await.unwrap();
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1";
    assert_eq!(hear(&mut client, answer.len()).await.unwrap(), answer);
}
