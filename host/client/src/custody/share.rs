//! DKEK shares in files under a password (specification part 4 §6.1): `Salted__`, a salt of 8 bytes, 48 bytes of AES-256-CBC.
//!
//! The key comes from the password by MD5, ten million times over; there is no authentication but the padding, a whole
//! block of which has to be right.

use crate::error::{Error, ErrorKind, Result};
use ferrite_crypto::cipher::{Direction, Mode, apply};
use ferrite_crypto::dkek::{self, Dkek};
use rand_core::Rng as _;
use zeroize::{Zeroize as _, Zeroizing};

/// Length of a file, in bytes. What follows does not count.
pub const FILE: usize = 64;
/// Length of the salt, in bytes.
pub const SALT: usize = 8;
const MAGIC: &[u8; 8] = b"Salted__";
const PADDING: [u8; 16] = [16; 16];
const ITERATIONS: u32 = 10_000_000;
/// Iterations between two reports of progress.
const STEP: u32 = 1 << 18;

/// A share of a DKEK. It wipes itself and cannot be printed.
pub struct Share(Zeroizing<[u8; dkek::LEN]>);

impl Share {
    /// A share of random bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Io`].
    pub fn generate() -> Result<Self> {
        let mut share = Zeroizing::new([0; dkek::LEN]);
        crate::random::generator()?.fill_bytes(share.as_mut());
        Ok(Self(share))
    }

    /// A share from its bytes.
    pub fn from_bytes(bytes: &[u8; dkek::LEN]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// The share's bytes, secret.
    pub fn as_bytes(&self) -> &[u8; dkek::LEN] {
        &self.0
    }

    /// Whether both are the same share: together they cancel out.
    pub fn is(&self, other: &Self) -> bool {
        // Both are this user's own; nobody measures how long it takes.
        self.0 == other.0
    }
}

/// The DKEK that shares make together. Their order does not matter.
///
/// # Errors
/// [`ErrorKind::Usage`]: there is none, or the same one twice.
pub fn join(shares: &[Share]) -> Result<Dkek> {
    const WHAT: &str = "put the DKEK together";
    if shares.is_empty() {
        return Err(Error::new(ErrorKind::Usage, WHAT, "there are no shares"));
    }
    let mut sum = Dkek::empty();
    for (at, share) in shares.iter().enumerate() {
        if shares.iter().take(at).any(|earlier| earlier.is(share)) {
            return Err(Error::new(ErrorKind::Usage, WHAT, "one share was given twice")
                .advise("Twice the same share cancels out. Give each file once."));
        }
        sum.add(share.as_bytes());
    }
    Ok(sum)
}

/// Encrypts a share into a file. It takes some seconds; `progress` is told how many percent are done.
///
/// # Errors
/// [`ErrorKind::Io`]: no random numbers.
pub fn seal(share: &Share, password: &[u8], progress: &mut dyn FnMut(u8)) -> Result<[u8; FILE]> {
    let mut salt = [0; SALT];
    crate::random::generator()?.fill_bytes(&mut salt);
    seal_with(share, password, &salt, progress)
}

fn seal_with(share: &Share, password: &[u8], salt: &[u8; SALT], progress: &mut dyn FnMut(u8)) -> Result<[u8; FILE]> {
    let key_and_iv = stretch(password, salt, progress);
    let mut file = [0; FILE];
    file[..8].copy_from_slice(MAGIC);
    file[8..16].copy_from_slice(salt);
    file[16..48].copy_from_slice(share.as_bytes());
    file[48..].copy_from_slice(&PADDING);
    crypt(&key_and_iv, Direction::Encrypt, &mut file[16..])?;
    Ok(file)
}

/// Decrypts a share. It takes some seconds; `progress` is told how many percent are done.
///
/// # Errors
/// [`ErrorKind::BadInput`]: this is no such file; [`ErrorKind::WrongPassword`].
pub fn open(file: &[u8], password: &[u8], progress: &mut dyn FnMut(u8)) -> Result<Share> {
    const WHAT: &str = "open the DKEK share";
    let file = file.first_chunk::<FILE>().filter(|file| file.starts_with(MAGIC));
    let file = file.ok_or_else(|| Error::new(ErrorKind::BadInput, WHAT, "the file is no DKEK share"))?;
    let salt = std::array::from_fn(|at| file[8 + at]);
    let key_and_iv = stretch(password, &salt, progress);
    let mut content = Zeroizing::new([0; 48]);
    content.copy_from_slice(&file[16..]);
    crypt(&key_and_iv, Direction::Decrypt, content.as_mut())?;
    if content[32..] != PADDING {
        return Err(Error::new(ErrorKind::WrongPassword, WHAT, "the password is wrong, or the file is damaged")
            .advise("Try again. Nothing counts the tries."));
    }
    Ok(Share(Zeroizing::new(std::array::from_fn(|at| content[at]))))
}

fn crypt(key_and_iv: &[u8; 48], direction: Direction, data: &mut [u8]) -> Result<()> {
    let iv = std::array::from_fn(|at| key_and_iv[32 + at]);
    apply(Mode::Cbc, direction, &key_and_iv[..32], &iv, data)
        .map_err(|_| Error::new(ErrorKind::BadInput, "use the DKEK share", "its length is wrong"))
}

/// EVP_BytesToKey with MD5: key (32) and initialisation vector (16).
fn stretch(password: &[u8], salt: &[u8; SALT], progress: &mut dyn FnMut(u8)) -> Zeroizing<[u8; 48]> {
    let mut out = Zeroizing::new([0; 48]);
    let mut previous: Zeroizing<Vec<u8>> = Zeroizing::new(Vec::new());
    for part in 0..3_u64 {
        let message = Zeroizing::new([previous.as_slice(), password, salt].concat());
        let digest = Zeroizing::new(repeated(&message, &mut |done| {
            let all = part * u64::from(ITERATIONS) + u64::from(done);
            progress(u8::try_from(all * 100 / (3 * u64::from(ITERATIONS))).unwrap_or(100));
        }));
        out.iter_mut().skip(16 * part as usize).zip(digest.iter()).for_each(|(to, from)| *to = *from);
        previous = Zeroizing::new(digest.to_vec());
    }
    progress(100);
    out
}

/// MD5 of the message, and of each digest in turn.
fn repeated(message: &[u8], progress: &mut dyn FnMut(u32)) -> [u8; 16] {
    use md5::Digest as _;
    let first = md5::Md5::digest(message);
    // A digest is one block of the compression function: the digest, the bit 1, zeros, its length in bits.
    let mut block = [0_u8; 64];
    block[..16].copy_from_slice(&first);
    block[16] = 0x80;
    block[56] = 128;
    for done in 1..ITERATIONS {
        let mut state = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476];
        md5::block_api::compress(&mut state, std::slice::from_ref(&block));
        for (to, word) in block.chunks_exact_mut(4).zip(state) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        if done % STEP == 0 {
            progress(done);
        }
    }
    let digest = std::array::from_fn(|at| block[at]);
    block.zeroize();
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Specification part 2 §13.1.
    #[test]
    fn a_file_is_the_published_one() {
        let share = Share::from_bytes(&std::array::from_fn(|at| at as u8));
        let mut reports = Vec::new();
        let file = seal_with(&share, b"password1234", &[1, 2, 3, 4, 5, 6, 7, 8], &mut |percent| reports.push(percent));
        assert_eq!(
            hex::encode_upper(file.expect("sealed")),
            "53616C7465645F5F010203040506070842BA3244810FE218DFE69B0A94C908C3E4147EE09958A187AE7A2CB29A55485FF3E4FE8661649701F3B16\
             28045C3C1FA"
        );
        assert!(reports.is_sorted() && reports.len() > 50 && reports.last() == Some(&100));
    }

