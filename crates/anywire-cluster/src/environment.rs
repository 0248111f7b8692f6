//! The settings of a cluster as environment variables.

use std::net::SocketAddr;

use crate::cluster::Cluster;
use crate::key::{ClusterKey, KeyError};
use crate::redis::UrlError;

/// Why the environment names no cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// There is no such variable.
    #[error("the environment variable {0} is not set: {1}")]
    Missing(&'static str, &'static str),
    /// The variable's value is none that it may have. The value itself may be secret.
    #[error("the environment variable {0} cannot be used: {1}")]
    Wrong(&'static str, String),
}

const REDIS_URL: &str = "ANYWIRE_REDIS_URL";
const KEY: &str = "ANYWIRE_CLUSTER_KEY";
const PREVIOUS_KEY: &str = "ANYWIRE_CLUSTER_PREVIOUS_KEY";
const LISTEN: &str = "ANYWIRE_CLUSTER_LISTEN";
const ADVERTISE: &str = "ANYWIRE_CLUSTER_ADVERTISE";
const PREFIX: &str = "ANYWIRE_CLUSTER_PREFIX";

impl Cluster {
    /// The cluster that environment variables name: `ANYWIRE_REDIS_URL` as for [`Cluster::redis`] and `ANYWIRE_CLUSTER_KEY`, which must be set;
    /// `ANYWIRE_CLUSTER_PREVIOUS_KEY`, `ANYWIRE_CLUSTER_LISTEN`, `ANYWIRE_CLUSTER_ADVERTISE` and `ANYWIRE_CLUSTER_PREFIX` as the methods of
    /// these names, which may be.
    ///
    /// # Errors
    /// A variable that must be set is not, or one has a value that it may not have; the error names it.
    pub fn from_environment() -> Result<Self, EnvironmentError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(
        variable: impl Fn(&'static str) -> Option<String>,
    ) -> Result<Self, EnvironmentError> {
        let needed = |name, what| variable(name).ok_or(EnvironmentError::Missing(name, what));
        let key = |name, text| {
            let wrong = |error: KeyError| EnvironmentError::Wrong(name, error.to_string());
            ClusterKey::new(text).map_err(wrong)
        };
        let address = |name| {
            let parse = |text: String| text.parse::<SocketAddr>();
            let wrong = "it is no address with a port, as 10.0.0.7:7400";
            let wrong = |_| EnvironmentError::Wrong(name, wrong.to_owned());
            variable(name).map(parse).transpose().map_err(wrong)
        };
        let url = needed(REDIS_URL, "give it the URL of the nodes' Redis")?;
        let own = needed(
            KEY,
            "make one with `openssl rand -hex 32`, the same for all nodes",
        )?;
        let wrong = |error: UrlError| EnvironmentError::Wrong(REDIS_URL, error.to_string());
        let mut cluster = Self::redis(&url, key(KEY, own)?).map_err(wrong)?;
        if let Some(previous) = variable(PREVIOUS_KEY) {
            cluster = cluster.previous_key(key(PREVIOUS_KEY, previous)?);
        }
        if let Some(at) = address(LISTEN)? {
            cluster = cluster.listen(at);
        }
        if let Some(at) = address(ADVERTISE)? {
            cluster = cluster.advertise(at);
        }
        if let Some(prefix) = variable(PREFIX) {
            cluster = cluster.prefix(&prefix);
        }
        Ok(cluster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(set: &[(&str, &str)]) -> Result<Cluster, EnvironmentError> {
        Cluster::from_variables(|name| {
            let (_, value) = set.iter().find(|(set, _)| *set == name)?;
            Some((*value).to_owned())
        })
    }

    const LONG: &str = "a key that has thirty-two bytes, or more";
    const OTHER: &str = "another key of thirty-two bytes, or more";

    #[test]
    fn all_settings_have_a_variable() {
        let whole = cluster(&[
            (REDIS_URL, "redis://127.0.0.1:6379"),
            (KEY, LONG),
            (PREVIOUS_KEY, OTHER),
            (LISTEN, "0.0.0.0:7400"),
            (ADVERTISE, "10.0.0.7:7400"),
            (PREFIX, "other"),
        ]);
        let said = format!("{:?}", whole.expect("it is whole"));
        for part in ["0.0.0.0:7400", "10.0.0.7:7400", "\"other\""] {
            assert!(said.contains(part), "{said}");
        }
        assert!(!said.contains("thirty-two"), "keys are not shown: {said}");
        let least = cluster(&[(REDIS_URL, "redis://127.0.0.1"), (KEY, LONG)]);
        assert!(least.is_ok(), "the rest has defaults: {least:?}");
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_shown() {
        let url = (REDIS_URL, "redis://127.0.0.1");
        for (set, said) in [
            (vec![], "ANYWIRE_REDIS_URL is not set"),
            (
                vec![url],
                "ANYWIRE_CLUSTER_KEY is not set: make one with `openssl rand -hex 32`",
            ),
            (
                vec![url, (KEY, "short")],
                "ANYWIRE_CLUSTER_KEY cannot be used: ",
            ),
            (
                vec![url, (KEY, LONG), (PREVIOUS_KEY, "short")],
                "ANYWIRE_CLUSTER_PREVIOUS_KEY cannot",
            ),
            (
                vec![url, (KEY, LONG), (LISTEN, "7400")],
                "ANYWIRE_CLUSTER_LISTEN cannot be used: it is no address",
            ),
            (
                vec![url, (KEY, LONG), (ADVERTISE, "here")],
                "ANYWIRE_CLUSTER_ADVERTISE cannot",
            ),
            (
                vec![(REDIS_URL, "http://x"), (KEY, LONG)],
                "ANYWIRE_REDIS_URL cannot be used: ",
            ),
        ] {
            let error = cluster(&set).expect_err("it is wrong").to_string();
            assert!(error.contains(said), "{error}");
            assert!(!error.contains("short"), "{error}");
        }
    }
}
