//! A password in n parts, of which m give it back (specification part 4 §6.3): Shamir's sharing modulo a safe prime of 64
//! bits, as OpenSC's `sc-hsm-tool` makes and reads it for the password of a DKEK share's file.
//!
//! The prime is public. Each custodian gets its number and value. The tool of OpenSC has two faults that are handled here:
//! it reads the number in hexadecimal though it shows it in decimal (its users type `0A` for 10), and it loses a leading
//! zero byte of the password. Passwords made here have none; both forms of one made there are tried.

use crate::error::{Error, ErrorKind, Result};
use ferrite_crypto::hash::Hash;
use rand_core::{CryptoRng, Rng as _};
use std::fmt;
use zeroize::Zeroizing;

/// Length of a password, in bytes.
pub const PASSWORD: usize = 8;
/// Fewest parts there may be.
pub const MIN_TOTAL: u32 = 3;
/// Most parts there may be.
pub const MAX_TOTAL: u32 = 255;
/// Fewest parts that may give the password back.
pub const MIN_THRESHOLD: u32 = 2;

/// One custodian's part. Its value is secret and is not printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// The prime: public, the same for all.
    pub prime: u64,
    /// The part's number, from 1 on.
    pub id: u32,
    /// The part's value, secret.
    pub value: u64,
}

impl Drop for Part {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.value);
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "part {}", self.id)
    }
}

