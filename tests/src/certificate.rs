//! A self-signed certificate with its key, in files as a server reads them.

use std::path::PathBuf;

use rcgen::CertifiedKey;
use rustls::pki_types::CertificateDer;

use crate::directory::Directory;

/// A pair of files in a directory of its own, removed when dropped.
#[derive(Debug)]
pub struct Certificate {
    directory: Directory,
    der: CertificateDer<'static>,
}

impl Certificate {
    /// One for these names and addresses.
    ///
    /// # Panics
    /// There is no room for the files.
    pub fn of(names: &[&str]) -> Self {
        let directory = Directory::fresh("certificate").expect("there is room for a directory");
        let der = write(&directory, names);
        Self { directory, der }
    }

    /// Replaces both files, as a renewal does.
    ///
    /// # Panics
    /// There is no room for the files.
    pub fn renew(&mut self, names: &[&str]) {
        self.der = write(&self.directory, names);
    }

    /// The file with the certificate.
    pub fn chain(&self) -> PathBuf {
        self.directory.file(CHAIN)
    }

    /// The file with the key.
    pub fn key(&self) -> PathBuf {
        self.directory.file(KEY)
    }

    /// What a client shows that trusts this certificate and no other.
    ///
    /// # Panics
    /// Never: the certificate is one.
    pub fn roots(&self) -> rustls::RootCertStore {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.der.clone()).expect("a certificate");
        roots
    }

    /// The certificate's bytes.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }
}

fn write(directory: &Directory, names: &[&str]) -> CertificateDer<'static> {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let made =
        rcgen::generate_simple_self_signed(names).expect("names that a certificate can have");
    let CertifiedKey { cert, signing_key } = made;
    for (file, text) in [(CHAIN, cert.pem()), (KEY, signing_key.serialize_pem())] {
        std::fs::write(directory.file(file), text).expect("there is room for a file");
    }
    cert.der().clone()
}

const CHAIN: &str = "chain.pem";
const KEY: &str = "key.pem";
