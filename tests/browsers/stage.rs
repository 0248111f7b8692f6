//! The servers of one run: the page's own, and Anywire behind a proxy that can cut connections, with one origin or two.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anywire::{Asks, Config, Credential, Grant, Limits, Server, Visitor};
use anywire_fault_proxy::{FaultProxy, Faults};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use warp::filters::BoxedFilter;
use warp::http::header::COOKIE;
use warp::{Filter, Reply};

use crate::app;
use crate::journal::{Journal, Record};
use crate::matrix::{Origin, Run};
use crate::roster::ALLOW_CREDENTIALS;

/// Running servers; they stop when this is dropped.
pub struct Stage {
    /// What is told of the run.
    pub journal: Arc<Journal>,
    /// The address of the page, with all that it needs to know.
    pub url: String,
    tasks: Vec<JoinHandle<()>>,
}

/// What the page asks its own server for.
#[derive(Default)]
struct Desk {
    journal: Arc<Journal>,
    /// Requests of these numbers were done; a browser repeats what was cut.
    done: Mutex<HashSet<u32>>,
    proxy: OnceLock<FaultProxy>,
    /// How many bodies the proxy had refused when it was asked for more.
    refusals: AtomicU32,
    /// What the proxy does unless the page asks for more.
    usual: Faults,
    cut: watch::Sender<usize>,
}

