//! Keys of other devices: how they are introduced, registered for public-key authentication, and used to log in
//! (specification part 1 §4.11-4.15, part 4 §1.6).

use super::{Hsm, first_object};
use crate::certificate::chain;
use crate::error::{Error, ErrorKind, Result};
use crate::public_key::{PublicKey, raw_ecdsa};
use crate::transport::Transport;
use ferrite_proto::command::{AlgorithmId, Command, SecurityEnvironment};
use ferrite_proto::cvc::{Certificate, Request};
use ferrite_proto::fid::KeyId;
use ferrite_proto::status::Status;
use ferrite_proto::tlv::{Reader, Tag, Writer, split};

const SEQUENCE: u16 = 0x30;
/// Names the newer form of the file: 1.3.6.1.4.1.24991.4.3.1.
const OID_INTRODUCTION: [u8; 11] = [0x2B, 0x06, 0x01, 0x04, 0x01, 0x81, 0xC3, 0x1F, 0x04, 0x03, 0x01];
/// Length of a challenge, in bytes.
const CHALLENGE: u16 = 8;

/// A key of a device, with what shows whose it is: the file that `sc-hsm-tool --export-for-pub-key-auth` writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// The key's certificate request, signed by the key and by its device.
    pub request: Vec<u8>,
    /// The device's certificate, then those of its issuers.
    pub certificates: Vec<u8>,
}

impl Introduction {
    /// Reads a file, in the form of OpenSC or in CardContact's newer one.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`].
    pub fn parse(file: &[u8]) -> Result<Self> {
        let bad = || Error::new(ErrorKind::BadInput, "read the key's introduction", "the file holds none");
        let content = Reader::new(file).expect(Tag(SEQUENCE)).map_err(|_| bad())?;
        let introduction = if content.first() == Some(&0x06) {
            let mut fields = Reader::new(content);
            let mut field = |tag: u16| fields.expect(Tag(tag)).map_err(|_| bad());
            if field(0x06)? != OID_INTRODUCTION {
                return Err(bad());
            }
            let (issuer, device, request) = (field(0x61)?, field(0x62)?, field(0x63)?);
            Self { request: request.to_vec(), certificates: [device, issuer].concat() }
        } else {
            let request = split(content).map_err(|_| bad())?;
            Self { request: request.encoded.to_vec(), certificates: request.rest.to_vec() }
        };
        Request::parse(&introduction.request).map_err(|_| bad())?;
        chain::split(&introduction.certificates)?;
        Ok(introduction)
    }

    /// Writes a file, in the form of OpenSC.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`]: it is too long.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = vec![0; self.request.len() + self.certificates.len() + 8];
        let mut writer = Writer::new(&mut out);
        writer.nest(SEQUENCE, |w| _ = w.raw(&self.request).raw(&self.certificates));
        let len = writer.finish();
        let len = len.map_err(|_| Error::new(ErrorKind::Usage, "write the key's introduction", "it is too long"))?;
        out.truncate(len);
        Ok(out)
    }

    /// The key's holder reference, by which it is chosen to log in.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`].
    pub fn holder(&self) -> Result<Vec<u8>> {
        let request = Request::parse(&self.request).map_err(|_| {
            Error::new(ErrorKind::BadInput, "read the key's introduction", "its request cannot be read")
        })?;
        Ok(request.certificate.body.chr.to_vec())
    }
}

/// How public-key authentication stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKeyLogin {
    /// Slots for keys.
    pub total: u8,
    /// Slots without a key.
    pub missing: u8,
    /// How many keys have to answer.
    pub required: u8,
    /// How many have answered.
    pub authenticated: u8,
}

/// A slot for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySlot {
    /// No key is registered there.
    Free,
    /// A key is.
    Registered {
        /// Its holder reference.
        holder: Vec<u8>,
        /// It has answered in this session.
        authenticated: bool,
    },
}

impl<T: Transport> Hsm<T> {
    /// A key of this device, to be introduced to others. The certificates are those of the device.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]: no such key, or a certificate has taken the place of its request.
    pub fn introduce_key(&mut self, key: KeyId) -> Result<Introduction> {
        let request = first_object(&self.key_request(key)?);
        Ok(Introduction { request, certificates: self.device_certificates()? })
    }

    /// How public-key authentication stands; `None` if the device was initialised without.
    ///
    /// # Errors
    /// Those of [`Hsm::call`].
    pub fn public_key_login(&mut self) -> Result<Option<PublicKeyLogin>> {
        const WHAT: &str = "ask for public-key authentication";
        let answer = self.attempt(WHAT, &Command::PublicKeyAuthenticationStatus { slot: None })?;
        match answer.status {
            Status::OK => read_login(WHAT, &answer.data).map(Some),
            Status::WRONG_P1P2 | Status::INS | Status::NOT_FOUND => Ok(None),
            status => Err(Error::refused(WHAT, status)),
        }
    }

    /// What is in a slot.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`]: there is no such slot.
    pub fn key_slot(&mut self, slot: u8) -> Result<KeySlot> {
        let what = format!("ask for slot {slot}");
        let answer = self.attempt(&what, &Command::PublicKeyAuthenticationStatus { slot: Some(slot) })?;
        match answer.status {
            Status::REFERENCE_NOT_FOUND => Ok(KeySlot::Free),
            status @ (Status::OK | Status::KEY_AUTHENTICATED) => Ok(KeySlot::Registered {
                holder: answer.data.to_vec(),
                authenticated: status == Status::KEY_AUTHENTICATED,
            }),
            status => Err(Error::refused(what, status)),
        }
    }