impl Part {
    /// Reads a part as it was shown: prime and value in hexadecimal, with or without colons, the number in decimal.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`].
    pub fn parse(prime: &str, id: &str, value: &str) -> Result<Self> {
        const WHAT: &str = "read the part";
        let number = |text: &str, why: &'static str| {
            let digits: String = text.chars().filter(|c| *c != ':' && !c.is_whitespace()).collect();
            u64::from_str_radix(&digits, 16).map_err(|_| Error::new(ErrorKind::BadInput, WHAT, why))
        };
        let prime = number(prime, "the prime is no number of up to 16 hexadecimal digits")?;
        let value = number(value, "the value is no number of up to 16 hexadecimal digits")?;
        let id = id.trim().parse().ok().filter(|id| *id > 0);
        let id = id.ok_or_else(|| Error::new(ErrorKind::BadInput, WHAT, "its number is none from 1 on"))?;
        if value >= prime {
            return Err(Error::new(ErrorKind::BadInput, WHAT, "the value is not below the prime: a digit is wrong"));
        }
        Ok(Self { prime, id, value })
    }

    /// The prime, as it is shown.
    pub fn prime_text(&self) -> String {
        colons(self.prime)
    }

    /// The value, as it is shown.
    pub fn value_text(&self) -> Zeroizing<String> {
        Zeroizing::new(colons(self.value))
    }

    /// Four characters that tell a mistyped digit before anything is tried: OpenSC's tool neither shows nor asks them.
    pub fn check_text(&self) -> String {
        let digest =
            Hash::Sha256.digest(&[&self.prime.to_be_bytes(), &self.id.to_be_bytes(), &self.value.to_be_bytes()]);
        digest.as_ref().iter().take(2).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Bytes in hexadecimal with colons, without leading zero bytes.
fn colons(number: u64) -> String {
    let bytes = number.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count().min(7);
    bytes.iter().skip(zeros).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// A random password that can be shared.
///
/// # Errors
/// [`ErrorKind::Io`].
pub fn password() -> Result<Zeroizing<[u8; PASSWORD]>> {
    let mut password = Zeroizing::new([0; PASSWORD]);
    let mut rng = crate::random::generator()?;
    // OpenSC clears the top bit, so that a prime of 64 bits is larger; the first byte is not zero, so that OpenSC finds
    // the password again.
    loop {
        rng.fill_bytes(password.as_mut());
        password[0] &= 0x7F;
        if password[0] != 0 {
            return Ok(password);
        }
    }
}

/// Splits a password into `total` parts, of which any `threshold` give it back.
///
/// # Errors
/// [`ErrorKind::Usage`]: numbers that cannot be, or a password that OpenSC's tool would not find again.
pub fn split(password: &[u8; PASSWORD], total: u32, threshold: u32) -> Result<Vec<Part>> {
    const WHAT: &str = "split the password";
    if !(MIN_TOTAL..=MAX_TOTAL).contains(&total) || !(MIN_THRESHOLD..=total).contains(&threshold) {
        return Err(Error::new(ErrorKind::Usage, WHAT, "these numbers cannot be")
            .advise("There are 3 to 255 parts, and 2 or more of them are needed."));
    }
    if !(0x01..=0x7F).contains(&password[0]) {
        return Err(Error::new(ErrorKind::Usage, WHAT, "it does not start with a byte from 01 to 7F"));
    }
    let mut rng = crate::random::generator()?;
    let prime = safe_prime(&mut rng);
    let mut coefficients = Zeroizing::new(vec![u64::from_be_bytes(*password)]);
    coefficients.extend((1..threshold).map(|_| below(prime, &mut rng)));
    Ok(parts(prime, &coefficients, total))
}

fn parts(prime: u64, coefficients: &[u64], total: u32) -> Vec<Part> {
    let value = |id: u32| {
        // Horner's rule.
        coefficients
            .iter()
            .rev()
            .fold(0, |sum, coefficient| add(multiply(sum, u64::from(id), prime), *coefficient, prime))
    };
    (1..=total).map(|id| Part { prime, id, value: value(id) }).collect()
}

/// Puts a password together again. Which passwords may be meant is tried in this order: without leading zeros, then with
/// them; they are two only if the password starts with a zero byte.
///
/// With too few parts, or a wrong one, the result is another password: only the file that it opens tells.
///
/// # Errors
/// [`ErrorKind::BadInput`]: parts of different passwords, or the same part twice.
pub fn join(parts: &[Part]) -> Result<Vec<Zeroizing<Vec<u8>>>> {
    const WHAT: &str = "put the password together";
    let bad = |why: &'static str| Error::new(ErrorKind::BadInput, WHAT, why);
    let [first, second, ..] = parts else { return Err(bad("two parts are the least that can give one")) };
    let prime = first.prime;
    if parts.iter().any(|part| part.prime != prime) {
        return Err(bad("the parts have different primes, so they belong to different passwords"));
    }
    if prime < 1 << 32 || !is_prime(prime) {
        return Err(bad("the prime is none: a digit is wrong"));
    }
    let is_twice = |at: usize, part: &Part| parts.iter().take(at).any(|earlier| earlier.id == part.id);
    if first.id == second.id || parts.iter().enumerate().any(|(at, part)| is_twice(at, part)) {
        return Err(bad("one part was given twice"));
    }
    let mut secret = Zeroizing::new(0);
    for part in parts {
        // Lagrange's polynomial of this part, at 0.
        let (mut above, mut below) = (1, 1);
        for other in parts.iter().filter(|other| other.id != part.id) {
            let (x, own) = (u64::from(other.id), u64::from(part.id));
            above = multiply(above, x, prime);
            below = multiply(below, add(x, prime - own, prime), prime);
        }
        let weight = multiply(above, power(below, prime - 2, prime), prime);
        *secret = add(*secret, multiply(part.value, weight, prime), prime);
    }
    let padded = Zeroizing::new(secret.to_be_bytes());
    let zeros = padded.iter().take_while(|byte| **byte == 0).count();
    let mut candidates = vec![Zeroizing::new(padded.get(zeros..).unwrap_or_default().to_vec())];
    if zeros > 0 {
        candidates.push(Zeroizing::new(padded.to_vec()));
    }
    Ok(candidates)
}

fn add(a: u64, b: u64, prime: u64) -> u64 {
    // The remainder is below the prime.
    ((u128::from(a) + u128::from(b)) % u128::from(prime)) as u64
}

fn multiply(a: u64, b: u64, prime: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(prime)) as u64
}

fn power(base: u64, exponent: u64, prime: u64) -> u64 {
    (0..64).rev().fold(1, |result, bit| {
        let square = multiply(result, result, prime);
        if exponent >> bit & 1 == 1 { multiply(square, base, prime) } else { square }
    })
}

/// A number below a bound, every one as likely as the others.
fn below(bound: u64, rng: &mut impl CryptoRng) -> u64 {
    loop {
        let candidate = rng.next_u64();
        if candidate < bound {
            return candidate;
        }
    }
}

/// A random prime p of 64 bits for which (p − 1) / 2 is a prime too.
fn safe_prime(rng: &mut impl CryptoRng) -> u64 {
    loop {
        // The top bit is set, and p is 3 modulo 4, as a safe prime is.
        let candidate = rng.next_u64() | 1 << 63 | 3;
        if is_prime(candidate / 2) && is_prime(candidate) {
            return candidate;
        }
    }
}

/// The test of Miller and Rabin with the first twelve primes as bases, which decides for every number of 64 bits
/// (Sorenson and Webster, 2015).
fn is_prime(number: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    if number < 2 {
        return false;
    }
    if let Some(base) = BASES.iter().find(|base| number.is_multiple_of(**base)) {
        return number == *base;
    }
    let twos = (number - 1).trailing_zeros();
    BASES.iter().all(|base| {
        let mut root = power(*base, (number - 1) >> twos, number);
        if root == 1 || root == number - 1 {
            return true;
        }
        (1..twos).any(|_| {
            root = multiply(root, root, number);
            root == number - 1
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(parts: &[&Part]) -> Vec<Vec<u8>> {
        let parts: Vec<Part> = parts.iter().copied().cloned().collect();
        join(&parts).expect("parts that go together").into_iter().map(|candidate| candidate.to_vec()).collect()
    }

    /// Specification part 2 §13.2 and part 4 §6.3.
    #[test]
    fn parts_are_the_published_ones() {
        let prime = 0xF556_46C9_A5A1_0187;
        assert!(is_prime(prime) && is_prime(prime / 2));
        for (coefficients, values) in [
            (
                [0x1122_3344_5566_7788, 0x0123_4567_89AB_CDEF, 0x0FED_CBA9_8765_4321],
                ["2233445566778898", "531fecb986531fea", "a3e82c70b4f93d7e", "1f35bcb14cc8dfcd", "afb52b0e990409e5"],
            ),
            (
                [0x0123_4567_89AB_CDEF, 0x1122_3344_5566_7788, 0x0102_0304_0506_0708],
                ["13477bafe4184c7f", "276fb8004890d91f", "3d9bfa58b71573cf", "55cc42b92fa61c8f", "70009121b242d35f"],
            ),
        ] {
            let made = parts(prime, &coefficients, 5);
            for (part, value) in made.iter().zip(values) {
                assert_eq!(part.value_text().replace(':', ""), value);
            }
            let secret = vec![coefficients[0].to_be_bytes().to_vec()];
            for [a, b, c] in [[0, 1, 2], [4, 1, 3], [2, 0, 4]] {
                assert_eq!(joined(&[&made[a], &made[b], &made[c]]), secret);
            }
            assert_ne!(joined(&[&made[0], &made[1]]), secret, "two are too few");
            assert_eq!(joined(&made.iter().collect::<Vec<_>>()), secret, "more than needed do no harm");
        }
    }

    #[test]
    fn any_threshold_gives_the_password_back_and_fewer_do_not() {
        for (total, threshold) in [(3, 2), (5, 3), (12, 12), (20, 4)] {
            let secret = password().expect("random numbers");
            let made = split(&secret, total, threshold).expect("parts");
            let mut ids: Vec<usize> = (0..total as usize).collect();
            ids.rotate_left(total as usize / 2);
            let chosen: Vec<&Part> = ids.iter().take(threshold as usize).map(|at| &made[*at]).collect();
            assert_eq!(joined(&chosen), [secret.to_vec()]);
            if threshold > 2 {
                assert_ne!(joined(&chosen[1..]), [secret.to_vec()]);
            }
            assert!(is_prime(made[0].prime) && is_prime(made[0].prime / 2) && made[0].prime >> 63 == 1);
        }
        for (total, threshold) in [(2, 2), (3, 1), (3, 4), (256, 2)] {
            assert!(split(&[1; 8], total, threshold).is_err());
        }
        assert!(split(&[0; 8], 3, 2).is_err() && split(&[0x80; 8], 3, 2).is_err());
    }

    #[test]
    fn parts_are_read_as_they_are_shown_and_typing_errors_found() {
        let made = split(&[1, 2, 3, 4, 5, 6, 7, 8], 12, 2).expect("parts");
        for part in &made {
            let read = Part::parse(&part.prime_text(), &part.id.to_string(), &part.value_text()).expect("a part");
            assert_eq!((&read, read.check_text()), (part, part.check_text()));
            let other = Part { value: part.value ^ 1, ..part.clone() };
            assert_ne!(other.check_text(), part.check_text());
        }
        assert!(Part::parse("7", "1", "8").is_err());
        assert!(Part::parse("g", "1", "8").is_err());
        assert!(Part::parse("ff", "0", "8").is_err());
        assert!(join(&made[..1]).is_err());
        assert!(join(&[made[0].clone(), made[0].clone()]).is_err());
        let other = Part { prime: made[1].prime ^ 2, ..made[1].clone() };
        assert!(join(&[made[0].clone(), other]).is_err());
    }

    #[test]
    fn a_password_with_leading_zeros_has_two_candidates() {
        let prime = 0xF556_46C9_A5A1_0187;
        let made = parts(prime, &[0x0023_4567_89AB_CDEF, 5], 3);
        let secret = 0x0023_4567_89AB_CDEF_u64.to_be_bytes().to_vec();
        assert_eq!(joined(&[&made[0], &made[2]]), [secret[1..].to_vec(), secret]);
        assert_eq!(colons(0x0023_0000_0000_0001), "23:00:00:00:00:00:01");
        assert_eq!(colons(0), "00");
    }
}
