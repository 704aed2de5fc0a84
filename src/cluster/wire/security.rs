//! How a connection is secured, read from the properties that librdkafka takes, so that clients and witnesses are told
//! once. Names and defaults are those of librdkafka's CONFIGURATION.md.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use super::WireError;
use super::sasl::{Credentials, MECHANISMS};

/// The properties do not say how to connect.
#[derive(Debug, thiserror::Error)]
pub enum SecurityError {
    /// A property's value cannot be used.
    #[error("the property `{property}` {reason}")]
    Property {
        /// Which.
        property: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read.
    #[error("the property `{property}` names {path}, which cannot be read: {source}")]
    File {
        /// Which.
        property: &'static str,
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// OpenSSL cannot use what a property holds.
    #[error("OpenSSL cannot use what `{property}` holds: {source}")]
    OpenSsl {
        /// Which.
        property: &'static str,
        /// Why.
        source: ErrorStack,
    },
}

/// How a connection is secured. Clones share it.
#[derive(Clone, Default)]
pub struct Security {
    tls: Option<Arc<Tls>>,
    sasl: Option<Arc<Credentials>>,
}

/// TLS with its trust and, where the broker wants it, the client's own certificate.
pub struct Tls {
    connector: SslConnector,
    names: Names,
}

/// Whether the certificate has to be that of the host that was asked for (`ssl.endpoint.identification.algorithm`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Checked,
    Ignored,
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = if self.tls.is_some() { "TLS" } else { "plain text" };
        match &self.sasl {
            Some(credentials) => write!(f, "{transport}, {credentials:?}"),
            None => f.write_str(transport),
        }
    }
}

impl Security {
    /// No TLS and no SASL.
    pub fn plaintext() -> Self {
        Self::default()
    }

    /// TLS that trusts anybody, to find out whether a port speaks it at all. Nothing is said over it.
    pub fn any_tls() -> Result<Self, SecurityError> {
        let properties = [("security.protocol", "ssl"), ("enable.ssl.certificate.verification", "false")];
        Self::from_properties(
            &properties.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        )
    }

    /// Reads librdkafka's properties: `security.protocol`, those of `ssl.` and of `sasl.`. Others are not looked at.
    pub fn from_properties(properties: &BTreeMap<String, String>) -> Result<Self, SecurityError> {
        let given = Given(properties);
        let protocol = given.one_of(&["security.protocol"]).map_or("plaintext".to_owned(), str::to_lowercase);
        let (tls, sasl) = match protocol.as_str() {
            "plaintext" => (false, false),
            "ssl" => (true, false),
            "sasl_plaintext" => (false, true),
            "sasl_ssl" => (true, true),
            other => {
                let reason = format!("cannot be {other}: write plaintext, ssl, sasl_plaintext or sasl_ssl");
                return Err(SecurityError::Property { property: "security.protocol", reason });
            }
        };
        Ok(Self {
            tls: tls.then(|| given.tls().map(Arc::new)).transpose()?,
            sasl: sasl.then(|| given.credentials().map(Arc::new)).transpose()?,
        })
    }

    /// Whether connections are encrypted.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether clients prove who they are by SASL.
    pub fn is_sasl(&self) -> bool {
        self.sasl.is_some()
    }

    pub(super) fn connector(&self) -> Option<&Tls> {
        self.tls.as_deref()
    }

    pub(super) fn credentials(&self) -> Option<&Credentials> {
        self.sasl.as_deref()
    }
}

/// The properties that somebody set.
struct Given<'a>(&'a BTreeMap<String, String>);

