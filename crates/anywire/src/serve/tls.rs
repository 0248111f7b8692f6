//! TLS in the server loop: certificates from files, one for each name, read again when the files change. TLS itself is
//! rustls's.

use std::fmt::{self, Debug, Formatter};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime};
use std::{io, mem};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{Accepted, Acceptor, ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;
use tokio_rustls::StartHandshake;
use tokio_rustls::server::TlsStream;
use tracing::{info, warn};

/// The certificates of a server. Clones share them.
///
/// TLS 1.2 and 1.3 are spoken, and HTTP/1.1 over them. The files are in PEM: a chain that begins with the server's
/// certificate, and its key. They are looked at when a client connects, at most once a second, and read again when they have
/// changed; connections go on with what they began with.
///
/// ```no_run
/// use anywire::Tls;
///
/// # async fn example(server: anywire::Server) -> Result<(), Box<dyn std::error::Error>> {
/// let tls = Tls::new("app.pem", "app.key")?.and("api.example", "api.pem", "api.key")?;
/// anywire::serve(server.routes()).tls_with(tls).run(([0, 0, 0, 0], 443)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tls {
    certificates: Arc<Certificates>,
    config: Arc<ServerConfig>,
}

/// Certificate files that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or has nothing of what it is to have.
    #[error("`{file}` holds no {what} in PEM that can be read: {source}")]
    File {
        /// The file.
        file: PathBuf,
        /// What it is to hold.
        what: &'static str,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// A chain without a certificate.
    #[error("`{0}` holds no certificate: write the server's own first, then those that signed it")]
    Empty(PathBuf),
    /// The key is not the certificate's, or of a kind that is not known.
    #[error("the key `{key}` does not go with the certificate `{certificate}`: {source}")]
    Mismatch {
        /// The chain's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// A name that no client asks for.
    #[error("`{0}` is no name of a server: write it as in the address, without scheme and port")]
    Name(String),
}

impl Tls {
    /// TLS with one certificate, for clients that ask for any name, or none.
    ///
    /// # Errors
    /// The files cannot be read, or do not go together.
    pub fn new(certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsError> {
        let first = Entry::load(None, certificate.as_ref(), key.as_ref())?;
        let certificates = Arc::new(Certificates {
            entries: RwLock::new(vec![first]),
            looked: Mutex::new(Instant::now()),
        });
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider has cipher suites for TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(certificates.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            certificates,
            config: Arc::new(config),
        })
    }

    /// One more certificate, for clients that ask for this name (SNI).
    ///
    /// # Errors
    /// The files cannot be read or do not go together, or the name is none.
    pub fn and(
        self,
        name: &str,
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        let is_name = rustls::pki_types::DnsName::try_from(name).is_ok();
        if !is_name {
            return Err(TlsError::Name(name.to_owned()));
        }
        let entry = Entry::load(Some(name), certificate.as_ref(), key.as_ref())?;
        self.certificates.write().push(entry);
        Ok(self)
    }

    /// Reads all files again, whether or not they look changed.
    ///
    /// # Errors
    /// A file cannot be used. All certificates stay as they were.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.certificates.reload(|_| true)
    }

    /// Waits for a client's handshake. To a client that speaks HTTP without TLS it answers 400.
    pub(super) async fn accept<S>(&self, mut stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.certificates.look();
        let started = StartHandshake::from_parts(hello(&mut stream).await?, stream);
        started.into_stream(self.config.clone()).await
    }
}

/// Reads what a client says first.
async fn hello<S>(stream: &mut S) -> io::Result<Accepted>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut acceptor = Acceptor::default();
    let mut is_first = true;
    let mut buffer = [0; 1_024];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if mem::take(&mut is_first) && buffer[0] != HANDSHAKE {
            stream.write_all(PLAIN_ANSWER).await?;
            stream.shutdown().await?;
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            acceptor.read_tls(&mut rest)?;
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => return Ok(accepted),
            Ok(None) => {}
            Err((error, mut alert)) => {
                let mut bytes = Vec::new();
                alert.write(&mut bytes)?;
                stream.write_all(&bytes).await?;
                return Err(io::Error::other(error));
            }
        }
    }
}

/// The first byte of a client that speaks TLS.
const HANDSHAKE: u8 = 22;

impl Debug for Tls {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

const PLAIN_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\
    Content-Type: text/plain\r\nContent-Length: 67\r\n\r\n\
    This port speaks TLS: use an address that begins https:// or wss://";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The certificates and the files that they come from.
struct Certificates {
    /// The first one is for clients that ask for no name of the others.
    entries: RwLock<Vec<Entry>>,
    /// When the files were looked at last.
    looked: Mutex<Instant>,
}

struct Entry {
    name: Option<String>,
    certificate: PathBuf,
    key: PathBuf,
    changed: Changed,
    certified: Arc<CertifiedKey>,
}

/// When the two files changed last, and how long they are.
type Changed = [Option<(SystemTime, u64)>; 2];

impl Entry {
    fn load(name: Option<&str>, certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        // Before they are read: what changes meanwhile is read again.
        let changed = changed(certificate, key);
        Ok(Self {
            name: name.map(str::to_ascii_lowercase),
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            changed,
            certified: Arc::new(certified(certificate, key)?),
        })
    }
}

fn certified(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let unreadable = |file: &Path, what| {
        let file = file.to_owned();
        move |source| TlsError::File { file, what, source }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable(certificate, "certificate"))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(certificate.to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(unreadable(key, "private key"))?;
    let mismatch = |source| TlsError::Mismatch {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    };
    CertifiedKey::from_der(chain, secret, &provider()).map_err(mismatch)
}

fn changed(certificate: &Path, key: &Path) -> Changed {
    [certificate, key].map(|file| {
        let about = file.metadata().ok()?;
        Some((about.modified().ok()?, about.len()))
    })
}

impl Certificates {
    /// Reads what has changed since it was read, unless the files were looked at just now.
    fn look(&self) {
        let mut looked = self.looked();
        if looked.elapsed() < LOOK_EVERY {
            return;
        }
        *looked = Instant::now();
        drop(looked);
        let has_changed = |entry: &Entry| entry.changed != changed(&entry.certificate, &entry.key);
        if let Err(error) = self.reload(has_changed) {
            warn!(%error, "the new certificate files cannot be used: the old certificates stay");
        }
    }

    fn reload(&self, must: impl Fn(&Entry) -> bool) -> Result<(), TlsError> {
        let read =
            |entry: &Entry| Entry::load(entry.name.as_deref(), &entry.certificate, &entry.key);
        let mut fresh = Vec::new();
        for (index, entry) in self.read().iter().enumerate() {
            if must(entry) {
                fresh.push((index, read(entry)?));
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        let mut entries = self.write();
        for (index, entry) in fresh {
            info!(certificate = %entry.certificate.display(), "certificate read again");
            entries[index] = entry;
        }
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<Entry>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn looked(&self) -> MutexGuard<'_, Instant> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name();
        let entries = self.read();
        let named = entries
            .iter()
            .find(|entry| asked.is_some() && entry.name.as_deref() == asked);
        let entry = named.or_else(|| entries.first())?;
        Some(entry.certified.clone())
    }
}

impl Debug for Certificates {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}