impl Stage {
    /// Starts the servers that a run needs.
    pub async fn start(run: &Run) -> Self {
        let header = stripped(run.origin);
        let usual = header.map(|header| Faults::of(&format!("strip-answer={header}")));
        let usual = usual.unwrap_or_default();
        let desk = Arc::new(Desk {
            usual: usual.clone(),
            ..Desk::default()
        });
        let (page_addr, page_task) = serve(pages(run, desk.clone())).await;
        let config = config(run, page_addr, desk.journal.clone());
        let (journal, cut) = (desk.journal.clone(), desk.cut.clone());
        let server = Server::builder(config)
            .expect("the run's config is sound")
            .on_socket(move |socket| app::serve(socket, journal.clone(), cut.subscribe()));
        let (addr, task) = serve(server.routes().or(pages(run, desk.clone()))).await;
        let proxy = desk.proxy.get_or_init(|| FaultProxy::start(addr));
        proxy.set(usual);
        let origin = match run.origin {
            Origin::Same => proxy.addr(),
            _ => page_addr,
        };
        Self {
            url: format!(
                "http://{origin}/?server=http://{}/anywire&{}",
                proxy.addr(),
                run.query()
            ),
            journal: desk.journal.clone(),
            tasks: vec![page_task, task],
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// The header that is taken out of the answers.
fn stripped(origin: Origin) -> Option<&'static str> {
    match origin {
        Origin::WithoutHeader { header, .. } => Some(header),
        // What is sent without credentials needs nobody's leave for them.
        Origin::Other { credentials: false } => Some(ALLOW_CREDENTIALS),
        Origin::Same | Origin::Other { credentials: true } | Origin::OutOfReach => None,
    }
}

/// Holds and heartbeats end within the page's idle step, more than once.
fn config(run: &Run, page: SocketAddr, journal: Arc<Journal>) -> Config {
    let limits = Limits::default()
        .hold(Duration::from_secs(1))
        .heartbeat(Duration::from_secs(1))
        .leave_window(Duration::from_secs(1));
    let protocols = app::SUB_PROTOCOL_BYTES.map(app::last_sub_protocol);
    let protocols = protocols
        .into_iter()
        .chain([app::CLOSES.to_owned(), app::ABANDONED.to_owned()]);
    let config = Config::new()
        .limits(limits)
        .protocols(protocols)
        .allow_jsonp();
    let term = run.term();
    let config = config.authorize(move |visitor| {
        journal.note(|record| note_visitor(record, &visitor));
        let grant = Grant::to("a browser");
        let said = visitor.credential.as_ref().map(Credential::as_str);
        let granted = match said == Some(app::CREDENTIALS[0]) {
            true => grant.lasting(term),
            false => grant,
        };
        async { Ok(granted) }
    });
    match run.origin {
        Origin::Same => config,
        _ => config.allow_origin(format!("http://{page}")),
    }
}

fn note_visitor(record: &mut Record, visitor: &Visitor) {
    let said = visitor.credential.as_ref().map(Credential::as_str);
    if let Some(said) = said
        && record.credentials.last().is_none_or(|last| last != said)
    {
        record.credentials.push(said.to_owned());
    }
    // A credential that comes on its own comes with no request.
    if visitor.asks != Asks::Renew || said.is_none() {
        *(if visitor.headers.contains_key(COOKIE) {
            &mut record.with_cookies
        } else {
            &mut record.without_cookies
        }) += 1;
    }
}

async fn serve<F, R>(routes: F) -> (SocketAddr, JoinHandle<()>)
where
    F: Filter<Extract = (R,), Error = warp::Rejection> + Clone + Send + Sync + 'static,
    R: Reply,
{
    let serving = anywire::serve(routes)
        .bind(([127, 0, 0, 1], 0))
        .await
        .expect("loopback has a free port");
    (serving.local_addr(), tokio::spawn(serving.run()))
}

/// The page, its scripts, the built client, and the desk.
fn pages(run: &Run, desk: Arc<Desk>) -> BoxedFilter<(warp::reply::Response,)> {
    let build = run.engine.build;
    let files = warp::path::full()
        .and_then(move |path: warp::path::FullPath| async move {
            file(path.as_str(), build).ok_or_else(warp::reject::not_found)
        })
        .boxed();
    // Only a page of another origin has cookies to send or not to send.
    let sets_cookie = run.origin != Origin::Same;
    let loaded = desk.journal.clone();
    let page = warp::path::end().map(move || {
        loaded.note(|record| record.is_loaded = true);
        let page = file("/acceptance.html", build).expect("the page is there");
        if sets_cookie {
            warp::reply::with_header(page, "Set-Cookie", "visit=1; Path=/").into_response()
        } else {
            page
        }
    });
    let orders = warp::path!(String)
        .and(warp::post())
        .and(warp::query::<Number>())
        .and(warp::body::bytes())
        .map(move |order: String, query: Number, body: bytes::Bytes| {
            desk.take(&order, query.number, &String::from_utf8_lossy(&body));
            "done".into_response()
        });
    let pump = warp::path("pump")
        .and(warp::query::<Pump>())
        .then(|pump: Pump| async move {
            tokio::time::sleep(Duration::from_millis(pump.ms.min(50))).await;
            warp::reply().into_response()
        });
    page.or(orders)
        .unify()
        .or(pump)
        .unify()
        .or(files)
        .unify()
        .boxed()
}

#[derive(serde::Deserialize)]
struct Number {
    number: u32,
}

/// An engine that cannot sleep waits for an answer instead.
#[derive(serde::Deserialize)]
struct Pump {
    ms: u64,
}

impl Desk {
    fn take(&self, order: &str, number: u32, body: &str) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if !done.insert(number) {
            return;
        }
        drop(done);
        match order {
            "report" => self.journal.note_report(body),
            "cut" => {
                let proxy = self.proxy.get().expect("the page came after the proxy");
                let count = proxy.kill_connections();
                self.journal.note(|record| record.cut += count);
                self.cut.send_modify(|cuts| *cuts += 1);
            }
            "between" => {
                let proxy = self.proxy.get().expect("the page came after the proxy");
                let refusals = proxy.counts().refusals;
                let before = self.refusals.swap(refusals, Ordering::Relaxed);
                if body.is_empty() {
                    let refused = refusals - before;
                    self.journal.note(|record| record.refused.push(refused));
                }
                let faults = match body {
                    "short" => Faults::of("limit-body=50k"),
                    "words" => Faults::of("refuse-text=<script"),
                    _ => self.usual.clone(),
                };
                proxy.set(faults);
            }
            other => {
                let error = format!("unknown order {other}");
                self.journal.note(|record| record.errors.push(error));
            }
        }
    }
}

/// A file of the page, or a build of the client.
fn file(path: &str, build: &str) -> Option<warp::reply::Response> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (file, kind) = match path {
        "/acceptance.html" | "/frame.html" => {
            (tests.join(format!("browsers/page{path}")), "text/html")
        }
        "/client.js" => (
            tests.join(format!("../crates/anywire-browser/js/dist/{build}.min.js")),
            "application/javascript",
        ),
        "/page.js" | "/samples.js" | "/diagnosis.js" | "/acceptance.js" | "/frame.js" => (
            tests.join(format!("browsers/page{path}")),
            "application/javascript",
        ),
        _ => return None,
    };
    let text = std::fs::read(file).ok()?;
    let kind = format!("{kind}; charset=utf-8");
    Some(warp::reply::with_header(text, "Content-Type", kind).into_response())
}
