//! Script tags and forms (PROTOCOL §15): off by default, nothing of the request in a script, refusals as calls.

use anywire::{Config, Denied, Limits, Principal, Transport};
use anywire_protocol::Packet;
use anywire_tests::host::Host;
use anywire_tests::http::{Answer, request};
use anywire_tests::server::TestServer;
use serde_json::json;

use crate::wire::{Variant, Wire, argument, escape, every, new_key};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

async fn get(server: &TestServer, query: &str, headers: &[&str]) -> Answer {
    let path = format!("/anywire/jsonp{query}");
    request(server.addr, "GET", &path, headers, b"").await
}

async fn post_form(server: &TestServer, body: &str) -> Answer {
    let answer = request(
        server.addr,
        "POST",
        "/anywire/form",
        &[FORM],
        body.as_bytes(),
    )
    .await;
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    answer
}

fn open() -> String {
    let open = format!(r#"{{"version":1,"key":"{}","generation":1}}"#, new_key());
    format!("{}:o{open}", open.len())
}

#[tokio::test]
async fn neither_is_there_until_the_owner_turns_it_on() {
    for host in Host::ALL {
        let server = TestServer::start_under(host, Config::new()).await;
        let query = format!("?anywire.c=1&anywire.{}", escape(open().as_bytes()));
        assert_eq!(get(&server, &query, &[]).await.status, 404);
        let form = request(server.addr, "POST", "/anywire/form", &[FORM], b"b=").await;
        assert_eq!(form.status, 404);
        assert_eq!(server.server.metrics().opened, 0);
    }
}

#[tokio::test]
async fn an_answer_is_a_script_and_nothing_else() {
    for host in Host::ALL {
        let server = TestServer::start_under(host, every()).await;
        let query = format!(
            "?anywire.c=9007199254740991&anywire.{}",
            escape(open().as_bytes())
        );
        let opened = get(&server, &query, &[]).await;
        let refused = get(
            &server,
            "?anywire.c=9007199254740991&anywire.b=garbage",
            &[],
        )
        .await;
        assert!(argument(&opened, 9_007_199_254_740_991).is_string());
        assert_eq!(
            argument(&refused, 9_007_199_254_740_991)["code"],
            json!(4960)
        );
        for answer in [opened, refused] {
            for (name, value) in [
                ("content-type", "application/javascript; charset=utf-8"),
                ("x-content-type-options", "nosniff"),
                ("cross-origin-resource-policy", "cross-origin"),
                ("content-disposition", "attachment; filename=f.txt"),
                ("cache-control", "no-store, no-transform"),
            ] {
                assert_eq!(answer.header(name), Some(value), "{host:?}");
            }
        }
    }
}

#[tokio::test]
async fn nothing_of_a_request_gets_into_a_script_but_digits() {
    let server = TestServer::start(every()).await;
    let payload = escape(open().as_bytes());
    for number in [
        "",
        "x",
        "-1",
        "+1",
        "01",
        "1e3",
        "1.0",
        "0x1",
        "1;alert(1)",
        "1)%3Balert(1",
        "%2F%2A",
        "1%0A",
        "%31%00",
        "9007199254740992",
        "99999999999999999999",
        "CWSMIKI0hCD0Up0IZUnnnnnnnn",
    ] {
        let answer = get(
            &server,
            &format!("?anywire.c={number}&anywire.{payload}"),
            &[],
        )
        .await;
        assert_eq!((answer.status, answer.code()), (400, 4960), "{number}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(!answer.text().contains("alert"), "{number}");
    }
    let without = get(&server, &format!("?{payload}"), &[]).await;
    assert_eq!((without.status, without.code()), (400, 4960));
    let twice = get(
        &server,
        &format!("?anywire.c=1&anywire.c=alert&anywire.{payload}"),
        &[],
    )
    .await;
    assert!(argument(&twice, 1).is_string(), "the first counts");
    assert_eq!(server.server.metrics().opened, 1);
    // What a message holds is data, whatever it says.
    let mut wire = Wire::open(server.addr, Variant::Jsonp).await;
    let nasty = "</script><script>alert(1)</script>&\u{2028}\u{2029}\"');*/";
    wire.send(nasty).await;
    assert_eq!(wire.recv_text().await, nasty);
}

#[tokio::test]
async fn whoever_refuses_the_script_tag_is_told_by_a_call() {
    let limits = Limits::default()
        .max_message_bytes(100)
        .max_payload_bytes(1_500);
    let config = every().limits(limits).authorize(|visitor| async move {
        assert_eq!(visitor.transport, Transport::Jsonp);
        match visitor.query.as_str() {
            "user=ada" => Ok(Principal::new("ada")),
            _ => Err(Denied::forbidden("<b>who?</b>")),
        }
    });
    let server = TestServer::start(config).await;
    let payload = escape(open().as_bytes());
    let code = |answer: Answer| argument(&answer, 1)["code"].clone();
    let good = format!("?anywire.c=1&user=ada&anywire.{payload}");
    let evil = ["Referer: https://evil.example/page"];
    assert_eq!(code(get(&server, &good, &evil).await), json!(4965));
    let cookies = ["Cookie: user=ada"];
    assert_eq!(code(get(&server, &good, &cookies).await), json!(4965));
    let cross_site = ["Sec-Fetch-Site: cross-site"];
    assert_eq!(code(get(&server, &good, &cross_site).await), json!(4965));
    let nobody = format!("?anywire.c=1&anywire.{payload}");
    assert_eq!(code(get(&server, &nobody, &[]).await), json!(4969));
    assert_eq!(
        code(get(&server, "?anywire.c=1&user=ada", &[]).await),
        json!(4960)
    );
    assert_eq!(
        code(get(&server, "?anywire.c=1&user=ada&anywire.b=%", &[]).await),
        json!(4960)
    );
    let long = format!("?anywire.c=1&user=ada&anywire.b={}", "1".repeat(1_501));
    assert_eq!(code(get(&server, &long, &[]).await), json!(4964));
    let nobody = "69:x00000000000000000000000000000000 00000000000000000000000000000000 1 0";
    let nobody = format!(
        "?anywire.c=1&user=ada&anywire.{}",
        escape(nobody.as_bytes())
    );
    assert_eq!(code(get(&server, &nobody, &[]).await), json!(4930));
    assert_eq!(server.server.metrics().opened, 0);
    assert!(argument(&get(&server, &good, &[]).await, 1).is_string());
    let oversized = format!("?anywire.c=1&user=ada&anywire.b={}", "1".repeat(30_000));
    // Other hosts take longer heads, so the script tag is told by a call.
    let status = if server.host.is_ours() { 431 } else { 200 };
    assert_eq!(get(&server, &oversized, &[]).await.status, status);
    let post = request(server.addr, "POST", "/anywire/jsonp", &[], b"").await;
    assert_eq!(
        (post.status, post.code(), post.header("allow")),
        (405, 4968, Some("get"))
    );
}

#[tokio::test]
async fn a_form_only_sends_and_its_answer_says_nothing() {
    let server = TestServer::start(every()).await;
    let mut wire = Wire::open(server.addr, Variant::Jsonp).await;
    let attach = format!("69:x{} {} 1 0", wire.opened.session, wire.opened.secret);
    let sends = format!("{attach}1:n09:tu\r\n&+é%\u{0}b");
    // Escaped by the client, then by the form.
    let body = escape(escape(sends.as_bytes()).as_bytes());
    for _ in 0..2 {
        let answer = post_form(&server, &body).await;
        assert_eq!((answer.status, answer.text()), (200, "ok"));
    }
    assert_eq!(server.seen.wait_heard(1).await, ["u\r\n&+é%\u{0}b"]);
    let plain = post_form(&server, &escape(format!("{attach}1:n11:tx").as_bytes())).await;
    assert_eq!((plain.status, plain.text()), (200, "ok"));
    wire.sent += 2;
    assert_eq!(
        wire.recv_text().await,
        "x",
        "what the form sent has come once"
    );

    let hold = attach.replacen("69:x", "71:x", 1) + " 0";
    for (body, expected) in [
        (String::new(), (400, 4960)),
        ("b".into(), (400, 4960)),
        ("b=".into(), (400, 4960)),
        ("c=x".into(), (400, 4960)),
        (attach.clone(), (400, 4960)),
        (format!("{}&c=1", escape(attach.as_bytes())), (400, 4960)),
        (escape(hold.as_bytes()), (400, 4960)),
        (escape(open().as_bytes()), (400, 4960)),
        ("b=<script>alert(1)</script>".into(), (400, 4960)),
        (
            escape(attach.replace(" 1 0", " 1 9").as_bytes()),
            (400, 4963),
        ),
    ] {
        let answer = post_form(&server, &body).await;
        assert_eq!((answer.status, answer.code()), expected, "{body}");
        assert!(!answer.text().contains("alert"));
    }
    let get = request(server.addr, "GET", "/anywire/form", &[], b"").await;
    assert_eq!((get.status, get.header("allow")), (405, Some("post")));
    let text = ["Content-Type: text/plain"];
    let other = request(server.addr, "POST", "/anywire/form", &text, b"b=").await;
    assert_eq!((other.status, other.code()), (415, 4967));
    let evil = [FORM, "Origin: https://evil.example"];
    let evil = request(server.addr, "POST", "/anywire/form", &evil, b"b=").await;
    assert_eq!((evil.status, evil.code()), (403, 4965));
}

#[tokio::test]
async fn a_close_sent_by_a_form_is_answered_by_the_next_call() {
    let server = TestServer::start(every()).await;
    let wire = Wire::open(server.addr, Variant::Jsonp).await;
    let attach = format!("69:x{} {} 1 0", wire.opened.session, wire.opened.secret);
    let close = format!("{attach}8:c3333 bye");
    let answer = post_form(&server, &escape(close.as_bytes())).await;
    assert_eq!((answer.status, answer.text()), (200, "ok"));
    assert_eq!(server.seen.wait_closed(1).await[0].code.as_u16(), 3333);
    let answer = wire.exchange(&[wire.attach_packet(None)]).await;
    let packets = crate::wire::unpack(Variant::Jsonp, answer);
    assert!(
        matches!(packets.last(), Some(Packet::Close(_))),
        "{packets:?}"
    );
}
