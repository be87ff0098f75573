//! `key`: making, listing, showing, naming and deleting keys; their public halves.

use crate::app::{Device, Global};
use crate::bytes::Output;
use crate::progress::during;
use crate::report::{Report, pairs};
use clap::{Args, Subcommand, ValueEnum};
use ferrite_client::hsm::{CertificateKind, KeyObject};
use ferrite_client::proto::command::AlgorithmId;
use ferrite_client::proto::fid::KeyId;
use ferrite_client::proto::pkcs15::KeyType as Described;
use ferrite_client::{Error, ErrorKind, KeyAttributes, KeyType, PublicKey, Result};
use serde_json::{Value, json};

/// Make, list, show, name and delete keys
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a key on the device
    Generate(Generate),
    /// List the keys
    List,
    /// Show one key
    Show(Named),
    /// Delete a key, with its description and certificate
    Delete(Named),
    /// Give a key another label
    Label(Label),
    /// Get the public half of a key
    PublicKey(Public),
    Import(crate::import::Arguments),
    /// Make a key whose scalar is that of another plus a tweak (elliptic curves only)
    Derive(Derive),
}

#[derive(Args)]
pub(crate) struct Named {
    /// The key: its number, or its label
    key: String,
}

#[derive(Args)]
pub(crate) struct Generate {
    /// Kind: rsa:2048, p256, p384, p521, secp256k1, brainpoolp256r1, ed25519, x25519, aes:256 and others
    #[arg(value_parser = crate::named::parse::<KeyType>)]
    kind: KeyType,
    /// Label
    #[arg(long, default_value = "")]
    label: String,
    /// Number [default: the lowest that is free]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    id: Option<u8>,
    /// Key domain, 0 to 15 [default: 0]
    #[arg(long, value_parser = clap::value_parser!(u8).range(..=15))]
    domain: Option<u8>,
    /// How often it may be used
    #[arg(long, value_name = "USES")]
    counter: Option<u32>,
    /// Algorithms for which it may be used, as bytes in hexadecimal: 73,74 [default: all]
    #[arg(long, value_name = "ALGORITHMS", value_delimiter = ',', value_parser = parse_algorithm)]
    algorithms: Vec<u8>,
}

#[derive(Args)]
pub(crate) struct Label {
    /// The key: its number, or its label
    key: String,
    /// The new label
    label: String,
}

#[derive(Args)]
pub(crate) struct Public {
    /// The key: its number, or its label
    key: String,
    /// The form
    #[arg(long = "as", value_enum, default_value_t = Form::Pem)]
    form: Form,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(crate) struct Derive {
    /// The key to start from: its number, or its label
    key: String,
    /// The tweak, in hexadecimal
    tweak: crate::bytes::Hex,
    /// Label of the new key
    #[arg(long, default_value = "")]
    label: String,
    /// Number of the new key [default: the lowest that is free]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    id: Option<u8>,
}

/// The form of a public key.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// SubjectPublicKeyInfo in PEM
    Pem,
    /// SubjectPublicKeyInfo in DER
    Der,
    /// A line for OpenSSH
    Ssh,
}

fn parse_algorithm(text: &str) -> std::result::Result<u8, String> {
    let byte = u8::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    byte.filter(|byte| AlgorithmId(*byte).name().is_some()).ok_or_else(|| {
        let known = AlgorithmId::ALL.iter().filter_map(|id| Some(format!("  {:02X}  {}", id.0, id.name()?)));
        format!("there is no such algorithm; these are there:\n{}", known.collect::<Vec<_>>().join("\n"))
    })
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of the client's calls.
    pub(crate) fn run(self, global: &Global) -> Result<Report> {
        match self {
            Self::Generate(generate) => generate.run(global),
            Self::List => list(global),
            Self::Show(named) => named.show(global),
            Self::Delete(named) => named.delete(global),
            Self::Label(label) => label.run(global),
            Self::PublicKey(public) => public.run(global),
            Self::Import(import) => import.run(global),
            Self::Derive(derive) => derive.run(global),
        }
    }
}

