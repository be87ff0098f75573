//! X.509 certificates and requests (RFC 5280, RFC 2986), signed by a key on the device.

use crate::app::Device;
use crate::progress::using;
use crate::pss;
use ferrite_client::crypto::edwards;
use ferrite_client::crypto::hash::Hash;
use ferrite_client::proto::fid::KeyId;
use ferrite_client::{Error, ErrorKind, PublicKey, Result, Scheme};
use std::str::FromStr;
use std::time::Duration;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder, CertificateBuilder, RequestBuilder};
use x509_cert::der::asn1::{Any, BitString, Null, ObjectIdentifier, OctetString};
use x509_cert::der::oid::db::rfc5280::{ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH};
use x509_cert::der::{Decode, Document, Encode, EncodePem};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::request::CertReq;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{
    AlgorithmIdentifierOwned, DynSignatureAlgorithmIdentifier, EncodePublicKey, SubjectPublicKeyInfo,
    SubjectPublicKeyInfoRef,
};
use x509_cert::time::Validity;
use x509_cert::{Certificate, TbsCertificate};

/// Schemes of signatures in X.509, by their object identifiers (RFC 4055, RFC 5758, RFC 8410).
const SCHEMES: [(ObjectIdentifier, Scheme); 10] = [
    (oid("1.2.840.113549.1.1.5"), Scheme::RsaPkcs1(Hash::Sha1)),
    (oid("1.2.840.113549.1.1.14"), Scheme::RsaPkcs1(Hash::Sha224)),
    (oid("1.2.840.113549.1.1.11"), Scheme::RsaPkcs1(Hash::Sha256)),
    (oid("1.2.840.113549.1.1.12"), Scheme::RsaPkcs1(Hash::Sha384)),
    (oid("1.2.840.113549.1.1.13"), Scheme::RsaPkcs1(Hash::Sha512)),
    (oid("1.2.840.10045.4.1"), Scheme::Ecdsa(Hash::Sha1)),
    (oid("1.2.840.10045.4.3.1"), Scheme::Ecdsa(Hash::Sha224)),
    (oid("1.2.840.10045.4.3.2"), Scheme::Ecdsa(Hash::Sha256)),
    (oid("1.2.840.10045.4.3.3"), Scheme::Ecdsa(Hash::Sha384)),
    (oid("1.2.840.10045.4.3.4"), Scheme::Ecdsa(Hash::Sha512)),
];
const ED25519: ObjectIdentifier = oid("1.3.101.112");
const ED448: ObjectIdentifier = oid("1.3.101.113");
const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// Length of a random serial number, in bytes (RFC 5280 §4.1.2.2: at most 20, positive).
const SERIAL: usize = 16;

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Purpose {
    /// A server (TLS)
    Server,
    /// A client (TLS)
    Client,
    /// Signatures
    Signature,
    /// An authority that issues other certificates
    Ca,
}

/// What a certificate says besides names and keys.
pub(crate) struct Content {
    /// Who issues it; `None`: its subject.
    pub(crate) issuer: Option<Name>,
    /// Whose it is.
    pub(crate) subject: Name,
    /// What it is for.
    pub(crate) purpose: Purpose,
    /// Names of hosts.
    pub(crate) hosts: Vec<String>,
    /// How long it is valid.
    pub(crate) days: u32,
}

/// A key on the device that signs certificates.
pub(crate) struct Signer<'a> {
    device: &'a mut Device,
    key: KeyId,
    identity: Identity,
}

/// What the builders of certificates must know of their signer.
#[derive(Clone)]
struct Identity {
    scheme: Scheme,
    public: PublicKey,
    spki: Spki,
}

/// A SubjectPublicKeyInfo in DER.
#[derive(Clone)]
struct Spki(Vec<u8>);

impl EncodePublicKey for Spki {
    fn to_public_key_der(&self) -> x509_cert::spki::Result<Document> {
        Ok(Document::try_from(self.0.clone())?)
    }
}

impl signature::Keypair for Identity {
    type VerifyingKey = Spki;

    fn verifying_key(&self) -> Spki {
        self.spki.clone()
    }
}

impl DynSignatureAlgorithmIdentifier for Identity {
    fn signature_algorithm_identifier(&self) -> x509_cert::spki::Result<AlgorithmIdentifierOwned> {
        let (oid, parameters) = match (self.scheme, &self.public) {
            (Scheme::EdDsa, PublicKey::Edwards { curve: edwards::Curve::Ed25519, .. }) => (ED25519, None),
            (Scheme::EdDsa, _) => (ED448, None),
            (Scheme::RsaPss(hash), _) => (pss::RSASSA_PSS, Some(pss::parameters(hash, hash.digest_len())?)),
            (scheme, _) => {
                let known = SCHEMES.iter().find(|(_, known)| *known == scheme);
                let (oid, _) = known.ok_or(x509_cert::spki::Error::AlgorithmParametersMissing)?;
                let is_rsa = matches!(scheme, Scheme::RsaPkcs1(_));
                (*oid, is_rsa.then(|| Any::from(Null)))
            }
        };
        Ok(AlgorithmIdentifierOwned { oid, parameters })
    }
}

