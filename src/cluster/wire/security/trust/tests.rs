//! What of TLS is taken from properties, and what is refused.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};

use openssl::ssl::{SslAcceptor, SslVersion};
use openssl::symm::Cipher;
use rcgen::{CertificateParams, KeyPair};

use super::*;

/// TLS from these properties.
fn tls(properties: &[(&str, &str)]) -> Result<Tls, String> {
    let given: BTreeMap<String, String> =
        properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Given(&given).tls().map_err(|error| error.to_string())
}

fn refusal(properties: &[(&str, &str)]) -> String {
    tls(properties).map(drop).expect_err("it is refused")
}

/// A certificate that signs itself, as PEM.
fn certificate() -> String {
    signed(&KeyPair::generate().expect("a key"))
}

fn signed(key: &KeyPair) -> String {
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    params.self_signed(key).expect("a certificate").pem()
}

fn trusted(tls: &Tls) -> usize {
    tls.connector.context().cert_store().all_certificates().len()
}

#[test]
fn what_only_clients_could_honour_is_refused_by_name() {
    let names = [
        "ssl.crl.location",
        "ssl.engine.location",
        "ssl.engine.id",
        "ssl.providers",
        "ssl.ca.certificate.stores",
        "ssl.of.tomorrow",
    ];
    for name in names {
        let told = refusal(&[(name, "x")]);
        assert!(told.contains(name) && told.contains("is not understood by wiber-chaos's own connections"), "{told}");
    }
}

/// A server that speaks TLS 1.2 once, in which the cipher is the client's choice; the cipher that came of it.
fn cipher_spoken_with(client: &Tls) -> String {
    let key = KeyPair::generate().expect("a key");
    let certificate = signed(&key);
    let mut server = SslAcceptor::mozilla_intermediate(SslMethod::tls_server()).expect("a server");
    let key = PKey::private_key_from_pem(key.serialize_pem().as_bytes()).expect("a key");
    server.set_private_key(&key).expect("a key");
    server.set_certificate(&X509::from_pem(certificate.as_bytes()).expect("a certificate")).expect("a certificate");
    server.set_max_proto_version(Some(SslVersion::TLS1_2)).expect("an old version");
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = server.build();
    std::thread::scope(|scope| {
        scope.spawn(|| server.accept(listener.accept().expect("a client").0).expect("a handshake"));
        let tcp = TcpStream::connect(address).expect("a connection");
        let stream = client.connector.connect("localhost", tcp).expect("a handshake");
        stream.ssl().current_cipher().expect("a cipher").name().to_owned()
    })
}

#[test]
fn ciphers_curves_and_signatures_are_those_that_were_asked_for() {
    for cipher in ["ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256"] {
        let client = tls(&[("ssl.cipher.suites", cipher), ("enable.ssl.certificate.verification", "f")]);
        assert_eq!(cipher_spoken_with(&client.expect("a cipher")), cipher);
    }
    assert!(tls(&[("ssl.curves.list", "P-384"), ("ssl.sigalgs.list", "ECDSA+SHA256")]).is_ok());
    for name in ["ssl.cipher.suites", "ssl.curves.list", "ssl.sigalgs.list"] {
        assert!(refusal(&[(name, "nonsense")]).contains(name));
    }
}

#[test]
fn verification_is_switched_off_in_each_spelling_of_librdkafka_and_by_nothing_else() {
    let mode = |value| {
        let given = BTreeMap::from([("enable.ssl.certificate.verification".to_owned(), String::from(value))]);
        Given(&given).verification().map_err(|error| error.to_string())
    };
    for value in ["false", "False", "F", "0"] {
        assert_eq!(mode(value), Ok(SslVerifyMode::NONE), "{value}");
    }
    for value in ["", "true", "TRUE", "t", "1"] {
        assert_eq!(mode(value), Ok(SslVerifyMode::PEER), "{value}");
    }
    assert!(mode("no").is_err_and(|told| told.contains("true or false")));
}

#[test]
fn names_are_not_checked_where_the_algorithm_is_none() {
    let names = |value| tls(&[("ssl.endpoint.identification.algorithm", value)]).expect("an algorithm").names;
    assert!(names("none") == Names::Ignored && names("NONE") == Names::Ignored);
    assert!(names("https") == Names::Checked && names("") == Names::Checked);
}

#[test]
fn authorities_of_a_file_and_of_a_text_are_trusted_together() {
    let (one, other) = (certificate(), certificate());
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("ca.pem").display().to_string();
    std::fs::write(&file, &one).expect("written");
    let both = tls(&[("ssl.ca.location", &file), ("ssl.ca.pem", &other)]).expect("two authorities");
    assert_eq!(trusted(&both), 2);
    assert_eq!(trusted(&tls(&[("ssl.ca.pem", &other)]).expect("one authority")), 1);
    assert!(refusal(&[("ssl.ca.pem", "no certificate")]).contains("ssl.ca.pem"));
}

#[test]
fn an_encrypted_key_without_its_password_says_what_it_needs() {
    let key = KeyPair::generate().expect("a key").serialize_pem();
    let encrypted = PKey::private_key_from_pem(key.as_bytes())
        .and_then(|key| key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"secret"))
        .expect("an encrypted key");
    let encrypted = String::from_utf8(encrypted).expect("text");
    assert!(refusal(&[("ssl.key.pem", &encrypted)]).contains("needs ssl.key.password"));
    let wrong = refusal(&[("ssl.key.pem", &encrypted), ("ssl.key.password", "wrong")]);
    assert!(wrong.contains("OpenSSL") && !wrong.contains("needs"), "{wrong}");
    assert!(tls(&[("ssl.key.pem", &encrypted), ("ssl.key.password", "secret")]).is_ok());
    assert!(tls(&[("ssl.key.pem", &key)]).is_ok());
}
