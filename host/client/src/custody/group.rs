//! Groups whose devices agree on what wraps keys (XKEK; specification part 2 §9): no share is kept anywhere.
//!
//! A group is a key pair that somebody keeps. Its signature over a device's key makes that device a member; the file that
//! says so is the key domain membership (KDM) of other clients. Members make exchange keys, show each other their requests,
//! and agree.

use super::key::{PrivateKey, seal_ec_key};
use crate::certificate::chain;
use crate::error::{Error, ErrorKind, ONLY_SOME, Result};
use crate::hsm::{DomainStatus, Hsm, Introduction, KeyAttributes, NewKey};
use crate::import;
use crate::key_type::KeyType;
use crate::public_key::PublicKey;
use crate::transport::Transport;
use ferrite_crypto::ec::{self, Curve};
use ferrite_crypto::hash::Hash;
use ferrite_proto::command::{AlgorithmId, Command, Membership};
use ferrite_proto::cvc::{self, Body, Certificate, DomainParameters, SignatureHash};
use ferrite_proto::fid::KeyId;
use ferrite_proto::status::Status;
use ferrite_proto::tlv::{Malformed, Reader, Tag, Writer};

/// The curve of groups and exchange keys, as other clients have it.
const CURVE: Curve = Curve::BrainpoolP256r1;
/// What precedes the coordinate in what the group signs.
const MEMBER: u8 = 0x54;
/// Names the file: 1.3.6.1.4.1.24991.4.2.1.
const OID_MEMBERSHIP: [u8; 11] = [0x2B, 0x06, 0x01, 0x04, 0x01, 0x81, 0xC3, 0x1F, 0x04, 0x02, 0x01];
const WHAT: &str = "admit the device";

/// A group, with its private key.
pub struct Group {
    certificate: Vec<u8>,
    key: ec::PrivateKey,
}

/// That a device is a member of a group: the content of a KDM file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMembership {
    /// Certificates of the device's issuers; empty for a device that vouches for itself.
    pub issuers: Vec<u8>,
    /// The device's certificate.
    pub device: Vec<u8>,
    /// The group's certificate.
    pub signer: Vec<u8>,
    /// The group's signature over the device's key.
    pub signature: Vec<u8>,
}

fn failed(_: impl Sized) -> Error {
    Error::new(ErrorKind::Usage, "make the group", "it cannot be written")
}

impl Group {
    /// A new group. Its name is that of a certificate's holder: `UTGROUP00001`.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`]: the name has not 8 to 16 characters.
    pub fn new(name: &str) -> Result<Self> {
        if !(8..=16).contains(&name.len()) {
            return Err(Error::new(ErrorKind::Usage, "make the group", "its name has not 8 to 16 characters"));
        }
        let mut rng = crate::random::generator()?;
        let key = ec::PrivateKey::generate(CURVE, &mut rng);
        let domain = CURVE.domain();
        let parameters = DomainParameters {
            prime: domain.prime,
            a: domain.a,
            b: domain.b,
            generator: domain.generator,
            order: domain.order,
            cofactor: 1,
        };
        let point = key.public_key().map_err(failed)?;
        let body = Body {
            car: name.as_bytes(),
            public_key: cvc::PublicKey::Ec {
                hash: SignatureHash::Sha256,
                domain: Some(parameters),
                point: point.as_ref(),
            },
            chr: name.as_bytes(),
            role: None,
            validity: None,
            extensions: None,
        };
        let mut signed = vec![0; 1024];
        let len = body.write(&mut signed).map_err(failed)?;
        signed.truncate(len);
        let signature = sign(&key, &signed)?;
        let mut certificate = vec![0; 1280];
        let len = cvc::write_certificate(&signed, &signature, &mut certificate).map_err(failed)?;
        certificate.truncate(len);
        Ok(Self { certificate, key })
    }

    /// Its certificate, which may be shown.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Writes the private key as an encrypted PKCS#8 file in PEM.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`]: the password is empty.
    pub fn key_file(&self, password: &[u8]) -> Result<String> {
        seal_ec_key(&self.key, password)
    }

    /// Reads a group from its certificate and its key's file.
    ///
    /// # Errors
    /// Those of [`import::read`]; [`ErrorKind::Verification`] if they do not belong together.
    pub fn open(certificate: &[u8], key_file: &[u8], password: Option<&[u8]>) -> Result<Self> {
        const OPEN: &str = "open the group";
        let public = PublicKey::from_certificate(certificate)?;
        let keys = import::read(key_file, password)?.keys;
        let Some(PrivateKey::Ec(key)) = keys.into_iter().next().map(|key| key.key) else {
            return Err(Error::new(ErrorKind::BadInput, OPEN, "the file holds no key of a group"));
        };
        let point = key.public_key().map_err(failed)?.as_ref().to_vec();
        if public != (PublicKey::Ec { curve: key.curve(), point }) {
            return Err(Error::new(ErrorKind::Verification, OPEN, "key and certificate do not belong together"));
        }
        Ok(Self { certificate: certificate.to_vec(), key })
    }