impl<'a> Signer<'a> {
    /// A key on the device, logged in, by the scheme named or the one that fits it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Usage`]: X.509 has no such signatures here.
    pub(crate) fn new(device: &'a mut Device, key: KeyId, scheme: Option<Scheme>) -> Result<Self> {
        let public = device.public_key(key)?;
        let scheme = scheme.map_or_else(|| Scheme::of(public.key_type()), Ok)?;
        let spki = Spki(public.to_spki()?);
        Ok(Self { device, key, identity: Identity { scheme, public, spki } })
    }

    /// A certificate request (PKCS#10), in PEM.
    ///
    /// # Errors
    /// Those of signing.
    pub(crate) fn request(&mut self, subject: Name, hosts: &[String]) -> Result<String> {
        const WHAT: &str = "write the request";
        let mut builder = RequestBuilder::new(subject).map_err(|error| failed(WHAT, &error))?;
        if let Some(names) = alternative_names(hosts)? {
            builder.add_extension(&names).map_err(|error| failed(WHAT, &error))?;
        }
        let request = self.build(WHAT, builder)?;
        request.to_pem(Default::default()).map_err(|error| failed(WHAT, &error))
    }

    /// A certificate for a public key.
    ///
    /// # Errors
    /// Those of signing.
    pub(crate) fn certificate(&mut self, of: &PublicKey, content: Content) -> Result<Certificate> {
        const WHAT: &str = "write the certificate";
        let mut serial = [0; SERIAL];
        self.device.random(&mut serial)?;
        // Positive, and not zero.
        serial.iter_mut().take(1).for_each(|first| *first = *first & 0x7F | 0x40);
        let spki = SubjectPublicKeyInfo::from_der(&of.to_spki()?).map_err(|error| failed(WHAT, &error))?;
        let serial = SerialNumber::new(&serial).map_err(|error| failed(WHAT, &error))?;
        let day = Duration::from_secs(24 * 60 * 60);
        let validity = Validity::from_now(day.saturating_mul(content.days)).map_err(|error| failed(WHAT, &error))?;
        let builder = CertificateBuilder::new(content, serial, validity, spki).map_err(|error| failed(WHAT, &error))?;
        self.build(WHAT, builder)
    }

    fn build<B: Builder>(&mut self, what: &'static str, mut builder: B) -> Result<B::Output> {
        let message = builder.finalize(&self.identity).map_err(|error| failed(what, &error))?;
        let signature =
            using(self.device, "Signing", |device| device.sign_message(self.key, self.identity.scheme, &message))?;
        let signature = BitString::from_bytes(&signature).map_err(|error| failed(what, &error))?;
        builder.assemble(signature, &self.identity).map_err(|error| failed(what, &error))
    }
}

impl BuilderProfile for Content {
    fn get_issuer(&self, subject: &Name) -> Name {
        self.issuer.clone().unwrap_or_else(|| subject.clone())
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        key: SubjectPublicKeyInfoRef<'_>,
        issuer_key: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        let is_ca = self.purpose == Purpose::Ca;
        let subject = tbs.subject();
        let mut list = Vec::new();
        let constraints = BasicConstraints { ca: is_ca, path_len_constraint: None };
        list.push(constraints.to_extension(subject, &list)?);
        let usage =
            if is_ca { KeyUsages::KeyCertSign | KeyUsages::CRLSign } else { KeyUsages::DigitalSignature.into() };
        list.push(KeyUsage(usage).to_extension(subject, &list)?);
        let extended = match self.purpose {
            Purpose::Server => Some(ID_KP_SERVER_AUTH),
            Purpose::Client => Some(ID_KP_CLIENT_AUTH),
            Purpose::Signature | Purpose::Ca => None,
        };
        if let Some(extended) = extended {
            list.push(ExtendedKeyUsage(vec![extended]).to_extension(subject, &list)?);
        }
        if let Some(names) = names_of(&self.hosts)? {
            list.push(names.to_extension(subject, &list)?);
        }
        list.push(key_identifier(key)?.to_extension(subject, &list)?);
        let issuer = Some(key_identifier(issuer_key)?.0);
        list.push(
            AuthorityKeyIdentifier { key_identifier: issuer, ..Default::default() }.to_extension(subject, &list)?,
        );
        Ok(list)
    }
}

/// SHA-1 of the public key (RFC 5280 §4.2.1.2, the first method): an identifier, nothing rests on it.
fn key_identifier(key: SubjectPublicKeyInfoRef<'_>) -> x509_cert::der::Result<SubjectKeyIdentifier> {
    let digest = Hash::Sha1.digest(&[key.subject_public_key.raw_bytes()]);
    Ok(SubjectKeyIdentifier(OctetString::new(digest.as_ref())?))
}

