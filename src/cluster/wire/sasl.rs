//! SASL over Kafka's protocol (KIP-43, KIP-152): a handshake that names the mechanism, then its messages inside
//! `SaslAuthenticate` until the mechanism is done. The mechanisms themselves are rsasl's.

use std::fmt;

use bytes::Bytes;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use rsasl::callback::{Context, Request, SessionCallback, SessionData};
use rsasl::config::SASLConfig;
use rsasl::prelude::{Mechname, SASLClient, SessionError};
use rsasl::property::{AuthId, Password};

use super::{Connection, WireError};

/// SCRAM takes three messages, PLAIN one; whoever asks for more is not a broker.
const STEPS_MAX: usize = 5;

/// The mechanisms that can be spoken here.
pub(super) const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// Who a client is, and how it proves it.
#[derive(Clone)]
pub struct Credentials {
    pub(super) mechanism: String,
    pub(super) username: String,
    pub(super) password: String,
}

impl fmt::Debug for Credentials {
    /// Shows no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {}", self.mechanism, self.username)
    }
}

impl SessionCallback for Credentials {
    fn callback(&self, _: &SessionData, _: &Context<'_>, request: &mut Request<'_>) -> Result<(), SessionError> {
        request.satisfy::<AuthId>(&self.username)?.satisfy::<Password>(self.password.as_bytes())?;
        Ok(())
    }
}

/// The mechanisms that a listener takes; `None` when it wants no SASL at all.
pub async fn offered_mechanisms(connection: &mut Connection) -> Option<Vec<String>> {
    // A mechanism that nobody has: the refusal lists those that there are.
    let handshake = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("NONE"));
    let answer = connection.call(1, |_| handshake).await.ok()?;
    let offered: Vec<String> = answer.mechanisms.iter().map(ToString::to_string).collect();
    (answer.error_code == 33 && !offered.is_empty()).then_some(offered)
}

/// Proves to the broker who this client is.
pub(super) async fn authenticate(connection: &mut Connection, credentials: &Credentials) -> Result<(), WireError> {
    let mechanism = &credentials.mechanism;
    let handshake = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_string(mechanism.clone()));
    let answer = connection.call(1, |_| handshake).await?;
    match answer.error_code {
        0 => {}
        // UNSUPPORTED_SASL_MECHANISM
        33 => {
            let offered: Vec<String> = answer.mechanisms.iter().map(ToString::to_string).collect();
            return Err(WireError::Sasl(format!(
                "the broker does not take {mechanism}; it takes {}",
                offered.join(", ")
            )));
        }
        // ILLEGAL_SASL_STATE
        34 => return Err(WireError::Sasl("this listener wants no SASL".to_owned())),
        code => return Err(WireError::Sasl(format!("SaslHandshake answered error {code}"))),
    }
    exchange_messages(connection, credentials).await
}

async fn exchange_messages(connection: &mut Connection, credentials: &Credentials) -> Result<(), WireError> {
    let bug = |error: &dyn fmt::Display| WireError::Sasl(format!("{}: {error}", credentials.mechanism));
    let config = SASLConfig::builder()
        .with_default_mechanisms()
        .with_callback(credentials.clone())
        .map_err(|error| bug(&error))?;
    let name = Mechname::parse(credentials.mechanism.as_bytes()).map_err(|error| bug(&error))?;
    let mut session = SASLClient::new(config).start_suggested(&[name]).map_err(|error| bug(&error))?;
    let mut heard: Option<Bytes> = None;
    for _ in 0..STEPS_MAX {
        let mut message = Vec::new();
        // A server that cannot prove that it knows the password either is refused here, by the mechanism.
        let state = session.step(heard.as_deref(), &mut message).map_err(|error| bug(&error))?;
        if !state.has_sent_message() {
            return Ok(());
        }
        let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(message));
        let answer = connection.call(2, |_| request).await?;
        if answer.error_code != 0 {
            let reason = answer.error_message.map(|text| text.to_string());
            return Err(WireError::Sasl(reason.unwrap_or_else(|| format!("error {}", answer.error_code))));
        }
        if state.is_finished() {
            return Ok(());
        }
        heard = Some(answer.auth_bytes);
    }
    Err(WireError::Sasl(format!("the broker still asks after {STEPS_MAX} messages")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mechanism_that_is_offered_can_be_spoken() {
        for mechanism in MECHANISMS {
            let credentials = Credentials {
                mechanism: mechanism.to_owned(),
                username: "chatter".to_owned(),
                password: "secret".to_owned(),
            };
            let config = SASLConfig::builder().with_default_mechanisms().with_callback(credentials).expect("a config");
            let name = Mechname::parse(mechanism.as_bytes()).expect("a name");
            let mut session = SASLClient::new(config).start_suggested(&[name]).expect("known");
            let mut message = Vec::new();
            session.step(None, &mut message).expect("a first message");
            // Kafka takes SCRAM without channel binding only, which is what `n,,` says (RFC 5802).
            let beginning: &[u8] = if mechanism == "PLAIN" { b"\0chatter\0secret" } else { b"n,,n=chatter,r=" };
            assert!(message.starts_with(beginning), "{mechanism}: {}", String::from_utf8_lossy(&message));
        }
    }

    #[test]
    fn credentials_do_not_show_their_password() {
        let credentials =
            Credentials { mechanism: "PLAIN".to_owned(), username: "a".to_owned(), password: "hunter2".to_owned() };
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }
}
