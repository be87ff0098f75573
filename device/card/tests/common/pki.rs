//! A certificate authority for devices, and the commands by which a card learns whom to trust.

use super::{Device, USER_PIN, apdu, read, sign, tlv, update};
use ferrite_crypto::Sequential;
use ferrite_crypto::drbg::Drbg;
use ferrite_crypto::ec::{Curve, PrivateKey};
use ferrite_crypto::hash::Hash;
use ferrite_crypto::rsa;
use ferrite_proto::cvc::{
    self, Body, Certificate, DomainParameters, PublicKey, Request, Role, RsaPadding, SignatureHash, Validity,
};

/// First bytes of the rights of a root, of an issuer of device certificates, of a device.
pub const ROOT: Option<u8> = Some(0xC0);
pub const ISSUER: Option<u8> = Some(0x80);
pub const DEVICE: Option<u8> = Some(0x00);

pub const HASHES: [(SignatureHash, Hash); 5] = [
    (SignatureHash::Sha1, Hash::Sha1),
    (SignatureHash::Sha224, Hash::Sha224),
    (SignatureHash::Sha256, Hash::Sha256),
    (SignatureHash::Sha384, Hash::Sha384),
    (SignatureHash::Sha512, Hash::Sha512),
];

enum Secret {
    Ec(PrivateKey),
    Rsa(Box<rsa::PrivateKey>),
}

/// Somebody who signs certificates and requests.
pub struct Signer {
    secret: Secret,
    public: Vec<u8>,
    pub chr: String,
    padding: RsaPadding,
    hash: (SignatureHash, Hash),
    /// Whether its certificate names the curve.
    pub with_domain: bool,
}

impl Signer {
    pub fn new(chr: &str, curve: Curve) -> Self {
        let mut seed = [0; 32];
        seed.iter_mut().zip(chr.bytes()).for_each(|(to, from)| *to = from);
        let secret = PrivateKey::generate(curve, &mut Drbg::new(&seed, &[], &[]));
        Self::with(chr, secret)
    }

    pub fn with(chr: &str, secret: PrivateKey) -> Self {
        let public = secret.public_key().unwrap().as_ref().to_vec();
        let (padding, hash) = (RsaPadding::Pkcs1, HASHES[2]);
        Self { secret: Secret::Ec(secret), public, chr: chr.into(), padding, hash, with_domain: true }
    }

    /// The RSA-1024 key of the specification's vector V4.
    pub fn rsa(chr: &str, padding: RsaPadding) -> Self {
        let bytes = |text| hex::decode(text).unwrap();
        let p = bytes(
            "EE96772232487FB3A058D58F2C310023E07E4017C94D56CC5FAE4B54B44605F42A75B0B1F358991F8C6CBE9B68B64E5B2A09D0AD23FCAC07EE9A9198A745E1EB",
        );
        let q = bytes(
            "D29872838CB9CFE6578E11F0A323438AEE5AE7F61D41412D62DB72B25DAC52019DE2D6A355EB2D033336FB70E73F0EC0AFECA3EF36DD8A90D83F998FEE23B81B",
        );
        let secret = rsa::PrivateKey::from_primes(&p, &q).unwrap();
        let mut modulus = vec![0; secret.len()];
        secret.modulus(&mut modulus).unwrap();
        let secret = Secret::Rsa(Box::new(secret));
        Self { secret, public: modulus, chr: chr.into(), padding, hash: HASHES[2], with_domain: false }
    }

    /// The same key under another name.
    pub fn named(self, chr: &str) -> Self {
        Self { chr: chr.into(), ..self }
    }

    pub fn hashing(self, hash: (SignatureHash, Hash)) -> Self {
        Self { hash, ..self }
    }

    /// Its certificate below a root that names the curve names none.
    pub fn without_domain(self) -> Self {
        Self { with_domain: false, ..self }
    }

    pub fn public_key(&self) -> PublicKey<'_> {
        match &self.secret {
            Secret::Ec(key) => {
                let domain = self.with_domain.then(|| parameters(key.curve()));
                PublicKey::Ec { hash: self.hash.0, domain, point: &self.public }
            }
            Secret::Rsa(_) => {
                PublicKey::Rsa { padding: self.padding, hash: self.hash.0, modulus: &self.public, exponent: &[1, 0, 1] }
            }
        }
    }

    /// Signs a message as its public key says.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let digest = self.hash.1.digest(&[message]);
        let mut rng = Drbg::new(&[3; 32], &[], &[]);
        let mut out = vec![0; 512];
        let len = match (&self.secret, self.padding) {
            (Secret::Ec(key), _) => key.sign(digest.as_ref(), &mut rng).unwrap().to_raw(&mut out),
            (Secret::Rsa(key), RsaPadding::Pkcs1) => {
                key.sign_pkcs1_digest(self.hash.1, digest.as_ref(), &mut out, &mut rng, &mut Sequential)
            }
            (Secret::Rsa(key), RsaPadding::Pss) => {
                key.sign_pss(self.hash.1, digest.as_ref(), &mut out, &mut rng, &mut Sequential)
            }
        };
        out.truncate(len.unwrap());
        out
    }

    /// Signs a body.
    pub fn certify(&self, body: &Body<'_>) -> Vec<u8> {
        let mut tlv = vec![0; 2000];
        let len = body.write(&mut tlv).unwrap();
        let mut out = vec![0; 3000];
        let len = cvc::write_certificate(&tlv[..len], &self.sign(&tlv[..len]), &mut out).unwrap();
        out.truncate(len);
        out
    }

    /// A certificate for a key.
    pub fn issue(&self, chr: &str, public_key: PublicKey<'_>, rights: Option<u8>) -> Vec<u8> {
        let rights = rights.map(|rights| [rights]);
        let role = rights.as_ref().map(|rights| Role { rights, ..Role::SELF_ISSUED });
        let validity = role.map(|_| Validity::SELF_ISSUED);
        let (car, chr) = (self.chr.as_bytes(), chr.as_bytes());
        self.certify(&Body { car, public_key, chr, role, validity, extensions: None })
    }

    /// A certificate for another signer.
    pub fn issue_to(&self, other: &Signer, rights: Option<u8>) -> Vec<u8> {
        self.issue(&other.chr, other.public_key(), rights)
    }

    /// Its own certificate, by itself.
    pub fn self_signed(&self, rights: Option<u8>) -> Vec<u8> {
        self.issue_to(self, rights)
    }

    /// A request for its key, attested by another.
    pub fn request(&self, extensions: Option<&[u8]>, device: &Signer) -> Vec<u8> {
        let chr = self.chr.as_bytes();
        let inner = self.certify(&Body {
            car: chr,
            public_key: self.public_key(),
            chr,
            role: None,
            validity: None,
            extensions,
        });
        attest(&inner, &device.chr, device)
    }
}

