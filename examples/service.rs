//! An auction, as an existing warp service that has gained live updates: its users, routes and checks are what they were.
//!
//! Run `cargo run --release --example service`, open the printed address in two browsers (or a private window), say who you
//! are and bid. Bids, who is here, and "you were outbid" come by Anywire; a bid itself is an ordinary `POST`. Whoever signs in
//! as `Auctioneer` may put others out. A name needs no password here. Each grant holds for 30 s, so that one sees it renewed.
//! `PORT` chooses another port than 3034.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anywire::{
    Attachment, CloseReason, Config, Denied, Grant, Handler, Message, Sender, Server, SessionId,
};
use serde::Serialize;
use serde_json::json;
use warp::http::StatusCode;
use warp::reply::WithStatus;
use warp::{Filter, Reply};

// What the service had before: users, lots, routes, and a filter that says who asks.

#[derive(Clone, Serialize)]
struct User {
    name: String,
    is_admin: bool,
}

#[derive(Serialize)]
struct Lot {
    number: u32,
    title: &'static str,
    price: u32,
    bidder: Option<String>,
}

/// All state. What a topic's followers are told is published under its lock, so that all hear one order.
#[derive(Default)]
struct State {
    /// The user of each login, by the cookie's value.
    logins: HashMap<String, User>,
    lots: BTreeMap<u32, Lot>,
    /// The user's name of each session whose client is there.
    here: HashMap<SessionId, String>,
}

#[derive(Clone, Default)]
struct Auction(Arc<Mutex<State>>);

/// What a route is given, with the user who asks.
type Asked = (Auction, Server, Option<User>);
type Refusal = WithStatus<String>;

fn refuse(status: StatusCode, text: impl Into<String>) -> Refusal {
    warp::reply::with_status(text.into(), status)
}

fn known(user: Option<User>) -> Result<User, Refusal> {
    user.ok_or_else(|| refuse(StatusCode::UNAUTHORIZED, "say who you are first"))
}

impl Auction {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offer(&self, number: u32, title: &'static str, price: u32) {
        let bidder = None;
        let lot = Lot {
            number,
            title,
            price,
            bidder,
        };
        self.state().lots.insert(number, lot);
    }

    /// The user of a request, by the cookie of the login.
    fn user(&self) -> impl Filter<Extract = (Option<User>,), Error = Infallible> + Clone + use<> {
        let auction = self.clone();
        warp::cookie::optional("login")
            .map(move |login: Option<String>| auction.state().logins.get(&login?).cloned())
    }
}

/// Sets a cookie that no script sees, and that a browser sends with no `POST` of another site.
fn log_in(auction: &Auction, name: String) -> Result<impl Reply + use<>, Refusal> {
    if !(1..=20).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let text = "a name has 1 to 20 letters or digits";
        return Err(refuse(StatusCode::BAD_REQUEST, text));
    }
    // Where logins guard something, these come from the system's random numbers.
    let login = format!("{:032x}", fastrand::u128(..));
    let cookie = format!("login={login}; Path=/; HttpOnly; SameSite=Lax");
    let is_admin = name == "Auctioneer";
    auction
        .state()
        .logins
        .insert(login, User { name, is_admin });
    Ok(warp::reply::with_header("welcome", "set-cookie", cookie))
}

/// Checks a bid, tells those who follow the lot, and the user who was outbid.
async fn bid(
    number: u32,
    (auction, server, user): Asked,
    amount: u32,
) -> Result<&'static str, Refusal> {
    let User { name, is_admin } = known(user)?;
    if is_admin {
        return Err(refuse(StatusCode::FORBIDDEN, "the auctioneer does not bid"));
    }
    let outbid = {
        let mut state = auction.state();
        let lot = state.lots.get_mut(&number);
        let lot = lot.ok_or_else(|| refuse(StatusCode::NOT_FOUND, "there is no such lot"))?;
        if amount <= lot.price {
            let text = format!("bid more than {}", lot.price);
            return Err(refuse(StatusCode::CONFLICT, text));
        }
        lot.price = amount;
        let outbid = lot.bidder.replace(name.clone());
        server.publish(&topic(number), json!({ "lot": lot }).to_string());
        outbid.filter(|outbid| *outbid != name)
    };
    if let Some(outbid) = outbid {
        let news = json!({ "outbid": { "lot": number, "by": name, "amount": amount } });
        // To all sessions of that user, whatever they follow.
        server.principal(outbid).send(news.to_string()).await;
    }
    Ok("it stands")
}