impl Generate {
    fn run(self, global: &Global) -> Result<Report> {
        let mut device = global.open_and_log_in()?;
        let id = self.id.map_or_else(|| device.free_key_id(), |id| Ok(KeyId::new(id)))?;
        let attributes = KeyAttributes {
            counter: self.counter,
            algorithms: Some(self.algorithms).filter(|list| !list.is_empty()),
            domain: self.domain,
        };
        let label = if self.label.is_empty() { format!("Key {}", id.value()) } else { self.label };
        let kind = self.kind;
        let key = during(format!("Generating {kind}"), || device.generate_key(id, kind, &label, &attributes))?;
        let public = key.public_key.map(|key| key.to_pem()).transpose()?;
        let json = json!({ "id": id.value(), "label": label, "kind": kind.to_string(), "public_key": public });
        let next = match kind {
            KeyType::Aes(_) => format!("pico-hsm-tool cipher encrypt {label:?} FILE -o FILE.enc"),
            KeyType::Montgomery(_) => format!("pico-hsm-tool agree {label:?} THEIR_PUBLIC_KEY"),
            _ => format!("pico-hsm-tool sign {label:?} FILE -o FILE.sig"),
        };
        Ok(Report::line(json, format!("Key {} is there: {kind}, {label:?}.", id.value())).next(next))
    }
}

fn list(global: &Global) -> Result<Report> {
    let mut device = global.open()?;
    let keys = during("Reading", || {
        let keys = device.objects()?.keys;
        keys.iter().map(|key| Shown::new(&mut device, key)).collect::<Result<Vec<_>>>()
    })?;
    let rows: Vec<_> = keys
        .iter()
        .map(|key| {
            let domain = key.attributes.domain.unwrap_or_default().to_string();
            let uses = key.attributes.counter.map_or_else(String::new, |counter| counter.to_string());
            let certificate = if key.object.certificate == CertificateKind::X509 { "X.509" } else { "" };
            vec![
                key.object.id.value().to_string(),
                key.kind.clone(),
                domain,
                uses,
                certificate.into(),
                key.object.label.clone(),
            ]
        })
        .collect();
    let json = json!({ "keys": keys.iter().map(Shown::json).collect::<Vec<_>>() });
    let head = ["ID", "KIND", "DOMAIN", "USES LEFT", "CERTIFICATE", "LABEL"];
    Ok(Report::table(json, &head, &rows, "There are no keys. Make one: pico-hsm-tool key generate p256"))
}

/// A key with what was found out about it.
struct Shown {
    object: KeyObject,
    kind: String,
    public: Option<PublicKey>,
    attributes: KeyAttributes,
}

impl Shown {
    fn new(device: &mut Device, key: &KeyObject) -> Result<Self> {
        let public = match key.certificate {
            // A certificate that cannot be read says nothing about the key.
            CertificateKind::Request | CertificateKind::X509 => device.public_key(key.id).ok(),
            CertificateKind::Nothing | CertificateKind::Other => None,
        };
        let kind = match (&public, key.described) {
            (Some(public), _) => public.key_type().to_string(),
            (None, Some(Described::Aes)) => format!("aes:{}", key.bits),
            (None, Some(Described::Rsa)) => format!("rsa:{}", key.bits),
            (None, Some(Described::Ec)) => format!("curve of {} bits", key.bits),
            (None, None) => "unknown".into(),
        };
        Ok(Self { attributes: device.key_attributes(key.id)?, object: key.clone(), kind, public })
    }

    fn json(&self) -> Value {
        let certificate = match self.object.certificate {
            CertificateKind::Nothing => "none",
            CertificateKind::Request => "request",
            CertificateKind::X509 => "x509",
            CertificateKind::Other => "other",
        };
        json!({
            "id": self.object.id.value(),
            "label": self.object.label,
            "kind": self.kind,
            "cka_id": hex::encode(&self.object.cka_id),
            "domain": self.attributes.domain.unwrap_or_default(),
            "uses_left": self.attributes.counter,
            "algorithms": self.attributes.algorithms.as_ref().map(|list| list.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>()),
            "certificate": certificate,
        })
    }
}

/// Describes a key that must be there.
fn find(device: &mut Device, id: KeyId) -> Result<KeyObject> {
    let files = device.enumerate()?;
    if !files.contains(&id.key()) {
        return Err(Error::new(ErrorKind::NotFound, format!("find key {}", id.value()), "there is no such key")
            .advise("List the keys: pico-hsm-tool key list"));
    }
    device.key_object(id)
}