fn names_of(hosts: &[String]) -> x509_cert::der::Result<Option<SubjectAltName>> {
    let names = hosts.iter().map(|host| Ok(GeneralName::DnsName(host.clone().try_into()?)));
    let names = names.collect::<x509_cert::der::Result<Vec<_>>>()?;
    Ok((!names.is_empty()).then_some(SubjectAltName(names)))
}

fn alternative_names(hosts: &[String]) -> Result<Option<SubjectAltName>> {
    names_of(hosts).map_err(|error| failed("name the hosts", &error))
}

/// A name, as in `CN=example.org,O=Example`.
///
/// # Errors
/// [`ErrorKind::Usage`].
pub(crate) fn name(text: &str) -> Result<Name> {
    Name::from_str(text).map_err(|_| {
        Error::new(ErrorKind::Usage, format!("read the name {text:?}"), "it has another form")
            .advise("Write it as RFC 4514 has it: CN=example.org,O=Example,C=DE")
    })
}

/// Bytes of a file in PEM or DER.
///
/// # Errors
/// [`ErrorKind::BadInput`].
pub(crate) fn from_pem_or_der(content: &[u8], labels: &[&str]) -> Result<Vec<u8>> {
    let Some((label, document)) =
        std::str::from_utf8(content).ok().and_then(|text| Document::from_pem(text.trim()).ok())
    else {
        return Ok(content.to_vec());
    };
    if labels.contains(&label) {
        return Ok(document.as_bytes().to_vec());
    }
    let why = format!(
        "it is a {}, not a {}",
        label.to_lowercase(),
        labels.first().copied().unwrap_or_default().to_lowercase()
    );
    Err(Error::new(ErrorKind::BadInput, "read the file", why))
}

/// A certificate, in PEM or DER.
///
/// # Errors
/// [`ErrorKind::BadInput`].
pub(crate) fn certificate(content: &[u8]) -> Result<Certificate> {
    let bytes = from_pem_or_der(content, &["CERTIFICATE"])?;
    Certificate::from_der(&bytes)
        .map_err(|_| Error::new(ErrorKind::BadInput, "read the certificate", "it is no X.509 certificate"))
}

/// A certificate request in PEM or DER, whose signature by its own key was checked: its name, key and host names.
///
/// # Errors
/// [`ErrorKind::BadInput`], [`ErrorKind::Verification`].
pub(crate) fn checked_request(content: &[u8]) -> Result<(Name, PublicKey, Vec<String>)> {
    const WHAT: &str = "read the request";
    let bytes = from_pem_or_der(content, &["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"])?;
    let bad = |why: &'static str| Error::new(ErrorKind::BadInput, WHAT, why);
    let request = CertReq::from_der(&bytes).map_err(|_| bad("it is no certificate request (PKCS#10)"))?;
    let der = |error: x509_cert::der::Error| failed(WHAT, &error);
    let key = PublicKey::from_spki(&request.info.public_key.to_der().map_err(der)?)?;
    let scheme = match request.algorithm.oid {
        ED25519 | ED448 => Scheme::EdDsa,
        pss::RSASSA_PSS => {
            let hash = request.algorithm.parameters.as_ref().and_then(pss::hash);
            Scheme::RsaPss(
                hash.ok_or_else(|| bad("it is signed by RSASSA-PSS in a way that this program does not know"))?,
            )
        }
        oid => {
            let known = SCHEMES.iter().find(|(known, _)| *known == oid).map(|(_, scheme)| *scheme);
            known.ok_or_else(|| bad("it is signed by a scheme that this program does not know"))?
        }
    };
    key.verify(scheme, &request.info.to_der().map_err(der)?, request.signature.raw_bytes())
        .map_err(|error| error.because("its signature is not that of its key"))?;
    let mut hosts = Vec::new();
    for attribute in request.info.attributes.iter() {
        for value in attribute.values.iter() {
            let Ok(extensions) = value.decode_as::<Vec<Extension>>() else { continue };
            let names = extensions.iter().filter(|extension| extension.extn_id == SUBJECT_ALT_NAME);
            for name in names.filter_map(|names| SubjectAltName::from_der(names.extn_value.as_bytes()).ok()) {
                hosts.extend(name.0.iter().filter_map(|name| match name {
                    GeneralName::DnsName(name) => Some(name.to_string()),
                    _ => None,
                }));
            }
        }
    }
    Ok((request.info.subject, key, hosts))
}

/// id-ce-subjectAltName.
const SUBJECT_ALT_NAME: ObjectIdentifier = oid("2.5.29.17");

fn failed(what: &'static str, error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Usage, what, error.to_string())
}
