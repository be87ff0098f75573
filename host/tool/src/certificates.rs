//! `cert`: X.509 certificates on the device, and making them with its keys.

use crate::app::{Device, Global};
use crate::bytes::{self, Output};
use crate::named::named;
use crate::report::Report;
use crate::x509::{self, Content, Purpose, Signer};
use clap::{Args, Subcommand, ValueEnum};
use ferrite_client::hsm::{CertificateKind, CertificateObject};
use ferrite_client::proto::fid::KeyId;
use ferrite_client::{Error, ErrorKind, PublicKey, Result, Scheme};
use serde_json::{Value, json};
use std::path::PathBuf;
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode, EncodePem};

/// Store, list, read and delete X.509 certificates; make requests and certificates with a key on the device
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the certificates
    List,
    /// Store a certificate: for a key, or of somebody else
    Put(Put),
    /// Read a certificate
    Get(Get),
    /// Delete a certificate that belongs to no key
    Delete(Named),
    /// Write a certificate request (PKCS#10) for a key
    Request(Request),
    /// Write a certificate that a key signs for itself, and store it with the key
    SelfSigned(SelfSigned),
    /// Issue a certificate for somebody's request, as an authority
    Issue(Issue),
}

#[derive(Args)]
pub(crate) struct Put {
    /// The certificate, in PEM or DER [default: standard input]
    #[arg(default_value = "-", hide_default_value = true)]
    file: PathBuf,
    /// The key that it is for: its number, or its label. Without it, it is a certificate of somebody else
    #[arg(long)]
    key: Option<String>,
    /// Label of a certificate of somebody else [default: its subject]
    #[arg(long, conflicts_with = "key")]
    label: Option<String>,
}

#[derive(Args)]
pub(crate) struct Named {
    /// The certificate: its number, or its label
    certificate: String,
}

#[derive(Args)]
pub(crate) struct Get {
    /// The certificate: `key:` and a key's number or label, or the number or label of a certificate of somebody else
    certificate: String,
    /// The form
    #[arg(long = "as", value_enum, default_value_t = Form::Pem)]
    form: Form,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct Request {
    /// The key: its number, or its label
    key: String,
    #[command(flatten)]
    subject: Subject,
    /// Scheme of the signature [default: what fits the key]
    #[arg(short, long, value_parser = crate::named::parse::<Scheme>)]
    algorithm: Option<Scheme>,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct SelfSigned {
    #[command(flatten)]
    request: Request,
    #[command(flatten)]
    terms: Terms,
    /// Only write it, and do not store it with the key
    #[arg(long)]
    no_store: bool,
}

#[derive(Args)]
pub(crate) struct Issue {
    /// The authority's key, whose certificate is stored with it: its number, or its label
    key: String,
    /// The request (PKCS#10), in PEM or DER
    request: PathBuf,
    #[command(flatten)]
    terms: Terms,
    /// Another subject than the request's
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// Scheme of the signature [default: what fits the key]
    #[arg(short, long, value_parser = crate::named::parse::<Scheme>)]
    algorithm: Option<Scheme>,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct Subject {
    /// Whose it is: CN=example.org,O=Example,C=DE
    #[arg(long, value_name = "NAME")]
    subject: String,
    /// A host's name; may be given several times
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
}

#[derive(Args)]
struct Terms {
    /// What it is for
    #[arg(long = "for", value_enum, default_value_t = Purpose::Signature)]
    purpose: Purpose,
    /// How long it is valid
    #[arg(long, default_value_t = 365)]
    days: u32,
}

/// The form of a certificate.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// PEM
    Pem,
    /// DER
    Der,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(self, global: &Global) -> Result<Report> {
        match self {
            Self::List => list(global),
            Self::Put(put) => put.run(global),
            Self::Get(get) => get.run(global),
            Self::Delete(named) => named.delete(global),
            Self::Request(request) => request.run(global),
            Self::SelfSigned(made) => made.run(global),
            Self::Issue(issue) => issue.run(global),
        }
    }
}

/// What a list shows of a certificate.
fn describe(name: String, label: &str, der: &[u8]) -> (Vec<String>, Value) {
    let read = Certificate::from_der(der).ok();
    let tbs = read.as_ref().map(Certificate::tbs_certificate);
    let subject = tbs.map_or_else(|| "cannot be read".into(), |tbs| tbs.subject().to_string());
    let issuer = tbs.map_or_else(String::new, |tbs| tbs.issuer().to_string());
    let expiry = tbs.map_or_else(String::new, |tbs| tbs.validity().not_after.to_string());
    let json = json!({ "name": name, "label": label, "subject": subject, "issuer": issuer, "not_after": expiry });
    let day = expiry.split('T').next().unwrap_or_default().to_owned();
    (vec![name, day, subject, issuer, label.to_owned()], json)
}

fn list(global: &Global) -> Result<Report> {
    let mut device = global.open()?;
    let objects = device.objects()?;
    let (mut rows, mut list) = (Vec::new(), Vec::new());
    for key in objects.keys.iter().filter(|key| key.certificate == CertificateKind::X509) {
        let certificate = device.certificate_of_key(key.id)?.unwrap_or_default();
        let (row, json) = describe(format!("key:{}", key.id.value()), &key.label, &certificate);
        rows.push(row);
        list.push(json);
    }
    for object in &objects.certificates {
        let (row, json) = describe(object.number.to_string(), &object.label, &device.certificate(object.number)?);
        rows.push(row);
        list.push(json);
    }
    let head = ["NAME", "VALID UNTIL", "SUBJECT", "ISSUER", "LABEL"];
    Ok(Report::table(json!({ "certificates": list }), &head, &rows, "There are no certificates."))
}

impl Put {
    fn run(&self, global: &Global) -> Result<Report> {
        let certificate = x509::certificate(&bytes::read(&self.file)?)?;
        let der = certificate.to_der().map_err(|error| encoding(&error))?;
        let subject = certificate.tbs_certificate().subject().to_string();
        let mut device = global.open()?;
        let Some(name) = &self.key else {
            let label = self.label.clone().unwrap_or(subject);
            global.log_in(&mut device)?;
            let number = device.store_certificate(&label, &[], &der)?;
            let json = json!({ "name": number.to_string(), "label": label });
            return Ok(Report::line(json, format!("Certificate {number} is stored: {label:?}.")));
        };
        let id = global.find_key(&mut device, name)?;
        if PublicKey::from_file(&der)? != device.public_key(id)? {
            let what = format!("store the certificate with key {}", id.value());
            return Err(Error::new(ErrorKind::Verification, what, "it is the certificate of another key")
                .advise("Name the key that it is for, or leave --key out."));
        }
        global.log_in(&mut device)?;
        device.store_certificate_of_key(id, &der)?;
        let json = json!({ "name": format!("key:{}", id.value()), "subject": subject });
        Ok(Report::line(json, format!("The certificate of key {} is stored: {subject}.", id.value())))
    }
}

impl Named {
    fn find(&self, device: &mut Device) -> Result<CertificateObject> {
        let what = format!("find the certificate {:?}", self.certificate);
        let missing = if self.certificate.starts_with("key:") {
            ["that of a key goes with its key", "Replace it: pico-hsm-tool cert put --key KEY FILE"]
        } else {
            ["there is none of this number or label", "List them: pico-hsm-tool cert list"]
        };
        let objects = device.objects()?.certificates;
        named(objects, &self.certificate, |object| (object.number, &object.label), what, missing)
    }

    fn delete(&self, global: &Global) -> Result<Report> {
        let mut device = global.open()?;
        let object = self.find(&mut device)?;
        let loss = format!("The certificate {} ({:?}) will be deleted.", object.number, object.label);
        global.confirm("delete the certificate", &loss)?;
        global.log_in(&mut device)?;
        device.delete_certificate(object.number)?;
        Ok(Report::line(json!({ "deleted": object.number }), format!("The certificate {} is deleted.", object.number)))
    }
}

impl Get {
    fn run(&self, global: &Global) -> Result<Report> {
        let mut device = global.open()?;
        let der = match self.certificate.strip_prefix("key:") {
            Some(key) => {
                let id = global.find_key(&mut device, key)?;
                own_certificate(&mut device, id)?
            }
            None => {
                let number = Named { certificate: self.certificate.clone() }.find(&mut device)?.number;
                device.certificate(number)?
            }
        };
        match self.form {
            Form::Der => self.output.deliver("certificate", &der, json!({})),
            Form::Pem => self.output.deliver_text("certificate", &pem(&x509::certificate(&der)?)?, json!({})),
        }
    }
}

/// The certificate of a key that must have one.
fn own_certificate(device: &mut Device, id: KeyId) -> Result<Vec<u8>> {
    let what = format!("read the certificate of key {}", id.value());
    device.certificate_of_key(id)?.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, what, "no X.509 certificate is stored with it")
            .advise("Store one: pico-hsm-tool cert put --key, or pico-hsm-tool cert self-signed")
    })
}

