//! Questions and uploads, and what the server says to them: over a session, or to plain requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anywire::{Message, Sender, Socket};
use bytes::Bytes;
use tokio::time::sleep;
use warp::filters::BoxedFilter;
use warp::reply::Response;
use warp::{Filter, Reply};

use crate::event::{LETTERS, now_ms};

/// What a client asks: `{number} {answer_ms} {answer_bytes}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Question {
    number: u64,
    /// How long the server thinks.
    answer_ms: u64,
    answer_bytes: usize,
}

impl Question {
    /// None if it is not a question, or asks for more than any page does.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let question = Self {
            number: words.next()?.parse().ok()?,
            answer_ms: words.next()?.parse().ok()?,
            answer_bytes: words.next()?.parse().ok()?,
        };
        (question.answer_ms <= MAX_ANSWER_MS && question.answer_bytes <= MAX_ANSWER_BYTES)
            .then_some(question)
    }

    /// Thinks, and answers: the number, when the question came, when the answer left, and letters.
    async fn answer(self) -> String {
        let came_ms = now_ms();
        if self.answer_ms > 0 {
            sleep(Duration::from_millis(self.answer_ms)).await;
        }
        let mut text = format!("{} {came_ms:.3} {:.3} ", self.number, now_ms());
        let room = self.answer_bytes.saturating_sub(text.len());
        text.extend(LETTERS.chars().cycle().take(room));
        text
    }
}

/// Answers all questions of a session, and says when an upload has come.
pub(crate) async fn attend(mut socket: Socket) {
    let mut uploaded = 0;
    while let Some(message) = socket.recv().await {
        match message.as_text() {
            Some(text) => {
                if let Some(question) = Question::parse(text) {
                    let sender = socket.sender();
                    tokio::spawn(async move { say(&sender, question.answer().await).await });
                }
            }
            None => {
                uploaded += message.as_bytes().len();
                if uploaded >= UPLOAD_BYTES {
                    say(&socket.sender(), format!("upload {uploaded}")).await;
                    uploaded = 0;
                }
            }
        }
    }
}

async fn say(sender: &Sender, text: String) {
    // A session that has ended needs no answer.
    let _ = sender.send(Message::from(text)).await;
}

/// The same for requests of their own, `/ask` and `/upload`; `answers` counts those to questions.
pub(crate) fn requests(answers: Arc<AtomicU64>) -> BoxedFilter<(Response,)> {
    let body = |most: usize| {
        warp::post()
            .and(warp::body::content_length_limit(most as u64))
            .and(warp::body::bytes())
    };
    let ask = warp::path!("ask")
        .and(body(MAX_QUESTION_BYTES))
        .and_then(move |body: Bytes| {
            let answers = answers.clone();
            async move {
                let question = std::str::from_utf8(&body).ok().and_then(Question::parse);
                let answer = question.ok_or_else(warp::reject::not_found)?.answer().await;
                answers.fetch_add(1, Ordering::Relaxed);
                Ok::<_, warp::Rejection>(open_to_all(answer))
            }
        });
    let upload = warp::path!("upload")
        .and(body(UPLOAD_BYTES))
        .map(|body: Bytes| open_to_all(format!("upload {}", body.len())));
    ask.or(upload).unify().boxed()
}

/// The page has another port than its lanes.
fn open_to_all(text: String) -> Response {
    warp::reply::with_header(text, "access-control-allow-origin", "*").into_response()
}

/// The bytes of an upload; as much in a request, or in several messages.
const UPLOAD_BYTES: usize = 1_024 * 1_024;
const MAX_QUESTION_BYTES: usize = 256;
const MAX_ANSWER_MS: u64 = 3_000;
const MAX_ANSWER_BYTES: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_are_as_long_as_wanted_and_say_when_the_question_came() {
        let question = Question::parse("7 20 128").expect("it is one");
        let text = question.answer().await;
        assert_eq!(text.len(), 128);
        let mut words = text.split(' ');
        assert_eq!(words.next(), Some("7"));
        let mut time = || words.next().and_then(|word| word.parse::<f64>().ok());
        let (came, left) = (time().expect("a time"), time().expect("a time"));
        assert!(left - came >= 20.0, "{text}");
    }

    #[test]
    fn what_is_no_question_is_none() {
        for text in ["", "7", "7 0", "x 0 64", "7 3001 64", "7 0 65537"] {
            assert_eq!(Question::parse(text), None, "{text}");
        }
    }
}