    /// Makes a device a member. Its certificates are the content of EF.C_DevAut; whether they can be believed is for the
    /// caller to check ([`chain::verify`]), before.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`]; [`ErrorKind::Unsupported`]: the device has no key on a curve.
    pub fn admit(&self, certificates: &[u8]) -> Result<GroupMembership> {
        let (device, issuers) = Certificate::parse(certificates)
            .map_err(|_| Error::new(ErrorKind::BadInput, WHAT, "its certificate cannot be read"))?;
        let cvc::PublicKey::Ec { point: [4, xy @ ..], .. } = device.body.public_key else {
            return Err(Error::new(ErrorKind::Unsupported, WHAT, "its key is not on a curve"));
        };
        let (x, _) = xy.split_at(xy.len() / 2);
        let signature = sign(&self.key, &[&[MEMBER], x].concat())?;
        Ok(GroupMembership {
            issuers: issuers.to_vec(),
            device: device.encoded.to_vec(),
            signer: self.certificate.clone(),
            signature,
        })
    }
}

/// ECDSA with SHA-256, as r and s.
fn sign(key: &ec::PrivateKey, message: &[u8]) -> Result<Vec<u8>> {
    let digest = Hash::Sha256.digest(&[message]);
    let signature = key.sign(digest.as_ref(), &mut crate::random::generator()?).map_err(failed)?;
    let mut raw = vec![0; 2 * ec::MAX_FIELD];
    let len = signature.to_raw(&mut raw).map_err(failed)?;
    raw.truncate(len);
    Ok(raw)
}

impl GroupMembership {
    /// Reads a KDM file.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`].
    pub fn parse(file: &[u8]) -> Result<Self> {
        let bad = |_: Malformed| Error::new(ErrorKind::BadInput, "read the membership", "the file holds none");
        let mut fields = Reader::new(Reader::new(file).expect(Tag(0x30)).map_err(bad)?);
        if fields.expect(Tag(0x06)).map_err(bad)? != OID_MEMBERSHIP {
            return Err(bad(Malformed));
        }
        let mut field = |tag: u16| fields.expect(Tag(tag)).map(<[u8]>::to_vec).map_err(bad);
        Ok(Self { issuers: field(0x61)?, device: field(0x62)?, signer: field(0x63)?, signature: field(0x54)? })
    }

    /// Writes a KDM file.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`]: it is too long.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let len = self.issuers.len() + self.device.len() + self.signer.len() + self.signature.len();
        let mut out = vec![0; len + 48];
        let mut writer = Writer::new(&mut out);
        writer.nest(0x30, |w| {
            w.put(0x06, &OID_MEMBERSHIP).put(0x61, &self.issuers).put(0x62, &self.device);
            w.put(0x63, &self.signer).put(0x54, &self.signature);
        });
        let len = writer.finish();
        out.truncate(len.map_err(|_| Error::new(ErrorKind::Usage, "write the membership", "it is too long"))?);
        Ok(out)
    }
}

impl<T: Transport> Hsm<T> {
    /// Joins a group: a key domain that is not set up becomes the group's. The user must be logged in.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`]: the membership is another device's, or the domain is set up already;
    /// [`ErrorKind::NotLoggedIn`].
    pub fn join_group(&mut self, domain: u8, membership: &GroupMembership) -> Result<DomainStatus> {
        let what = format!("join the group with key domain {domain}");
        let GroupMembership { signer, signature, .. } = membership;
        let command = Command::CreateExchangeDomain { domain, membership: Some(Membership { signer, signature }) };
        const NO_GROUPS: &str = "this card knows no groups of devices";
        self.call(&what, &command).map_err(|error| {
            error
                .explain(Status::INS, ErrorKind::Unsupported, NO_GROUPS, ONLY_SOME)
                .explain(Status::FUNCTION_NOT_SUPPORTED, ErrorKind::Unsupported, NO_GROUPS, ONLY_SOME)
                .explain(
                    Status::WRONG_P1P2,
                    ErrorKind::Refused,
                    "the device has no key domain of this number, it is set up already, or this card knows no groups",
                    "List the key domains.",
                )
        })?;
        self.domain(domain)
    }

    /// Generates a key for agreeing with other members, in a domain of the group.
    ///
    /// # Errors
    /// Those of [`Hsm::generate_key`].
    pub fn generate_exchange_key(&mut self, id: KeyId, domain: u8) -> Result<NewKey> {
        let attributes = KeyAttributes {
            algorithms: Some(vec![AlgorithmId::ECDH_XKEK.0]),
            domain: Some(domain),
            ..KeyAttributes::default()
        };
        self.generate_key(id, KeyType::Ec(CURVE), "exchange key", &attributes)
    }

    /// Agrees with another member, whose exchange key is introduced, on what wraps keys of the domain. If this device has a
    /// certificate of an authority, the other's is checked by it too.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]: the peer belongs to another group; [`ErrorKind::Refused`], [`ErrorKind::Verification`]: it is
    /// not what it claims.
    pub fn agree_on_dkek(&mut self, key: KeyId, peer: &Introduction) -> Result<()> {
        let what = format!("agree with the other device by key {}", key.value());
        let own = self.device_certificates()?;
        // A device that vouches for itself asks the same of nobody.
        if chain::split(&own)?.len() > 1 {
            self.present_certificates(&peer.certificates)?;
        }
        self.call(&what, &Command::Decipher { key, algorithm: AlgorithmId::ECDH_XKEK, data: &peer.request }).map(drop)
    }
}