impl Request {
    fn run(&self, global: &Global) -> Result<Report> {
        let subject = x509::name(&self.subject.subject)?;
        let mut device = global.open()?;
        let id = global.find_key(&mut device, &self.key)?;
        global.log_in(&mut device)?;
        let request = Signer::new(&mut device, id, self.algorithm)?.request(subject, &self.subject.hosts)?;
        self.output.deliver_text("request", &request, json!({ "key": id.value() }))
    }
}

impl SelfSigned {
    fn run(&self, global: &Global) -> Result<Report> {
        let content = Content {
            issuer: None,
            subject: x509::name(&self.request.subject.subject)?,
            purpose: self.terms.purpose,
            hosts: self.request.subject.hosts.clone(),
            days: self.terms.days,
        };
        let mut device = global.open()?;
        let id = global.find_key(&mut device, &self.request.key)?;
        global.log_in(&mut device)?;
        let public = device.public_key(id)?;
        let certificate = Signer::new(&mut device, id, self.request.algorithm)?.certificate(&public, content)?;
        if !self.no_store {
            device.store_certificate_of_key(id, &certificate.to_der().map_err(|error| encoding(&error))?)?;
        }
        self.request.output.deliver_text(
            "certificate",
            &pem(&certificate)?,
            json!({ "key": id.value(), "stored": !self.no_store }),
        )
    }
}

impl Issue {
    fn run(&self, global: &Global) -> Result<Report> {
        let (subject, public, hosts) = x509::checked_request(&bytes::read(&self.request)?)?;
        let subject = self.subject.as_deref().map_or(Ok(subject), x509::name)?;
        let mut device = global.open()?;
        let id = global.find_key(&mut device, &self.key)?;
        let issuer = x509::certificate(&own_certificate(&mut device, id)?)?;
        let content = Content {
            issuer: Some(issuer.tbs_certificate().subject().clone()),
            subject,
            purpose: self.terms.purpose,
            hosts,
            days: self.terms.days,
        };
        global.log_in(&mut device)?;
        let certificate = Signer::new(&mut device, id, self.algorithm)?.certificate(&public, content)?;
        self.output.deliver_text("certificate", &pem(&certificate)?, json!({ "key": id.value() }))
    }
}

fn pem(certificate: &Certificate) -> Result<String> {
    certificate.to_pem(Default::default()).map_err(|error| encoding(&error))
}

fn encoding(error: &x509_cert::der::Error) -> Error {
    Error::new(ErrorKind::BadInput, "write the certificate", error.to_string())
}
