//! One connection to the Redis that is the master, for all calls: made again when it breaks, and left when another becomes the
//! master.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::address::{Address, place};
use super::scripts::Scripts;
use crate::store::{StoreError, StoreId};

/// 2 s: a Redis that takes longer is as good as away.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// From 50 ms to 2 s between two attempts to connect.
pub(super) const RETRY: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(2)];

/// 5 s: how often the sentinels are asked who is the master.
const ASK_SENTINELS_EVERY: Duration = Duration::from_secs(5);

/// How the connection is.
#[derive(Clone, Debug)]
enum State {
    Up(Current),
    Down(Arc<str>),
}

/// A connection that works, as far as is known.
#[derive(Clone, Debug)]
pub(super) struct Current {
    pub(super) connection: MultiplexedConnection,
    /// Which store it leads to, for as long as it leads anywhere.
    pub(super) store: StoreId,
    /// Tells one connection from the next.
    pub(super) life: u64,
}

/// The connection, as calls use it.
#[derive(Debug)]
pub(super) struct Supervisor {
    state: Mutex<State>,
    last_store: Mutex<Option<StoreId>>,
    broken: Notify,
    /// The server that is connected to; others follow it.
    server: watch::Sender<Option<Client>>,
}

impl Supervisor {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State::Down("not connected yet".into())),
            last_store: Mutex::new(None),
            broken: Notify::new(),
            server: watch::Sender::new(None),
        }
    }

    /// The server that is connected to, as it changes.
    pub(super) fn server(&self) -> watch::Receiver<Option<Client>> {
        self.server.subscribe()
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(&*self.lock(), State::Up(_))
    }

    /// Why there is no connection, if there is none.
    pub(super) fn trouble(&self) -> Option<String> {
        match &*self.lock() {
            State::Up(_) => None,
            State::Down(why) => Some(why.to_string()),
        }
    }

    /// The connection, if there is one.
    pub(super) fn current(&self) -> Result<Current, StoreError> {
        match &*self.lock() {
            State::Up(current) => Ok(current.clone()),
            State::Down(why) => Err(StoreError::Away(why.to_string())),
        }
    }

    /// The store that the last connection led to; nothing if there has been none.
    pub(super) fn last_store(&self) -> Option<StoreId> {
        *self
            .last_store
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A call on a connection has failed: the connection is left, if that is why.
    pub(super) fn failed(&self, life: u64, error: &RedisError) -> StoreError {
        if !is_of_the_connection(error) {
            return StoreError::Refused(error.to_string());
        }
        let mut state = self.lock();
        if matches!(&*state, State::Up(current) if current.life == life) {
            *state = State::Down(error.to_string().into());
            self.broken.notify_one();
        }
        StoreError::Away(error.to_string())
    }

    /// Connects again and again, until it is dropped.
    pub(super) async fn keep(&self, address: &Address, scripts: &Scripts) {
        let [first, last] = RETRY;
        let (mut wait, mut life, mut said) = (first, 0, String::new());
        loop {
            let connecting = timeout(ANSWER_WITHIN * 2, connect(address, scripts));
            let why = match connecting.await {
                Ok(Ok((client, connection, store))) => {
                    info!(server = place(&client), "connected to Redis");
                    (wait, life) = (first, life + 1);
                    said.clear();
                    *self
                        .last_store
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner) = Some(store);
                    *self.lock() = State::Up(Current {
                        connection,
                        store,
                        life,
                    });
                    self.server.send_replace(Some(client.clone()));
                    self.watch(address, &client).await;
                    let why = match &*self.lock() {
                        State::Up(_) => "another server is the master now".into(),
                        State::Down(why) => why.clone(),
                    };
                    warn!(server = place(&client), %why, "left a Redis");
                    why.to_string()
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer in time".to_owned(),
            };
            if said != why {
                warn!(%why, "no Redis to use");
                said.clone_from(&why);
            }
            *self.lock() = State::Down(why.into());
            sleep(wait.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            wait = (wait * 2).min(last);
        }
    }

    /// Returns when the connection has broken, or leads to a server that is no master any more.
    async fn watch(&self, address: &Address, client: &Client) {
        let broken = self.broken.notified();
        if !address.may_move() {
            return broken.await;
        }
        let moved = async {
            loop {
                sleep(ASK_SENTINELS_EVERY).await;
                let found = timeout(ANSWER_WITHIN, address.resolve()).await;
                if matches!(&found, Ok(Ok(found)) if place(found) != place(client)) {
                    return;
                }
            }
        };
        tokio::select! {
            () = broken => {}
            () = moved => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long every connection waits for its server.
pub(super) fn patience() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(ANSWER_WITHIN))
        .set_response_timeout(Some(ANSWER_WITHIN))
}

/// Connects to the master, and sees whether it can be used.
async fn connect(
    address: &Address,
    scripts: &Scripts,
) -> RedisResult<(Client, MultiplexedConnection, StoreId)> {
    let client = address.resolve().await?;
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&patience())
        .await?;
    let unusable = |what: &'static str| RedisError::from((ErrorKind::InvalidClientConfig, what));
    let info: String = redis::cmd("INFO").query_async(&mut connection).await?;
    let value = |name: &str| {
        info.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    if value("role") != Some("master") {
        return Err(unusable(
            "the server is a replica: name its master, or the sentinels",
        ));
    }
    let is_bounded = value("maxmemory").is_some_and(|bytes| bytes != "0");
    if is_bounded && value("maxmemory_policy") != Some("noeviction") {
        let text =
            "the server evicts keys when its memory is full: set maxmemory-policy to noeviction";
        return Err(unusable(text));
    }
    scripts.load(&mut connection).await?;
    let identify = scripts.identify.prepare_invoke();
    let store: String = identify.invoke_async(&mut connection).await?;
    let store =
        u64::from_str_radix(&store, 16).map_err(|_| unusable("the server names itself oddly"))?;
    Ok((client, connection, StoreId(store.to_be_bytes())))
}

/// Whether an error says that the connection, or the server at its end, cannot be used any more.
pub(super) fn is_of_the_connection(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_timeout()
        || error.is_unrecoverable_error()
        || matches!(
            error.kind(),
            ErrorKind::Server(
                ServerErrorKind::ReadOnly
                    | ServerErrorKind::BusyLoading
                    | ServerErrorKind::MasterDown
            )
        )
}
