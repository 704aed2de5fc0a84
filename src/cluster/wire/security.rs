//! How a connection is secured, read from the properties that librdkafka takes, so that clients and witnesses are told
//! once. Names and defaults are those of librdkafka's CONFIGURATION.md.

mod trust;

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use openssl::error::ErrorStack;
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use super::WireError;
use super::sasl::{Credentials, MECHANISMS};
use trust::{Names, Tls};

/// The properties do not say how to connect.
#[derive(Debug, thiserror::Error)]
pub enum SecurityError {
    /// A property, or its value, cannot be used.
    #[error("the property `{property}` {reason}")]
    Property {
        /// Which.
        property: String,
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
        // Neither librdkafka nor OpenSSL reads beyond it, and their bindings panic.
        if let Some((name, _)) = properties.iter().find(|(_, value)| value.contains('\0')) {
            return Err(refused(name, "holds a NUL character, with which texts end for librdkafka and OpenSSL"));
        }
        let given = Given(properties);
        let protocol = given.one_of(&["security.protocol"]).map_or("plaintext".to_owned(), str::to_lowercase);
        let (tls, sasl) = match protocol.as_str() {
            "plaintext" => (false, false),
            "ssl" => (true, false),
            "sasl_plaintext" => (false, true),
            "sasl_ssl" => (true, true),
            other => {
                let reason = format!("cannot be {other}: write plaintext, ssl, sasl_plaintext or sasl_ssl");
                return Err(refused("security.protocol", reason));
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

fn refused(property: &str, reason: impl Into<String>) -> SecurityError {
    SecurityError::Property { property: property.to_owned(), reason: reason.into() }
}

/// The properties that somebody set.
struct Given<'a>(&'a BTreeMap<String, String>);

impl Given<'_> {
    fn one_of(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.0.get(*name)).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn credentials(&self) -> Result<Credentials, SecurityError> {
        let needed = |property: &'static str, names: &[&str]| {
            let missing = || refused(property, "is missing: SASL needs it");
            self.one_of(names).map(str::to_owned).ok_or_else(missing)
        };
        let mechanism = needed("sasl.mechanism", &["sasl.mechanism", "sasl.mechanisms"])?.to_uppercase();
        if !MECHANISMS.contains(&mechanism.as_str()) {
            let reason = format!("cannot be {mechanism}: wiber-chaos speaks {}", MECHANISMS.join(", "));
            return Err(refused("sasl.mechanism", reason));
        }
        Ok(Credentials {
            mechanism,
            username: needed("sasl.username", &["sasl.username"])?,
            password: needed("sasl.password", &["sasl.password"])?,
        })
    }
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

    #[test]
    fn a_value_that_would_be_cut_off_is_refused_instead() {
        for name in ["ssl.key.password", "ssl.keystore.password", "ssl.cipher.suites", "sasl.password"] {
            let error = security(&[("security.protocol", "ssl"), (name, "a\0b")]).expect_err(name).to_string();
            assert!(error.contains(name) && error.contains("NUL"), "{error}");
        }
    }
}
