//! Lists of networks: which peers are proxies that an app trusts.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// A list of networks, such as those of the proxies in front of a server.
///
/// ```
/// use anywire::Networks;
///
/// let proxies: Networks = "10.0.0.0/8, 192.0.2.7, fd00::/8".parse()?;
/// assert!(proxies.contains("10.1.2.3".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

/// A text that is no list of networks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an address nor a network: write `192.0.2.7` or `10.0.0.0/8`")]
pub struct NetworksError(String);

impl Networks {
    /// Whether an address lies in one of the networks. An IPv4 address counts as itself also where IPv6 carries it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for Networks {
    type Err = NetworksError;

    /// Reads addresses and networks with commas between them.
    fn from_str(text: &str) -> Result<Self, NetworksError> {
        let words = text
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty());
        let read = |word: &str| {
            let network = word.parse::<IpNet>().ok();
            network
                .or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from))
                .ok_or_else(|| NetworksError(word.to_owned()))
        };
        words.map(read).collect::<Result<_, _>>().map(Self)
    }
}

/// Whether an address is of this machine or of a network that the internet does not reach.
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            // 100.64.0.0/10 lies between a provider and its customers (RFC 6598).
            let is_shared = matches!(address.octets(), [100, 64..=127, ..]);
            address.is_loopback() || address.is_private() || address.is_link_local() || is_shared
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_list_holds_addresses_and_networks_of_both_kinds() {
        let list: Networks = " 10.0.0.0/8 ,192.0.2.7,, fd00::/8 "
            .parse()
            .expect("a list");
        for inside in ["10.255.0.1", "192.0.2.7", "fd12::1", "::ffff:10.0.0.1"] {
            assert!(list.contains(ip(inside)), "{inside}");
        }
        for outside in ["11.0.0.1", "192.0.2.8", "fe80::1", "::ffff:11.0.0.1"] {
            assert!(!list.contains(ip(outside)), "{outside}");
        }
        assert_eq!("".parse(), Ok(Networks::default()));
        let error = "10.0.0.0/8, proxy".parse::<Networks>().expect_err("a name");
        let text = "`proxy` is neither an address nor a network: write `192.0.2.7` or `10.0.0.0/8`";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn private_addresses_are_those_that_proxies_have() {
        for inside in [
            "127.8.9.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.0.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(is_private(ip(inside)), "{inside}");
        }
        for outside in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1"] {
            assert!(!is_private(ip(outside)), "{outside}");
        }
    }
}
