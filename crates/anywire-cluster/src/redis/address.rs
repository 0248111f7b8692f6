//! Where the Redis is: read off a URL.

use std::fmt::{self, Debug, Formatter};

use redis::sentinel::{Sentinel, SentinelNodeConnectionInfo};
use redis::{Client, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisError};

/// A URL that names no Redis.
#[derive(Debug, thiserror::Error)]
#[error(
    "{what}; expected redis://, rediss:// or valkey://, as in redis://user:password@host:6379/0, redis+sentinel://host:26379,host:26379/master, or redis+cluster://host:6379,host:6379"
)]
pub struct UrlError {
    what: String,
}

/// Where to connect to.
#[derive(Clone)]
pub(super) enum Address {
    /// One server.
    Single(Client),
    /// Whichever server the sentinels call the master.
    Sentinel {
        sentinels: Vec<String>,
        master: String,
        node: SentinelNodeConnectionInfo,
    },
    /// The servers of a Redis Cluster: those that are asked first who the others are.
    Cluster(Vec<Client>),
}

// A URL may hold a password.
impl Debug for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Single(_) => "Single(…)",
            Self::Sentinel { .. } => "Sentinel(…)",
            Self::Cluster(_) => "Cluster(…)",
        })
    }
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, UrlError> {
        let wrong = |what: &str| UrlError {
            what: what.to_owned(),
        };
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| wrong("a Redis URL without a scheme"))?;
        match scheme {
            "redis" | "rediss" | "valkey" | "valkeys" => {
                let client = Client::open(url).map_err(|error| wrong(&error.to_string()))?;
                Ok(Self::Single(client))
            }
            "redis+sentinel" => {
                let (login, rest) = match rest.rsplit_once('@') {
                    Some((login, rest)) => (Some(login), rest),
                    None => (None, rest),
                };
                let (hosts, path) = rest
                    .split_once('/')
                    .ok_or_else(|| wrong("a sentinel URL without the master's name"))?;
                let (master, database) = path.split_once('/').unwrap_or((path, "0"));
                if master.is_empty() || hosts.is_empty() {
                    return Err(wrong("a sentinel URL without hosts or the master's name"));
                }
                let sentinels = hosts.split(',').map(|host| format!("redis://{host}/"));
                // Only what it says of login and database is used.
                let login = login.map_or(String::new(), |login| format!("{login}@"));
                let info = format!("redis://{login}localhost/{database}").into_connection_info();
                let info = info.map_err(|error| wrong(&error.to_string()))?;
                let node = SentinelNodeConnectionInfo::default()
                    .set_redis_connection_info(info.redis_settings().clone());
                Ok(Self::Sentinel {
                    sentinels: sentinels.collect(),
                    master: master.to_owned(),
                    node,
                })
            }
            "redis+cluster" | "rediss+cluster" => {
                let (login, hosts) = match rest.rsplit_once('@') {
                    Some((login, hosts)) => (format!("{login}@"), hosts),
                    None => (String::new(), rest),
                };
                let scheme = scheme.trim_end_matches("+cluster");
                let hosts = hosts.trim_end_matches('/').split(',');
                let clients = hosts.map(|host| Client::open(format!("{scheme}://{login}{host}/")));
                let clients = clients.collect::<Result<_, _>>();
                Ok(Self::Cluster(
                    clients.map_err(|error| wrong(&error.to_string()))?,
                ))
            }
            scheme => Err(wrong(&format!("a Redis URL with the scheme {scheme}"))),
        }
    }

    /// Whether the answer to [`Address::resolve`] may change.
    pub(super) fn may_move(&self) -> bool {
        matches!(self, Self::Sentinel { .. })
    }

    /// The server that is the one now.
    pub(super) async fn resolve(&self) -> Result<Client, RedisError> {
        match self {
            Self::Single(client) => Ok(client.clone()),
            Self::Cluster(_) => Err(RedisError::from((
                ErrorKind::InvalidClientConfig,
                "each server of a cluster has an address of its own",
            ))),
            Self::Sentinel {
                sentinels,
                master,
                node,
            } => {
                let mut sentinel = Sentinel::build(sentinels.clone())?;
                sentinel.async_master_for(master, Some(node)).await
            }
        }
    }
}

/// Where a client connects to, without what is secret.
pub(super) fn place(client: &Client) -> String {
    client.get_connection_info().addr().to_string()
}

/// A client of another server of the same cluster, at `host:port`, with the same login.
pub(super) fn with_place(client: &Client, place: &str) -> Result<Client, RedisError> {
    let odd = || RedisError::from((ErrorKind::InvalidClientConfig, "a server without a port"));
    let (host, port) = place.rsplit_once(':').ok_or_else(odd)?;
    let (host, port) = (host.to_owned(), port.parse().map_err(|_| odd())?);
    let known = client.get_connection_info();
    let addr = match known.addr() {
        ConnectionAddr::TcpTls {
            insecure,
            tls_params,
            ..
        } => ConnectionAddr::TcpTls {
            host,
            port,
            insecure: *insecure,
            tls_params: tls_params.clone(),
        },
        _ => ConnectionAddr::Tcp(host, port),
    };
    Client::open(known.clone().set_addr(addr))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_redis_or_say_what_is_wrong() {
        for url in [
            "redis://127.0.0.1:6379",
            "rediss://user:secret@redis.example:6380/2",
            "redis+sentinel://:secret@one:26379,two:26379/mymaster/1",
            "redis+cluster://:secret@one:6379,two:6379",
            "rediss+cluster://user:secret@one:6379/",
        ] {
            let address = Address::parse(url).unwrap();
            assert!(!format!("{address:?}").contains("secret"));
        }
        for (url, what) in [
            ("localhost:6379", "a Redis URL without a scheme"),
            ("redis+cluster://", ""),
            ("http://localhost", "a Redis URL with the scheme http"),
            (
                "redis+sentinel://one:26379",
                "a sentinel URL without the master's name",
            ),
            (
                "redis+sentinel://one:26379/",
                "a sentinel URL without hosts",
            ),
        ] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(
                error.starts_with(what) && error.contains("expected redis://"),
                "{error}"
            );
        }
    }
}