/// Ends a user's logins first, so that nothing lets the user in again, and then the sessions.
async fn put_out(name: String, (auction, server, user): Asked) -> Result<String, Refusal> {
    if !known(user)?.is_admin {
        return Err(refuse(StatusCode::FORBIDDEN, "only the auctioneer may"));
    }
    auction.state().logins.retain(|_, user| user.name != name);
    let reach = server
        .principal(name)
        .revoke("the auctioneer has put you out")
        .await;
    Ok(format!("{} sessions are over", reach.sessions))
}

// What it has gained: a question and a handler, and one more route below.

/// How long a session goes on before the login is looked at again.
const TERM: Duration = Duration::from_secs(30);
const PEOPLE: &str = "people";

fn topic(lot: u32) -> String {
    format!("lot:{lot}")
}

/// Lets in the user whom the service's own filter has found, for a while.
async fn authorize(visitor: anywire::Visitor) -> Result<Grant, Denied> {
    let user = visitor.extensions.get::<Option<User>>().cloned().flatten();
    let user = user.ok_or_else(|| Denied::unauthenticated("say who you are first"))?;
    Ok(Grant::to(&*user.name).with(user).lasting(TERM))
}

impl Handler for Auction {
    /// The user.
    type State = User;

    fn on_open(&self, session: &Sender) -> User {
        let user = session.grant().get::<User>().cloned();
        let user = user.expect("`authorize` lets in nobody else");
        let lots: Vec<u32> = self.state().lots.keys().copied().collect();
        // A new session's outbox is empty, so this is always accepted.
        let _ = session.try_send(json!({ "you": user, "lots": lots }).to_string());
        session.subscribe(PEOPLE);
        self.show(&user, session, true);
        user
    }

    /// The number of a lot, to follow: its state goes first, then each bid.
    fn on_message(&self, _: &mut User, session: &Sender, message: Message) {
        let number = message.as_text().and_then(|text| text.parse().ok());
        let state = self.state();
        if let Some(lot) = number.and_then(|number: u32| state.lots.get(&number)) {
            let _ = session.try_send(json!({ "lot": lot }).to_string());
            session.subscribe(&topic(lot.number));
        }
    }

    fn on_attachment(&self, user: &mut User, session: &Sender, now: &Attachment) {
        self.show(user, session, now.is_attached());
    }

    fn on_grant(&self, _: &mut User, session: &Sender, grant: &Grant) {
        let seconds = grant.expires_in().map(|left| left.as_secs());
        let _ = session.try_send(json!({ "renewed": seconds }).to_string());
    }

    fn on_close(&self, user: User, session: &Sender, _: &CloseReason) {
        self.show(&user, session, false);
    }
}

impl Auction {
    /// Tells all who is here now.
    fn show(&self, user: &User, session: &Sender, is_here: bool) {
        let mut state = self.state();
        match is_here {
            true => state.here.insert(session.id(), user.name.clone()),
            false => state.here.remove(&session.id()),
        };
        let people: BTreeSet<_> = state.here.values().collect();
        session.publish(PEOPLE, json!({ "people": people }).to_string());
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::var("PORT").map_or(Ok(3034), |port| port.parse())?;
    let auction = Auction::default();
    auction.offer(7, "Brass telescope", 120);
    auction.offer(8, "Chess set, 1926", 45);
    auction.offer(9, "Map of Jeju", 300);
    let config = Config::new().mount("live").authorize(authorize);
    let server = Server::builder(config)?.handler(auction.clone());

    let page = warp::path::end().map(|| warp::reply::html(include_str!("service/index.html")));
    let (user, live, store) = (auction.user(), server.clone(), auction.clone());
    let asked = user
        .clone()
        .map(move |user| (auction.clone(), live.clone(), user));
    let login = warp::path!("login")
        .and(warp::post())
        .and(warp::body::json());
    let login = login.map(move |name| log_in(&store, name));
    let bids = warp::path!("lots" / u32 / "bids")
        .and(warp::post())
        .and(asked.clone());
    let bids = bids.and(warp::body::json()).then(bid);
    let people = warp::path!("people" / String)
        .and(warp::delete())
        .and(asked)
        .then(put_out);
    let routes = page
        .or(login)
        .or(bids)
        .or(people)
        .or(server.routes_with(user));

    let serving = anywire::serve(routes).bind(([127, 0, 0, 1], port)).await?;
    println!("open {}", serving.url());
    let signal = async move {
        let _ = tokio::signal::ctrl_c().await;
        server.drain(Duration::from_secs(5)).await;
    };
    serving.graceful(signal).run().await;
    Ok(())
}
