//! The PROXY protocol, versions 1 and 2: a balancer that passes bytes on says first whose they are. The crate `proxy-header`
//! parses the header; this file reads exactly its bytes, and none of the client's.

use std::io;
use std::net::SocketAddr;

use proxy_header::{ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::visitor::Scheme;

/// What a header says of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) peer: SocketAddr,
    /// `https` where the balancer ended TLS.
    pub(super) scheme: Option<Scheme>,
}

/// Reads the header that the balancer sends first. `None` if the connection is the balancer's own, for a check of health.
///
/// # Errors
/// The connection ended, or began with something else.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<Named>> {
    let mut header = vec![0; SHORTEST];
    stream.read_exact(&mut header).await?;
    if header.starts_with(b"PROXY ") {
        while header.last() != Some(&b'\n') {
            if header.len() == LONGEST_LINE {
                return Err(io::ErrorKind::InvalidData.into());
            }
            header.push(stream.read_u8().await?);
        }
    } else if header.starts_with(SIGNATURE) {
        let at = header.len();
        header.resize(FIXED, 0);
        stream.read_exact(&mut header[at..]).await?;
        let length = usize::from(u16::from_be_bytes([header[FIXED - 2], header[FIXED - 1]]));
        if length > LONGEST_REST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        header.resize(FIXED + length, 0);
        stream.read_exact(&mut header[FIXED..]).await?;
    }
    let invalid = |_| io::Error::from(io::ErrorKind::InvalidData);
    let (header, _) = ProxyHeader::parse(&header, ParseConfig::default()).map_err(invalid)?;
    let is_tls = header.ssl().is_some_and(|tls| tls.client_ssl());
    Ok(header.proxied_address().map(|address| Named {
        peer: address.source,
        scheme: is_tls.then_some(Scheme::Https),
    }))
}

/// How version 2 begins.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// 15 bytes, `PROXY UNKNOWN\r\n`: no header of either version is shorter.
const SHORTEST: usize = 15;
/// 107 bytes: the longest line of version 1.
const LONGEST_LINE: usize = 107;
/// 16 bytes: what each header of version 2 begins with. Its last two are the length of the rest.
const FIXED: usize = 16;
/// 4,096 bytes: more than any balancer says beside addresses.
const LONGEST_REST: usize = 4_096;

#[cfg(test)]
mod tests {
    use proxy_header::{ProxiedAddress, SslInfo, Tlv};
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// What is read of these bytes, and whether the client's begin right behind.
    async fn read_all(bytes: &[u8]) -> io::Result<Option<Named>> {
        let (mut near, mut far) = tokio::io::duplex(8_192);
        far.write_all(bytes).await?;
        far.write_all(b"GET /").await?;
        drop(far);
        let named = read(&mut near).await?;
        let mut rest = Vec::new();
        near.read_to_end(&mut rest).await?;
        assert_eq!(rest, b"GET /");
        Ok(named)
    }

    fn named(peer: &str, scheme: Option<Scheme>) -> Option<Named> {
        let peer = peer.parse().expect("an address");
        Some(Named { peer, scheme })
    }

    #[tokio::test]
    async fn both_versions_name_the_client() {
        let line = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";
        assert_eq!(
            read_all(line).await.unwrap(),
            named("192.0.2.1:56324", None)
        );
        let line = b"PROXY TCP6 2001:db8::1 2001:db8::2 9 443\r\n";
        assert_eq!(
            read_all(line).await.unwrap(),
            named("[2001:db8::1]:9", None)
        );
        assert_eq!(read_all(b"PROXY UNKNOWN\r\n").await.unwrap(), None);
        for (from, to) in [
            ("192.0.2.1:1", "192.0.2.2:2"),
            ("[2001:db8::1]:1", "[2001:db8::2]:2"),
        ] {
            let address = ProxiedAddress::stream(from.parse().unwrap(), to.parse().unwrap());
            let mut header = ProxyHeader::with_address(address);
            for scheme in [None, Some(Scheme::Https)] {
                let mut bytes = Vec::new();
                header.encode_v2(&mut bytes).unwrap();
                assert_eq!(read_all(&bytes).await.unwrap(), named(from, scheme));
                header.append_tlv(Tlv::Ssl(SslInfo::new(true, false, false, 0)));
            }
        }
        let mut local = Vec::new();
        ProxyHeader::with_local().encode_v2(&mut local).unwrap();
        assert_eq!(read_all(&local).await.unwrap(), None);
    }

    #[tokio::test]
    async fn anything_else_is_an_error() {
        let endless = [&b"PROXY TCP4 "[..], &[b'1'; 200]].concat();
        let long = [SIGNATURE, b"\x21\x11\xff\xff"].concat();
        for bytes in [
            &b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"[..],
            b"PROXY TCP4 192.0.2.1\r\n",
            b"PROXY TCP4 192.0.2.999 192.0.2.2 1 2\r\n",
            b"PROXY",
            &endless,
            &long,
        ] {
            assert!(
                read_all(bytes).await.is_err(),
                "{:?}",
                String::from_utf8_lossy(bytes)
            );
        }
    }
}