impl Given<'_> {
    fn one_of(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.0.get(*name)).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn credentials(&self) -> Result<Credentials, SecurityError> {
        let needed = |property: &'static str, names: &[&str]| {
            let missing = || SecurityError::Property { property, reason: "is missing: SASL needs it".to_owned() };
            self.one_of(names).map(str::to_owned).ok_or_else(missing)
        };
        let mechanism = needed("sasl.mechanism", &["sasl.mechanism", "sasl.mechanisms"])?.to_uppercase();
        if !MECHANISMS.contains(&mechanism.as_str()) {
            let reason = format!("cannot be {mechanism}: wiber-chaos speaks {}", MECHANISMS.join(", "));
            return Err(SecurityError::Property { property: "sasl.mechanism", reason });
        }
        Ok(Credentials {
            mechanism,
            username: needed("sasl.username", &["sasl.username"])?,
            password: needed("sasl.password", &["sasl.password"])?,
        })
    }

    fn tls(&self) -> Result<Tls, SecurityError> {
        let failed = |property| move |source| SecurityError::OpenSsl { property, source };
        let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(failed("security.protocol"))?;
        if self.one_of(&["enable.ssl.certificate.verification"]) == Some("false") {
            builder.set_verify(SslVerifyMode::NONE);
        }
        if let Some(certificates) = self.authorities()? {
            let mut store = X509StoreBuilder::new().map_err(failed("ssl.ca.location"))?;
            for certificate in certificates {
                store.add_cert(certificate).map_err(failed("ssl.ca.location"))?;
            }
            builder.set_cert_store(store.build());
        }
        if let Some(keystore) = self.keystore()? {
            if let Some(certificate) = &keystore.cert {
                builder.set_certificate(certificate).map_err(failed("ssl.keystore.location"))?;
            }
            if let Some(key) = &keystore.pkey {
                builder.set_private_key(key).map_err(failed("ssl.keystore.location"))?;
            }
            for certificate in keystore.ca.into_iter().flatten() {
                builder.add_extra_chain_cert(certificate).map_err(failed("ssl.keystore.location"))?;
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
            let key = match self.one_of(&["ssl.key.password"]) {
                Some(password) => PKey::private_key_from_pem_passphrase(&pem, password.as_bytes()),
                None => PKey::private_key_from_pem(&pem),
            };
            let key = key.map_err(failed(property))?;
            builder.set_private_key(&key).map_err(failed(property))?;
        }
        let names = match self.one_of(&["ssl.endpoint.identification.algorithm"]) {
            Some("none") => Names::Ignored,
            _ => Names::Checked,
        };
        Ok(Tls { connector: builder.build(), names })
    }

    /// Whom to trust; `None` for those that OpenSSL trusts by itself.
    fn authorities(&self) -> Result<Option<Vec<X509>>, SecurityError> {
        let parse = |property, pem: &[u8]| {
            X509::stack_from_pem(pem).map_err(|source| SecurityError::OpenSsl { property, source })
        };
        if let Some(pem) = self.one_of(&["ssl.ca.pem"]) {
            return parse("ssl.ca.pem", pem.as_bytes()).map(Some);
        }
        let Some(location) = self.one_of(&["ssl.ca.location"]).filter(|location| *location != "probe") else {
            return Ok(None);
        };
        let mut found = Vec::new();
        for file in files_at(location)? {
            found.extend(parse("ssl.ca.location", &read("ssl.ca.location", &file)?)?);
        }
        if found.is_empty() {
            let reason = format!("names {location}, which holds no certificate");
            return Err(SecurityError::Property { property: "ssl.ca.location", reason });
        }
        Ok(Some(found))
    }

    fn keystore(&self) -> Result<Option<openssl::pkcs12::ParsedPkcs12_2>, SecurityError> {
        let property = "ssl.keystore.location";
        let Some(location) = self.one_of(&[property]) else { return Ok(None) };
        let password = self.one_of(&["ssl.keystore.password"]).unwrap_or_default();
        let parsed = Pkcs12::from_der(&read(property, location)?).and_then(|store| store.parse2(password));
        parsed.map(Some).map_err(|source| SecurityError::OpenSsl { property, source })
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

/// Makes TLS out of TCP.
pub(super) async fn handshake(tls: &Tls, host: &str, tcp: TcpStream) -> Result<SslStream<TcpStream>, WireError> {
    let failed = |error: &dyn fmt::Display| WireError::Tls(error.to_string());
    let mut configuration = tls.connector.configure().map_err(|error| failed(&error))?;
    configuration.set_verify_hostname(tls.names == Names::Checked);
    let ssl = configuration.into_ssl(host).map_err(|error| failed(&error))?;
    let mut stream = SslStream::new(ssl, tcp).map_err(|error| failed(&error))?;
    match Pin::new(&mut stream).connect().await {
        Ok(()) => Ok(stream),
        Err(error) => {
            let verified = stream.ssl().verify_result();
            Err(if verified == openssl::x509::X509VerifyResult::OK {
                WireError::Tls(error.to_string())
            } else {
                WireError::Tls(format!("the broker's certificate is not trusted: {}", verified.error_string()))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn security(properties: &[(&str, &str)]) -> Result<Security, SecurityError> {
        let given = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Security::from_properties(&given)
    }

    #[test]
    fn without_a_protocol_it_is_plain_text() {
        let plain = security(&[("sasl.username", "ignored")]).expect("usable");
        assert!(!plain.is_tls() && !plain.is_sasl());
    }

    #[test]
    fn scram_over_tls_needs_all_its_properties() {
        let mut properties = vec![
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanisms", "SCRAM-SHA-512"),
            ("sasl.username", "chatter"),
            ("sasl.password", "secret"),
        ];
        let full = security(&properties).expect("usable");
        assert!(full.is_tls() && full.is_sasl());
        assert!(!format!("{full:?}").contains("secret"));
        properties.pop();
        assert!(security(&properties).expect_err("no password").to_string().contains("sasl.password"));
    }

    #[test]
    fn what_cannot_be_spoken_or_read_is_refused_by_name() {
        let kerberos = [("security.protocol", "sasl_plaintext"), ("sasl.mechanism", "GSSAPI")];
        assert!(security(&kerberos).expect_err("not spoken").to_string().contains("SCRAM-SHA-512"));
        assert!(security(&[("security.protocol", "tls")]).expect_err("no such").to_string().contains("sasl_ssl"));
        let file = [("security.protocol", "ssl"), ("ssl.ca.location", "/no/such/file.pem")];
        assert!(security(&file).expect_err("no file").to_string().contains("/no/such/file.pem"));
    }
}
