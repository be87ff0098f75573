//! Hierarchical deterministic keys (specification part 2 §6).

use super::Hsm;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::Transport;
use ferrite_proto::command::{AlgorithmId, Command, Direction, Path, PathStep, Secret, SeedKind, SymmetricOperation};
use ferrite_proto::fid::KeyId;
use ferrite_proto::status::Status;
use ferrite_proto::tlv::Writer;
use zeroize::Zeroizing;

impl<T: Transport> Hsm<T> {
    /// Makes a master seed from the bytes given, 16 to 64, or from random ones. One that is there is replaced, which the
    /// device wants confirmed.
    ///
    /// # Errors
    /// [`ErrorKind::NotLoggedIn`], [`ErrorKind::NotConfirmed`], [`ErrorKind::Refused`].
    pub fn create_seed(&mut self, seed: u8, kind: SeedKind, secret: Option<&[u8]>) -> Result<()> {
        let what = format!("make wallet {seed}");
        self.call(&what, &Command::CreateSeed { kind, seed, secret: secret.map(Secret) })
            .map(drop)
            .map_err(explain_node)
    }

    /// The public form of a node: a serialised extended public key, without checksum; for a symmetric node its
    /// fingerprint.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]: there is no such wallet.
    pub fn public_node(&mut self, seed: u8, steps: &[PathStep<'_>]) -> Result<Vec<u8>> {
        let what = format!("show a node of wallet {seed}");
        let path = encode_path(&what, steps)?;
        let path = new_path(&what, seed, &path)?;
        let answer = self.call(&what, &Command::PublicNode { path }).map_err(explain_node)?;
        Ok(answer.to_vec())
    }

    /// Signs a digest with a node (ECDSA); the signature is in DER form.
    ///
    /// # Errors
    /// As [`Hsm::public_node`].
    pub fn sign_with_node(&mut self, seed: u8, steps: &[PathStep<'_>], digest: &[u8]) -> Result<Vec<u8>> {
        let what = format!("sign with a node of wallet {seed}");
        let path = encode_path(&what, steps)?;
        let path = new_path(&what, seed, &path)?;
        let sign = Command::Sign { key: KeyId::DEVICE, algorithm: AlgorithmId::HD_SIGN, data: digest };
        let answer = self.call_in_turn(&what, &[Command::SelectNode { path }, sign]).map_err(explain_node)?;
        Ok(answer.to_vec())
    }

    /// Encrypts or decrypts whole blocks with a symmetric node. `associated` separates uses; without an initialisation
    /// vector the node has one of its own.
    ///
    /// # Errors
    /// As [`Hsm::public_node`].
    pub fn cipher_with_node(
        &mut self,
        seed: u8,
        steps: &[PathStep<'_>],
        direction: Direction,
        associated: &[u8],
        iv: Option<&[u8; 16]>,
        data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        let what = format!("use a node of wallet {seed}");
        let path = encode_path(&what, steps)?;
        let path = new_path(&what, seed, &path)?;
        let operation = SymmetricOperation::Node { direction, associated, iv, data: Secret(data) };
        let len = data.len().saturating_add(associated.len()).saturating_add(64);
        let mut content = Zeroizing::new(vec![0; len]);
        let (algorithm, len) = operation
            .write(&mut content)
            .map_err(|_| Error::new(ErrorKind::Usage, what.clone(), "that is more than a command can carry"))?;
        content.truncate(len);
        let cipher = Command::SymmetricCipher { key: KeyId::DEVICE, algorithm, data: Secret(&content), len: None };
        self.call_in_turn(&what, &[Command::SelectNode { path }, cipher]).map_err(explain_node)
    }
}

fn encode_path(what: &str, steps: &[PathStep<'_>]) -> Result<Vec<u8>> {
    let len = |step: &PathStep<'_>| match step {
        PathStep::Number(_) => 6,
        PathStep::Label(label) => label.len().saturating_add(6),
    };
    let mut out = vec![0; steps.iter().map(len).sum()];
    let mut writer = Writer::new(&mut out);
    steps.iter().for_each(|step| step.write_to(&mut writer));
    let len = writer.finish();
    let len = len.map_err(|_| Error::new(ErrorKind::Usage, what.to_owned(), "the path is too long"))?;
    out.truncate(len);
    Ok(out)
}

fn new_path<'a>(what: &str, seed: u8, steps: &'a [u8]) -> Result<Path<'a>> {
    Path::new(seed, steps).map_err(|_| {
        Error::new(ErrorKind::Usage, what.to_owned(), "there is no such wallet, or the path is too long")
            .advise("Wallets have the numbers 0 to 9, paths up to 255 steps.")
    })
}

fn explain_node(error: Error) -> Error {
    error
        .lacks("this card has no wallets")
        .explain(
            Status::EXECUTION,
            ErrorKind::NotFound,
            "there is no such wallet",
            "Make it first: from a seed of your own, or a random one.",
        )
        .explain(
            Status::WRONG_DATA,
            ErrorKind::Usage,
            "the path has a step that this kind of wallet does not take",
            "secp256k1 and P-256 take numbers, symmetric wallets labels.",
        )
}