    /// Lets the device believe certificates, the device's first, then its issuers': it has to trust the last one's issuer
    /// already, by a certificate that was stored on it. Ends with the session.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`].
    pub fn present_certificates(&mut self, certificates: &[u8]) -> Result<()> {
        const WHAT: &str = "have the device believe a certificate";
        for certificate in chain::split(certificates)?.iter().rev() {
            let Certificate { body, encoded, .. } = *certificate;
            if self.choose(WHAT, SecurityEnvironment::VerificationKey { chr: body.chr })? {
                continue;
            }
            if body.car == body.chr || !self.choose(WHAT, SecurityEnvironment::VerificationKey { chr: body.car })? {
                let issuer = String::from_utf8_lossy(body.car).into_owned();
                return Err(Error::new(ErrorKind::Verification, WHAT, format!("it does not trust {issuer}"))
                    .advise("Store the root certificate of that authority on the device first."));
            }
            self.call(WHAT, &Command::VerifyCertificate { certificate: encoded }).map_err(|error| {
                error.of_kind(ErrorKind::Verification).because("the certificate is not what its issuer signed")
            })?;
        }
        Ok(())
    }

    /// Whether the device knows a reference.
    fn choose(&mut self, what: &str, environment: SecurityEnvironment<'_>) -> Result<bool> {
        match self.attempt(what, &Command::ManageSecurityEnvironment(environment))?.status {
            Status::OK => Ok(true),
            Status::REFERENCE_NOT_FOUND => Ok(false),
            status => Err(Error::refused(what.to_owned(), status)),
        }
    }

    /// Registers a key for logging in, in the first free slot or in place of the one in a slot. Somebody must be logged in.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`]; [`ErrorKind::Full`]; [`ErrorKind::Refused`] if keys may not be replaced.
    pub fn register_key(&mut self, key: &Introduction, slot: Option<u8>) -> Result<PublicKeyLogin> {
        const WHAT: &str = "register the key";
        let lacks = |error: Error| error.lacks("this card has no public-key authentication");
        self.present_certificates(&key.certificates).map_err(lacks)?;
        let request = Request::parse(&key.request)
            .map_err(|_| Error::new(ErrorKind::BadInput, WHAT, "its request cannot be read"))?;
        if !self.choose(WHAT, SecurityEnvironment::VerificationKey { chr: request.outer_car })? {
            return Err(Error::new(ErrorKind::Verification, WHAT, "its device is another than the one certified"));
        }
        let answer = self.call(WHAT, &Command::RegisterPublicKey { slot, request: &key.request }).map_err(|error| {
            error.explain(
                Status::EXISTS,
                ErrorKind::Exists,
                "a key of this holder is registered already",
                "Each device brings one key: keys of one device have the same holder.",
            )
        })?;
        read_login(WHAT, &answer)
    }

    /// What the holder of a registered key has to sign to log in here: the device's name and a fresh challenge.
    ///
    /// # Errors
    /// Those of [`Hsm::call`].
    pub fn login_challenge(&mut self) -> Result<Vec<u8>> {
        const WHAT: &str = "get a challenge";
        let certificates = self.device_certificates()?;
        let name = Certificate::parse(&certificates).map(|(first, _)| first.body.chr);
        let name = name.map_err(|_| Error::new(ErrorKind::BadAnswer, WHAT, "the device has no name"))?;
        let challenge = self.call(WHAT, &Command::GetChallenge { len: CHALLENGE })?;
        Ok([name, challenge.as_slice()].concat())
    }

    /// Signs what another device wants signed to let the holder of this key in.
    ///
    /// # Errors
    /// Those of [`Hsm::sign`].
    pub fn answer_challenge(&mut self, key: KeyId, challenge: &[u8]) -> Result<Vec<u8>> {
        match self.public_key(key)? {
            PublicKey::Ec { curve, .. } => raw_ecdsa(curve, &self.sign(key, AlgorithmId::ECDSA_SHA256, challenge)?),
            PublicKey::Rsa { .. } => self.sign(key, AlgorithmId::RSA_PKCS1_SHA256, challenge),
            _ => Err(Error::new(ErrorKind::Unsupported, "answer the challenge", "keys of this kind do not log in")),
        }
    }

    /// Logs in by the answer of a registered key to the challenge that was asked for last.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]: no key of this holder is registered; [`ErrorKind::Verification`]: the answer is wrong, or the
    /// key has answered already.
    pub fn login_with_answer(&mut self, holder: &[u8], answer: &[u8]) -> Result<()> {
        const WHAT: &str = "log in with the key";
        let choose = Command::ManageSecurityEnvironment(SecurityEnvironment::AuthenticationKey { chr: holder });
        let explain = |error: Error| {
            error
                .explain(
                    Status::REFERENCE_NOT_FOUND,
                    ErrorKind::NotFound,
                    "no such key is registered",
                    "List the slots.",
                )
                .explain(
                    Status::CONDITIONS,
                    ErrorKind::Verification,
                    "the answer is wrong, or this key has answered already",
                    "Get a new challenge.",
                )
        };
        self.call(WHAT, &choose).map_err(explain)?;
        self.call(WHAT, &Command::ExternalAuthenticate { signature: answer }).map(drop).map_err(explain)
    }
}

fn read_login(what: &'static str, answer: &[u8]) -> Result<PublicKeyLogin> {
    match *answer {
        [total, missing, required, authenticated] => Ok(PublicKeyLogin { total, missing, required, authenticated }),
        _ => Err(Error::new(ErrorKind::BadAnswer, what, "the answer has another length")),
    }
}
