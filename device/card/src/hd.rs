//! Hierarchical deterministic keys: master seeds, the nodes below them, and what the selected node does (specification
//! part 2 §1.5 and §6).
//!
//! A seed cannot be listed, read or deleted; a new one takes its place, or INITIALIZE removes it. The selected node serves
//! one signature or one encryption. Logging in or out, SELECT of an application, INITIALIZE and any command that fails
//! forget it.

use crate::config::SEED;
use crate::configuration;
use crate::error;
use crate::hsm::Hsm;
use crate::platform::Platform;
use crate::response::Response;
use crate::sign::ecdsa;
use ferrite_crypto::cipher;
use ferrite_crypto::hd::{self, Kind, Node, Step};
use ferrite_proto::command::{Direction, Instruction, Path, PathStep, SeedKind};
use ferrite_proto::status::Status;
use ferrite_store::{Change, Flash, ObjectId, Seal};
use rand_core::Rng as _;
use zeroize::Zeroizing;

/// Length of a seed that is made here, in bytes.
const NEW_SEED: usize = 64;
/// Length of the key of the node's cipher, in bytes; the rest of what the node gives is the initialisation vector.
const CIPHER_KEY: usize = 32;

/// Where a master seed's node lies.
fn seed_object(seed: u8) -> ObjectId {
    ObjectId(SEED.0.saturating_add(u16::from(seed)))
}

impl<P: Platform, F: Flash> Hsm<'_, P, F> {
    /// Makes a master node from the host's seed or from random bytes. What is lost when a seed is replaced may be worth a
    /// fortune: then the user must be present whatever the options say.
    pub(crate) fn create_seed(&mut self, kind: SeedKind, seed: u8, secret: Option<&[u8]>) -> Result<(), Status> {
        self.demand_curves(configuration::of_seed(kind))?;
        let kind = match kind {
            SeedKind::Secp256k1 => Kind::Secp256k1,
            SeedKind::P256 => Kind::P256,
            SeedKind::Symmetric => Kind::Symmetric,
        };
        let rng = self.random.fresh(&mut self.platform).map_err(error::entropy)?;
        let master = match secret {
            Some(secret) => Node::master(kind, secret),
            None => {
                let mut secret = Zeroizing::new([0; NEW_SEED]);
                rng.fill_bytes(secret.as_mut());
                Node::master(kind, secret.as_ref())
            }
        };
        let stored = master.map_err(error::crypto)?.to_bytes();
        let occupant = self.storage.open()?.info(seed_object(seed)).map_err(error::storage)?;
        if occupant.is_some() {
            self.ask_presence(Status::PRESENCE)?;
        } else {
            self.confirm_presence(Instruction::HierarchicalKeys, Status::PRESENCE)?;
        }
        let kek = self.session.mkek()?.kek();
        let content = stored.as_ref();
        let seal = Seal::Secret(&kek);
        let change = Change::Put { id: seed_object(seed), seal, meta: &[], content, counter: None };
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        self.storage.open()?.commit(&[change], rng).map_err(error::storage)
    }

    /// The public form of a node (specification part 2 §6.4).
    pub(crate) fn public_node(&mut self, path: Path<'_>, response: &mut Response<'_>) -> Result<(), Status> {
        let public = self.node(path)?.public().map_err(error::crypto)?;
        response.put(public.as_ref())
    }

    /// Keeps a node for the next signature or encryption.
    pub(crate) fn select_node(&mut self, path: Path<'_>) -> Result<(), Status> {
        self.session.selected = Some(self.node(path)?);
        Ok(())
    }

    /// ECDSA over a digest with the selected node, which is used up. 6985 if none is selected, or a symmetric one.
    pub(crate) fn sign_with_node(&mut self, digest: &[u8], response: &mut Response<'_>) -> Result<(), Status> {
        let node = self.session.selected.take().ok_or(Status::CONDITIONS)?;
        let key = node.private_key().map_err(error::crypto)?.ok_or(Status::CONDITIONS)?;
        self.confirm_presence(Instruction::Sign, Status::PRESENCE)?;
        let rng = self.random.generator(&mut self.platform).map_err(error::entropy)?;
        let written = ecdsa(&key, digest, rng, response.space()).map_err(error::crypto)?;
        response.advance(written)
    }

    /// AES-256-CBC with the selected node, which is used up. 6A80 if none is selected, or one that signs; 6400 for data
    /// that does not consist of whole blocks.
    pub(crate) fn encrypt_with_node(
        &mut self,
        direction: Direction,
        associated: &[u8],
        iv: Option<&[u8; cipher::BLOCK]>,
        data: &[u8],
        response: &mut Response<'_>,
    ) -> Result<(), Status> {
        self.confirm_presence(Instruction::SymmetricCipher, Status::PRESENCE)?;
        let node = self.session.selected.take().ok_or(Status::WRONG_DATA)?;
        let secret = node.cipher_key(associated).ok_or(Status::WRONG_DATA)?;
        let (key, own_iv) = secret.as_ref().split_at_checked(CIPHER_KEY).ok_or(Status::INTERNAL)?;
        let own_iv = own_iv.try_into().map_err(|_| Status::INTERNAL)?;
        crate::cipher::cbc(direction, key, iv.unwrap_or(own_iv), data, response).map_err(|failure| failure.status)
    }

    /// The node at the end of a path. 6400 if there is no such seed, 6A80 for a step that its kind does not take.
    fn node(&mut self, path: Path<'_>) -> Result<Node, Status> {
        let kek = self.session.mkek()?.kek();
        let mut stored = Zeroizing::new([0; hd::STORED]);
        let store = self.storage.open()?;
        let read = store.read(seed_object(path.seed()), Seal::Secret(&kek), 0, stored.as_mut());
        match read {
            Ok(hd::STORED) => {}
            Ok(_) => return Err(Status::MEMORY_FAILURE),
            Err(ferrite_store::Error::NotFound) => return Err(Status::EXECUTION),
            Err(other) => return Err(error::storage(other)),
        }
        let mut node = Node::from_bytes(&stored).map_err(|_| Status::MEMORY_FAILURE)?;
        for step in path.steps() {
            let step = match step {
                PathStep::Number(number) => Step::Number(number),
                PathStep::Label(label) => Step::Label(label),
            };
            node = node.child(step).map_err(|_| Status::WRONG_DATA)?;
        }
        Ok(node)
    }
}