    /// Specification part 4 §6.1: written by OpenSC's tool.
    #[test]
    fn the_file_of_another_program_opens() {
        let file = hex::decode(
            "53616c7465645f5f5aa3354c52c7187ea4ce464d07bcf7b5c83b04c2ddcefde80a55af3bd3c87f52b5e5f15867edf88781d7ae0714c290aac32\
             187e84e753acc",
        )
        .expect("hexadecimal");
        let share = open(&file, b"test1234", &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(hex::encode(share.as_bytes()), "575e345301a0c77c865006526f7fa962f6728825dd37096c5befb0ec9b7e23e6");
        let dkek = join(&[share]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(hex::encode(dkek.check_value()), "3071685b92c4c61f");
        let kind = |result: Result<Share>| result.err().map(|error| error.kind());
        assert_eq!(kind(open(&file, b"test1235", &mut |_| {})), Some(ErrorKind::WrongPassword));
        assert_eq!(kind(open(&file[..63], b"test1234", &mut |_| {})), Some(ErrorKind::BadInput));
    }

    #[test]
    fn the_same_share_twice_is_refused() {
        let kind = |shares: &[Share]| join(shares).err().map(|error| error.kind());
        let [one, two] = [1, 2].map(|byte| move || Share::from_bytes(&[byte; 32]));
        assert_eq!(kind(&[]), Some(ErrorKind::Usage));
        assert_eq!(kind(&[one(), two(), one()]), Some(ErrorKind::Usage));
        let dkek = join(&[two(), one()]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(hex::encode_upper(dkek.check_value()), "648AA5C579FB30F3");
    }
}
