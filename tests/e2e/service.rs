//! The example of an existing service with live updates, built and run as people run it: by requests and the Rust client, and in a
//! browser.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anywire_client::{Client, ConnectError, OriginMemory, Transport};
use anywire_protocol::OpeningKey;
use anywire_tests::chromium::{Browser, Page, PageOptions};
use anywire_tests::http::{Answer, poll, request};
use serde_json::{Value, json};
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(20);
const TRANSPORTS: [Transport; 2] = [Transport::WebSocket, Transport::Poll];

/// The running example; stopped when dropped, by its own pid.
struct Service {
    child: Child,
    addr: SocketAddr,
}

impl Service {
    fn start() -> Self {
        let test = std::env::current_exe().unwrap();
        let target = test.parent().unwrap().parent().unwrap();
        let mut child = Command::new(target.join("examples/service"))
            .env("PORT", "0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("`cargo build --examples` has built it");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let addr = line.strip_prefix("open http://").expect("its address");
        let addr = addr.trim_end_matches('/').parse().unwrap();
        Self { child, addr }
    }

    async fn ask(&self, method: &str, path: &str, cookie: &str, body: Value) -> Answer {
        let headers = [
            "Content-Type: application/json",
            &format!("Origin: http://{}", self.addr),
            &format!("Cookie: {cookie}"),
        ];
        let body = body.to_string();
        request(self.addr, method, path, &headers, body.as_bytes()).await
    }

    /// The cookie of a login.
    async fn log_in(&self, name: &str) -> String {
        let answer = self.ask("POST", "/login", "theme=dark", json!(name)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.ends_with("; path=/; httponly; samesite=lax"));
        cookie.split(';').next().unwrap().to_owned()
    }

    async fn bid(&self, cookie: &str, amount: u32) -> u16 {
        let answer = self.ask("POST", "/lots/7/bids", cookie, json!(amount));
        answer.await.status
    }

    /// A session of the login, that follows lot 7.
    async fn follow(&self, cookie: &str, transport: Transport) -> Client {
        let url = format!("http://{}/live", self.addr);
        let builder = Client::builder(&url).memory(OriginMemory::default());
        let builder = builder.no_proxy().only(transport);
        let builder = builder.header("cookie", cookie);
        let builder = builder.header("origin", &format!("http://{}", self.addr));
        let mut client = builder.connect().await.unwrap();
        until(&mut client, "you").await;
        client.send("7").await.unwrap();
        until(&mut client, "lot").await;
        client
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next news of this kind.
async fn until(client: &mut Client, kind: &str) -> Value {
    let news = async {
        loop {
            let message = client.recv().await.expect("the session lives");
            let mut news: Value = serde_json::from_slice(message.as_bytes()).unwrap();
            if !news[kind].is_null() {
                return news[kind].take();
            }
        }
    };
    timeout(DEADLINE, news).await.expect(kind)
}

/// The code and the text of the end.
async fn end(client: &mut Client) -> (u16, String) {
    let ended = async { while client.recv().await.is_some() {} };
    timeout(DEADLINE, ended).await.expect("it ends");
    let reason = client.close_reason().unwrap();
    (reason.code.as_u16(), reason.text().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bid_reaches_its_followers_and_the_user_who_was_outbid() {
    let service = Service::start();
    let (ada, bob) = (service.log_in("Ada").await, service.log_in("Bob").await);
    let mut adas = Vec::new();
    for transport in TRANSPORTS {
        adas.push(service.follow(&ada, transport).await);
    }
    let mut bobs = service.follow(&bob, Transport::WebSocket).await;
    assert_eq!(service.bid(&ada, 130).await, 200);
    for client in adas.iter_mut().chain([&mut bobs]) {
        let lot = until(client, "lot").await;
        assert_eq!(
            (&lot["price"], &lot["bidder"]),
            (&json!(130), &json!("Ada"))
        );
    }
    assert_eq!(service.bid(&bob, 130).await, 409);
    assert_eq!(service.bid(&bob, 150).await, 200);
    let outbid = json!({ "lot": 7, "by": "Bob", "amount": 150 });
    for client in &mut adas {
        assert_eq!(until(client, "outbid").await, outbid, "all sessions hear");
    }
    // Nobody was told who outbid nobody: what comes next to Bob is the bid.
    assert_eq!(until(&mut bobs, "lot").await["price"], 150);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_logged_in_is_refused_everywhere() {
    let service = Service::start();
    let auctioneer = service.log_in("Auctioneer").await;
    let ada = service.log_in("Ada").await;
    for cookie in ["theme=dark", "login=guess"] {
        assert_eq!(service.bid(cookie, 500).await, 401);
        let put_out = service.ask("DELETE", "/people/Ada", cookie, Value::Null);
        assert_eq!(put_out.await.status, 401);
    }
    let put_out = service.ask("DELETE", "/people/Ada", &ada, Value::Null);
    assert_eq!(put_out.await.status, 403);
    assert_eq!(service.bid(&auctioneer, 500).await, 403);
    assert_eq!(
        service.ask("POST", "/login", "", json!("<b>")).await.status,
        400
    );
    let key = OpeningKey::from_bytes([7; 16]);
    let open = format!(r#"{{"version":1,"key":"{key}","generation":1}}"#);
    let open = format!("{}:o{open}", open.len());
    let answer = poll(service.addr, "live", &open).await;
    assert_eq!((answer.status, answer.code()), (401, 4966));
    for transport in TRANSPORTS {
        let url = format!("http://{}/live", service.addr);
        let refused = Client::builder(&url).no_proxy().only(transport);
        let refused = refused.connect().await;
        assert!(
            matches!(&refused, Err(ConnectError::Refused(reason)) if reason.code.as_u16() == 4966),
            "{refused:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_put_out_hears_it_and_stays_out() {
    let service = Service::start();
    let auctioneer = service.log_in("Auctioneer").await;
    let ada = service.log_in("Ada").await;
    let mut adas = Vec::new();
    for transport in TRANSPORTS {
        adas.push(service.follow(&ada, transport).await);
    }
    let mut other = service.follow(&auctioneer, Transport::WebSocket).await;
    let put_out = service
        .ask("DELETE", "/people/Ada", &auctioneer, Value::Null)
        .await;
    assert_eq!(
        (put_out.status, put_out.text()),
        (200, "2 sessions are over")
    );
    for (client, transport) in adas.iter_mut().zip(TRANSPORTS) {
        let told = end(client).await;
        // A poll that comes between the two is refused, since its cookie is of no login any more.
        let refused = (4966, "say who you are first".to_owned());
        let put_out = (4970, "the auctioneer has put you out".to_owned());
        assert!(
            told == put_out || transport == Transport::Poll && told == refused,
            "{told:?}"
        );
    }
    while until(&mut other, "people").await != json!(["Auctioneer"]) {}
    assert_eq!(service.bid(&ada, 500).await, 401);
}

async fn wait(page: &Page, condition: &str) {
    if let Err(error) = page.wait_for(condition, DEADLINE).await {
        let text = page.evaluate::<String>("document.body.innerText").await;
        panic!("{condition}: {error}\n{text:?}\n{:?}", page.console());
    }
}

async fn run(page: &Page, script: &str) {
    page.evaluate::<Value>(&format!("{script}; 0"))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_bid_in_their_browsers_until_one_is_put_out() {
    let service = Service::start();
    let browser = Browser::launch().await.expect("Chromium starts");
    let visit = async |name: &str, window, dark| {
        let options = PageOptions {
            url: format!("http://{}/", service.addr),
            window,
            dark,
            ..PageOptions::default()
        };
        let page = browser.page_with(options).await.unwrap();
        wait(&page, "!document.getElementById('login').hidden").await;
        let enter = format!(
            "document.getElementById('name').value = '{name}';
             document.querySelector('#login button').click()"
        );
        shoot(&page, "service-login").await;
        run(&page, &enter).await;
        wait(&page, "document.getElementById('lot-9')").await;
        wait(
            &page,
            "document.getElementById('badge').textContent === 'websocket'",
        )
        .await;
        page
    };
    let ada = visit("Ada", (1_000, 800), false).await;
    let bob = visit("Bob", (390, 844), true).await;
    let offer = async |page: &Page, amount: u32| {
        let bid = format!(
            "document.querySelector('#lot-7 input').value = '{amount}';
             document.querySelector('#lot-7 button').click()"
        );
        run(page, &bid).await;
    };
    let costs =
        |amount: u32| format!("document.querySelector('#lot-7 .price').textContent === '{amount}'");
    offer(&ada, 130).await;
    wait(&ada, &costs(130)).await;
    wait(&bob, &costs(130)).await;
    offer(&bob, 125).await;
    wait(
        &bob,
        "document.querySelector('#lot-7 .wrong').textContent === 'bid more than 130'",
    )
    .await;
    offer(&bob, 150).await;
    wait(&ada, &costs(150)).await;
    wait(
        &ada,
        "document.getElementById('notice').textContent.indexOf('You were outbid: Bob') === 0",
    )
    .await;
    shoot(&ada, "service-outbid").await;
    shoot(&bob, "service-phone-dark").await;
    let auctioneer = visit("Auctioneer", (1_000, 800), true).await;
    wait(
        &auctioneer,
        "document.querySelectorAll('#people button').length === 2",
    )
    .await;
    shoot(&auctioneer, "service-auctioneer-dark").await;
    // In alphabetical order: Ada, Auctioneer, Bob.
    run(
        &auctioneer,
        "document.querySelector('#people button').click()",
    )
    .await;
    wait(
        &ada,
        "document.getElementById('notice').textContent === 'You are out: the auctioneer has put you out.'",
    )
    .await;
    wait(&ada, "!document.getElementById('login').hidden").await;
    shoot(&ada, "service-out").await;
    wait(
        &auctioneer,
        "document.querySelectorAll('#people button').length === 1",
    )
    .await;
    // Half a term after the login the client is asked, and its cookie renews the grant.
    wait(
        &bob,
        "document.getElementById('log').textContent.indexOf('the login was looked at again') > 0",
    )
    .await;
}

/// Takes a picture for people to look at.
async fn shoot(page: &Page, name: &str) {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap().join("../../screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    page.screenshot(folder.join(format!("{name}.png")))
        .await
        .unwrap();
}
