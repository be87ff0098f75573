//! A root key in one-time-programmable memory with locked pages, as the RP2350 has it (specification part 3 §6.2).
//!
//! Memory is rows of 24 raw bits, all zero when blank; bits can only be set. An *ECC row* carries 16 data bits and their
//! error correction. A page is 64 rows. Each page may hold one slot:
//!
//! | rows of the page | content |
//! |---|---|
//! | 00..01 | marker, twice, ECC: written last; without it the slot does not count |
//! | 10..1F | the root key, 16 bits a row, ECC |
//! | 30..3F | the complement of the raw 24 bits of rows 10..1F |
//!
//! The complement balances the number of programmed bits of each pair of rows against reading them by their sum. A slot
//! that does not read back as written stays without marker, and the next page is used.
//!
//! A page's second lock row says who may do what for ever: once the marker stands, secure code may only read, everybody
//! else nothing. After the key was read at a start, a register locks the page for everybody until the next reset.

use zeroize::Zeroizing;

/// Rows of a page.
const ROWS: u16 = 64;
/// Pages that may hold the key, in the order in which they are tried: away from what other firmware uses.
const PAGES: [u16; 3] = [57, 56, 55];
const MARKER: u16 = 0x4B46;
const MARKER_ROWS: [u16; 2] = [0x00, 0x01];
const KEY_ROW: u16 = 0x10;
const COMPLEMENT_ROW: u16 = 0x30;
/// Rows of a key.
const KEY_ROWS: u16 = 16;
/// The lock rows of all pages, two each.
const LOCKS: u16 = 0xF80;
/// Secure code reads only, non-secure code and the boot loader nothing; three copies by majority.
const READ_ONLY_LOCK: u32 = 0x3D_3D3D;
const RAW_MASK: u32 = 0xFF_FFFF;

/// Reading or writing one-time-programmable memory failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtpError;

/// One-time-programmable memory.
pub trait Otp {
    /// Reads the 24 raw bits of a row.
    fn read_raw(&mut self, row: u16) -> Result<u32, OtpError>;
    /// Sets bits of a row.
    fn write_raw(&mut self, row: u16, bits: u32) -> Result<(), OtpError>;
    /// Reads the 16 data bits of a row, with errors corrected.
    fn read_ecc(&mut self, row: u16) -> Result<u16, OtpError>;
    /// Writes 16 data bits and their error correction to a blank row.
    fn write_ecc(&mut self, row: u16, data: u16) -> Result<(), OtpError>;
    /// Forbids every access to a page until the next reset.
    fn hide(&mut self, page: u16);
}

/// Reads the root key, and hides it from everything that runs later. `None` if no slot holds one that can be read. A lock
/// that is not set yet is set first.
///
/// Of several slots that count the last counts most: an earlier one was given up when it was written, whatever its marker
/// reads as today.
pub fn take(otp: &mut impl Otp) -> Option<Zeroizing<[u8; 32]>> {
    let mut found = None;
    for page in PAGES {
        if is_marked(otp, page) {
            // A lock that does not hold is no reason to refuse the key; it is tried again at each start.
            let _ = lock_page(otp, page);
            found = read_key(otp, page).ok().or(found);
            otp.hide(page);
        }
    }
    found
}

/// Whether some slot holds a root key.
pub fn is_provisioned(otp: &mut impl Otp) -> bool {
    PAGES.into_iter().any(|page| is_marked(otp, page))
}

/// Burns a root key into the first blank page that reads back as it was written, and locks that page. Not to be undone.
///
/// # Errors
/// A key is there already, or no page is left that works. No key counts then.
pub fn provision(otp: &mut impl Otp, key: &[u8; 32]) -> Result<(), OtpError> {
    if is_provisioned(otp) {
        return Err(OtpError);
    }
    PAGES.into_iter().find_map(|page| burn(otp, page, key).ok()).ok_or(OtpError)
}

fn row(page: u16, offset: u16) -> u16 {
    page.saturating_mul(ROWS).saturating_add(offset)
}

/// The row that says for ever who may do what with a page.
fn lock_row(page: u16) -> u16 {
    LOCKS.saturating_add(page.saturating_mul(2)).saturating_add(1)
}

/// Either copy of the marker counts, so that a slot in use is not lost with one row.
fn is_marked(otp: &mut impl Otp, page: u16) -> bool {
    MARKER_ROWS.into_iter().any(|offset| otp.read_ecc(row(page, offset)) == Ok(MARKER))
}

fn read_key(otp: &mut impl Otp, page: u16) -> Result<Zeroizing<[u8; 32]>, OtpError> {
    let mut key = Zeroizing::new([0; 32]);
    for (n, pair) in (0..KEY_ROWS).zip(key.chunks_exact_mut(2)) {
        let data = otp.read_ecc(row(page, KEY_ROW.saturating_add(n)))?.to_le_bytes();
        pair.copy_from_slice(&data);
    }
    Ok(key)
}

/// Writes, reads back, marks, locks: in this order.
fn burn(otp: &mut impl Otp, page: u16, key: &[u8; 32]) -> Result<(), OtpError> {
    let rows = (0..ROWS).map(|offset| row(page, offset));
    if !rows.chain([lock_row(page)]).all(|row| otp.read_raw(row) == Ok(0)) {
        return Err(OtpError);
    }
    for (n, pair) in (0..KEY_ROWS).zip(key.chunks_exact(2)) {
        let &[low, high] = pair else { return Err(OtpError) };
        otp.write_ecc(row(page, KEY_ROW.saturating_add(n)), u16::from_le_bytes([low, high]))?;
    }
    for n in 0..KEY_ROWS {
        let complement = !otp.read_raw(row(page, KEY_ROW.saturating_add(n)))? & RAW_MASK;
        otp.write_raw(row(page, COMPLEMENT_ROW.saturating_add(n)), complement)?;
    }
    let balanced = (0..KEY_ROWS).all(|n| {
        let key_row = otp.read_raw(row(page, KEY_ROW.saturating_add(n)));
        let complement = otp.read_raw(row(page, COMPLEMENT_ROW.saturating_add(n)));
        matches!((key_row, complement), (Ok(a), Ok(b)) if a ^ b == RAW_MASK)
    });
    if !balanced || *read_key(otp, page)? != *key {
        return Err(OtpError);
    }
    for offset in MARKER_ROWS {
        otp.write_ecc(row(page, offset), MARKER)?;
    }
    if !is_marked(otp, page) {
        return Err(OtpError);
    }
    // The key counts from here on, locked or not: a lock that does not hold is tried again at the next start.
    let _ = lock_page(otp, page);
    Ok(())
}

/// Sets the lock of a page for ever, if it is not set.
fn lock_page(otp: &mut impl Otp, page: u16) -> Result<(), OtpError> {
    let lock = lock_row(page);
    if otp.read_raw(lock)? != READ_ONLY_LOCK {
        otp.write_raw(lock, READ_ONLY_LOCK)?;
    }
    if otp.read_raw(lock)? == READ_ONLY_LOCK { Ok(()) } else { Err(OtpError) }
}

#[cfg(test)]
mod tests;