/// Puts an outer signature around a request.
pub fn attest(inner: &[u8], car: &str, device: &Signer) -> Vec<u8> {
    let signed = [inner, &tlv(&[0x42], car.as_bytes())].concat();
    let mut out = vec![0; 3000];
    let len = cvc::write_request(inner, car.as_bytes(), &device.sign(&signed), &mut out).unwrap();
    out.truncate(len);
    out
}

pub fn parameters(curve: Curve) -> DomainParameters<'static> {
    let domain = curve.domain();
    DomainParameters {
        prime: domain.prime,
        a: domain.a,
        b: domain.b,
        generator: domain.generator,
        order: domain.order,
        cofactor: 1,
    }
}

/// MANAGE SECURITY ENVIRONMENT for a certificate (B6) or a registered key (A4).
pub fn choose(template: u8, chr: &str) -> Vec<u8> {
    apdu(0x00, 0x22, 0x81, template, &tlv(&[0x83], chr.as_bytes()), None)
}

/// VERIFY CERTIFICATE with the content of a 7F21, as clients send it.
pub fn verify_certificate(certificate: &[u8]) -> Vec<u8> {
    apdu(0x00, 0x2A, 0x00, 0xBE, &content(certificate), None)
}

/// The value of the first data object.
pub fn content(object: &[u8]) -> Vec<u8> {
    ferrite_proto::tlv::split(object).unwrap().value.to_vec()
}

impl Device {
    /// Has the card believe a certificate, by the way clients take.
    pub fn import(&mut self, certificate: &[u8]) {
        let (parsed, _) = Certificate::parse(certificate).unwrap();
        let name = |name: &[u8]| String::from_utf8(name.to_vec()).unwrap();
        if self.status(&choose(0xB6, &name(parsed.body.chr))) == 0x6A88 {
            self.ok(&choose(0xB6, &name(parsed.body.car)));
            self.ok(&verify_certificate(certificate));
        }
    }

    /// The device's name: holder reference of its first certificate.
    pub fn name(&mut self) -> String {
        let file = self.ok(&read(0x2F02, 0));
        let (certificate, _) = Certificate::parse(&file).unwrap();
        String::from_utf8(certificate.body.chr.to_vec()).unwrap()
    }

    /// Gives an initialised device a certificate of its own from an issuer, with the issuer's and its root's.
    pub fn enrol(&mut self, chr: &str, issuer: &Signer, above: &[Vec<u8>]) -> Vec<u8> {
        self.ok(&super::verify(0x81, USER_PIN));
        let file = self.ok(&read(0xCE00, 0));
        let request = Request::parse(&file).unwrap();
        let PublicKey::Ec { hash, point, .. } = request.certificate.body.public_key else { panic!("no EC key") };
        let certificate = issuer.issue(chr, PublicKey::Ec { hash, domain: None, point }, DEVICE);
        self.ok(&update(0x2F02, 0, &[std::slice::from_ref(&certificate), above].concat().concat()));
        self.select();
        certificate
    }

    /// A signature with SHA-256 by a P-256 key, as r and s.
    pub fn sign_raw(&mut self, key: u8, message: &[u8]) -> Vec<u8> {
        let der = self.ok(&sign(key, 0x73, message));
        let mut integers = ferrite_proto::tlv::Reader::new(&der[2..]);
        let mut number = || {
            let (_, value) = integers.next().unwrap().unwrap();
            let value = value.strip_prefix(&[0]).unwrap_or(value);
            [&vec![0; 32 - value.len()], value].concat()
        };
        [number(), number()].concat()
    }

    /// What makes the device a member of a group: data of KEY DOMAIN.
    pub fn membership(&mut self, group: &Signer) -> Vec<u8> {
        let file = self.ok(&read(0xCE00, 0));
        let request = Request::parse(&file).unwrap();
        let PublicKey::Ec { point, .. } = request.certificate.body.public_key else { panic!("no EC key") };
        let signature = group.sign(&[&[0x54], &point[1..33]].concat());
        [group.self_signed(None), tlv(&[0x54], &signature)].concat()
    }
}
