//! One server process, as far as its clients can tell: it can be killed, and another started at its address.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anywire::Server;
use tokio::runtime::{Builder, Runtime};
use tokio::task::spawn_blocking;
use warp::filters::BoxedFilter;
use warp::path::FullPath;
use warp::reply::Response;
use warp::{Filter, Reply};

use crate::address;

/// A server with a runtime of its own, in which all of its tasks live; killed when dropped.
#[derive(Debug)]
pub struct Node {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its handle.
    pub server: Server,
    asked: Asked,
    /// Taken when it is killed.
    runtime: Option<Runtime>,
}

impl Node {
    /// Starts what `build` makes, at an address that is kept for it. `page` is served at `/live/page`.
    pub async fn start(page: &'static str, build: impl FnOnce() -> Server) -> Self {
        Self::start_at(address::free(), page, build).await
    }

    /// As `start`, at the address of one that was killed.
    ///
    /// # Panics
    /// Another listens there.
    pub async fn start_at(
        addr: SocketAddr,
        page: &'static str,
        build: impl FnOnce() -> Server,
    ) -> Self {
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let server = {
            // What the server spawns is killed with it.
            let _inside = runtime.enter();
            build()
        };
        let asked = Asked::default();
        let routes = routes(&server, page, asked.clone());
        let serving = async move { anywire::serve(routes).bind(addr).await };
        let bound = runtime
            .spawn(serving)
            .await
            .expect("binding does not panic");
        let bound = bound.unwrap_or_else(|error| panic!("{addr}: {error}"));
        runtime.spawn(bound.run());
        Self {
            addr,
            server,
            asked,
            runtime: Some(runtime),
        }
    }

    /// The addresses of all requests so far: paths with their queries.
    pub fn addresses(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.clone()
    }

    /// Ends all that it does, as the end of a process would, and returns its address, which is free then.
    pub async fn kill(mut self) -> SocketAddr {
        let runtime = self.runtime.take().expect("it is killed once");
        let ending = spawn_blocking(move || runtime.shutdown_timeout(DEADLINE));
        ending.await.expect("the runtime ends");
        self.addr
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn routes(server: &Server, page: &'static str, asked: Asked) -> BoxedFilter<(Response,)> {
    let page = warp::path!("live" / "page").map(move || warp::reply::html(page).into_response());
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let note = warp::path::full()
        .and(query)
        .map(move |path: FullPath, query: String| {
            let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.push(format!("{}?{query}", path.as_str()));
        });
    let routes = page.or(server.routes()).unify();
    note.untuple_one().and(routes).boxed()
}

type Asked = Arc<Mutex<Vec<String>>>;

const DEADLINE: Duration = Duration::from_secs(20);