impl Named {
    fn show(&self, global: &Global) -> Result<Report> {
        let mut device = global.open()?;
        let id = global.find_key(&mut device, &self.key)?;
        let object = find(&mut device, id)?;
        let shown = Shown::new(&mut device, &object)?;
        let mut json = shown.json();
        let pem = shown.public.as_ref().map(PublicKey::to_pem).transpose()?;
        json["public_key"] = json!(pem);
        let algorithms = shown.attributes.algorithms.as_ref().map_or_else(
            || "all".into(),
            |list| {
                list.iter().map(|byte| AlgorithmId(*byte).name().unwrap_or("unknown")).collect::<Vec<_>>().join("; ")
            },
        );
        let uses = shown.attributes.counter.map_or_else(|| "not counted".into(), |counter| counter.to_string());
        let certificate = match object.certificate {
            CertificateKind::Nothing => "none",
            CertificateKind::Request => "the request that the device made",
            CertificateKind::X509 => "an X.509 certificate",
            CertificateKind::Other => "something else",
        };
        let mut text = pairs(&[
            ("Key", id.value().to_string()),
            ("Label", object.label.clone()),
            ("Kind", shown.kind.clone()),
            ("CKA_ID", hex::encode(&object.cka_id)),
            ("Key domain", shown.attributes.domain.unwrap_or_default().to_string()),
            ("Uses left", uses),
            ("Algorithms", algorithms),
            ("Certificate", certificate.into()),
        ]);
        text.push_str(&pem.unwrap_or_default());
        Ok(Report::new(json, text))
    }

    fn delete(&self, global: &Global) -> Result<Report> {
        let mut device = global.open()?;
        let id = global.find_key(&mut device, &self.key)?;
        let object = find(&mut device, id)?;
        let what = format!("delete key {}", id.value());
        let loss = format!(
            "Key {} ({:?}) will be deleted. Without a backup nobody can ever use it again.",
            id.value(),
            object.label
        );
        global.confirm(&what, &loss)?;
        global.log_in(&mut device)?;
        device.delete_key(id)?;
        Ok(Report::line(json!({ "deleted": id.value() }), format!("Key {} is deleted.", id.value())))
    }
}

impl Label {
    fn run(&self, global: &Global) -> Result<Report> {
        let mut device = global.open()?;
        let id = global.find_key(&mut device, &self.key)?;
        find(&mut device, id)?;
        global.log_in(&mut device)?;
        device.rename_key(id, &self.label)?;
        let json = json!({ "id": id.value(), "label": self.label });
        Ok(Report::line(json, format!("Key {} is now {:?}.", id.value(), self.label)))
    }
}

impl Public {
    fn run(&self, global: &Global) -> Result<Report> {
        let mut device = global.open()?;
        let id = global.find_key(&mut device, &self.key)?;
        let object = find(&mut device, id)?;
        let public = device.public_key(id)?;
        let json = json!({ "id": id.value(), "kind": public.key_type().to_string() });
        match self.form {
            Form::Pem => self.output.deliver_text("public_key", &public.to_pem()?, json),
            Form::Der => self.output.deliver("public_key", &public.to_spki()?, json),
            Form::Ssh => self.output.deliver_text("public_key", &crate::ssh::line(&public, &object.label)?, json),
        }
    }
}

impl Derive {
    fn run(&self, global: &Global) -> Result<Report> {
        let mut device = global.open()?;
        let source = global.find_key(&mut device, &self.key)?;
        global.log_in(&mut device)?;
        let target = self.id.map_or_else(|| device.free_key_id(), |id| Ok(KeyId::new(id)))?;
        // Not every card keeps a public half of what it derives, and the kind is that of the source.
        let kind = device.public_key(source)?.key_type();
        during("Deriving", || device.derive_key(source, target, &self.tweak.0))?;
        let label = if self.label.is_empty() { format!("Key {}", target.value()) } else { self.label.clone() };
        device.label_key(target, kind, &label)?;
        let json = json!({ "id": target.value(), "label": label, "kind": kind.to_string() });
        Ok(Report::line(json, format!("Key {} is there: {kind}, {label:?}.", target.value())))
    }
}
