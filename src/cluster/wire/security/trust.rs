//! TLS as properties ask for it: whom to trust, who the client is, and how it encrypts.

use std::path::Path;

use openssl::error::ErrorStack;
use openssl::pkcs12::{ParsedPkcs12_2, Pkcs12};
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslConnector, SslConnectorBuilder, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;

use super::{Given, SecurityError, refused};
use crate::kafka::is_understood_tls;

/// What an encrypted key says of itself in either of its formats: `BEGIN ENCRYPTED PRIVATE KEY`, `Proc-Type: 4,ENCRYPTED`.
const ENCRYPTED: &[u8] = b"ENCRYPTED";

/// TLS with its trust and, where the broker wants it, the client's own certificate.
pub struct Tls {
    pub(super) connector: SslConnector,
    pub(super) names: Names,
}

/// Whether the certificate has to be that of the host that was asked for (`ssl.endpoint.identification.algorithm`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    Checked,
    Ignored,
}

impl Given<'_> {
    pub(super) fn tls(&self) -> Result<Tls, SecurityError> {
        // A witness that passed over a property would connect otherwise than the clients do.
        if let Some(name) = self.0.keys().find(|name| name.starts_with("ssl.") && !is_understood_tls(name)) {
            return Err(refused(name, "is not understood by wiber-chaos's own connections: leave it out"));
        }
        let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(failed("security.protocol"))?;
        builder.set_verify(self.verification()?);
        self.set_encryption(&mut builder)?;
        self.set_authorities(&mut builder)?;
        self.set_identity(&mut builder)?;
        let names = match self.one_of(&["ssl.endpoint.identification.algorithm"]) {
            Some(algorithm) if algorithm.trim().eq_ignore_ascii_case("none") => Names::Ignored,
            _ => Names::Checked,
        };
        Ok(Tls { connector: builder.build(), names })
    }

    /// In the spellings that librdkafka takes for a boolean.
    fn verification(&self) -> Result<SslVerifyMode, SecurityError> {
        let property = "enable.ssl.certificate.verification";
        let value = self.one_of(&[property]).map_or_else(|| "true".to_owned(), str::to_lowercase);
        match value.as_str() {
            "true" | "t" | "1" => Ok(SslVerifyMode::PEER),
            "false" | "f" | "0" => Ok(SslVerifyMode::NONE),
            other => Err(refused(property, format!("cannot be {other}: write true or false"))),
        }
    }

    fn set_encryption(&self, builder: &mut SslConnectorBuilder) -> Result<(), SecurityError> {
        if let Some(list) = self.one_of(&["ssl.cipher.suites"]) {
            builder.set_cipher_list(list).map_err(failed("ssl.cipher.suites"))?;
        }
        if let Some(list) = self.one_of(&["ssl.curves.list"]) {
            builder.set_groups_list(list).map_err(failed("ssl.curves.list"))?;
        }
        if let Some(list) = self.one_of(&["ssl.sigalgs.list"]) {
            builder.set_sigalgs_list(list).map_err(failed("ssl.sigalgs.list"))?;
        }
        Ok(())
    }

    /// Whom to trust: those of the file or directory and those of the PEM text together, else those that OpenSSL trusts by
    /// itself.
    fn set_authorities(&self, builder: &mut SslConnectorBuilder) -> Result<(), SecurityError> {
        let mut certificates = Vec::new();
        if let Some(location) = self.one_of(&["ssl.ca.location"]).filter(|location| *location != "probe") {
            for file in files_at(location)? {
                certificates.extend(authorities("ssl.ca.location", &read("ssl.ca.location", &file)?)?);
            }
            if certificates.is_empty() {
                return Err(refused("ssl.ca.location", format!("names {location}, which holds no certificate")));
            }
        }
        if let Some(pem) = self.one_of(&["ssl.ca.pem"]) {
            let inline = authorities("ssl.ca.pem", pem.as_bytes())?;
            if inline.is_empty() {
                return Err(refused("ssl.ca.pem", "holds no certificate"));
            }
            certificates.extend(inline.into_iter().map(|(_, certificate)| ("ssl.ca.pem", certificate)));
        }
        if certificates.is_empty() {
            return Ok(());
        }
        let mut store = X509StoreBuilder::new().map_err(failed("security.protocol"))?;
        for (property, certificate) in certificates {
            store.add_cert(certificate).map_err(failed(property))?;
        }
        builder.set_cert_store(store.build());
        Ok(())
    }

    /// Who the client is, where it has a certificate.
    fn set_identity(&self, builder: &mut SslConnectorBuilder) -> Result<(), SecurityError> {
        if let Some(keystore) = self.keystore()? {
            let failed = || failed("ssl.keystore.location");
            if let Some(certificate) = &keystore.cert {
                builder.set_certificate(certificate).map_err(failed())?;
            }
            if let Some(key) = &keystore.pkey {
                builder.set_private_key(key).map_err(failed())?;
            }
            for certificate in keystore.ca.into_iter().flatten() {
                builder.add_extra_chain_cert(certificate).map_err(failed())?;
            }
        }
        if let Some((property, pem)) = self.pem("ssl.certificate.pem", "ssl.certificate.location")? {
            let mut chain = X509::stack_from_pem(&pem).map_err(failed(property))?.into_iter();
            if let Some(certificate) = chain.next() {
                builder.set_certificate(&certificate).map_err(failed(property))?;
            }
            for certificate in chain {
                builder.add_extra_chain_cert(certificate).map_err(failed(property))?;
            }
        }
        if let Some((property, pem)) = self.pem("ssl.key.pem", "ssl.key.location")? {
            let key = private_key(property, &pem, self.one_of(&["ssl.key.password"]))?;
            builder.set_private_key(&key).map_err(failed(property))?;
        }
        Ok(())
    }

    fn keystore(&self) -> Result<Option<ParsedPkcs12_2>, SecurityError> {
        let property = "ssl.keystore.location";
        let Some(location) = self.one_of(&[property]) else { return Ok(None) };
        let password = self.one_of(&["ssl.keystore.password"]).unwrap_or_default();
        let parsed = Pkcs12::from_der(&read(property, location)?).and_then(|store| store.parse2(password));
        parsed.map(Some).map_err(failed(property))
    }

    /// What stands in a property itself, or in the file that another one names.
    fn pem(
        &self,
        inline: &'static str,
        location: &'static str,
    ) -> Result<Option<(&'static str, Vec<u8>)>, SecurityError> {
        if let Some(pem) = self.one_of(&[inline]) {
            return Ok(Some((inline, pem.as_bytes().to_vec())));
        }
        self.one_of(&[location]).map(|path| Ok((location, read(location, path)?))).transpose()
    }
}

fn failed(property: &'static str) -> impl Fn(ErrorStack) -> SecurityError {
    move |source| SecurityError::OpenSsl { property, source }
}

/// The certificates of a PEM text; none where it is no PEM.
fn authorities(property: &'static str, pem: &[u8]) -> Result<Vec<(&'static str, X509)>, SecurityError> {
    let found = X509::stack_from_pem(pem).map_err(failed(property))?;
    Ok(found.into_iter().map(|certificate| (property, certificate)).collect())
}

/// Without a password OpenSSL would ask for one at the terminal, in the middle of whatever is going on there; so it always
/// gets one, if only an empty one.
fn private_key(property: &'static str, pem: &[u8], password: Option<&str>) -> Result<PKey<Private>, SecurityError> {
    let read = PKey::private_key_from_pem_passphrase(pem, password.unwrap_or_default().as_bytes());
    let is_encrypted = || pem.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED);
    match read {
        Err(_) if password.is_none() && is_encrypted() => {
            Err(refused(property, "holds an encrypted key, which needs ssl.key.password"))
        }
        other => other.map_err(failed(property)),
    }
}

/// A file, or all files of a directory.
fn files_at(location: &str) -> Result<Vec<String>, SecurityError> {
    if !Path::new(location).is_dir() {
        return Ok(vec![location.to_owned()]);
    }
    let failed = |source| SecurityError::File { property: "ssl.ca.location", path: location.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(location).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() {
            files.push(path.display().to_string());
        }
    }
    files.sort();
    Ok(files)
}

fn read(property: &'static str, path: &str) -> Result<Vec<u8>, SecurityError> {
    std::fs::read(path).map_err(|source| SecurityError::File { property, path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
