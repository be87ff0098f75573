//! The slots against a memory that behaves like the chip's: bits that are only ever set, locks that lock, writes that
//! stop working.

use super::*;
use std::vec;
use std::vec::Vec;

const KEY: [u8; 32] = *b"0123456789abcdefABCDEF!?01234567";

/// A chip. Its ECC is a mere checksum: what matters is that a row written twice no longer reads as either value.
struct Chip {
    rows: Vec<u32>,
    hidden: Vec<u16>,
    /// How many writes go through before the power is cut.
    writes_left: usize,
    /// A row in which a bit is stuck at zero.
    stuck: Option<u16>,
    /// A row that cannot be read.
    unreadable: Option<u16>,
}

impl Chip {
    fn blank() -> Self {
        Self { rows: vec![0; 4096], hidden: Vec::new(), writes_left: usize::MAX, stuck: None, unreadable: None }
    }

    fn restart(&mut self) {
        self.hidden.clear();
        self.writes_left = usize::MAX;
    }

    fn may_write(&mut self, row: u16) -> Result<(), OtpError> {
        let lock = self.rows[usize::from(0xF80 + row / 64 * 2 + 1)];
        if self.writes_left == 0 || lock & 0b11 != 0 || self.hidden.contains(&(row / 64)) {
            return Err(OtpError);
        }
        self.writes_left -= 1;
        Ok(())
    }
}

fn code(data: u16) -> u32 {
    u32::from(data) | u32::from(data.to_le_bytes()[0].wrapping_mul(31) ^ data.to_le_bytes()[1] ^ 0x5A) << 16
}

impl Otp for Chip {
    fn read_raw(&mut self, row: u16) -> Result<u32, OtpError> {
        if self.hidden.contains(&(row / 64)) || self.unreadable == Some(row) {
            Err(OtpError)
        } else {
            Ok(self.rows[usize::from(row)])
        }
    }
    fn write_raw(&mut self, row: u16, bits: u32) -> Result<(), OtpError> {
        self.may_write(row)?;
        let stuck = if self.stuck == Some(row) { !4 } else { !0 };
        self.rows[usize::from(row)] |= bits & stuck;
        Ok(())
    }
    fn read_ecc(&mut self, row: u16) -> Result<u16, OtpError> {
        Ok(match self.read_raw(row)? {
            0 => 0,
            raw if code(raw as u16) == raw => raw as u16,
            raw => raw as u16 ^ 0x0100,
        })
    }
    fn write_ecc(&mut self, row: u16, data: u16) -> Result<(), OtpError> {
        self.write_raw(row, code(data))
    }
    fn hide(&mut self, page: u16) {
        self.hidden.push(page);
    }
}

#[test]
fn a_key_burnt_is_read_once_for_each_start_and_then_hidden() {
    let mut chip = Chip::blank();
    assert!(take(&mut chip).is_none() && !is_provisioned(&mut chip));
    provision(&mut chip, &KEY).unwrap();
    for _ in 0..2 {
        assert!(is_provisioned(&mut chip));
        assert_eq!(*take(&mut chip).unwrap(), KEY);
        assert!(take(&mut chip).is_none(), "hidden until the next start");
        chip.restart();
    }
}

#[test]
fn the_page_is_locked_and_its_bits_are_balanced() {
    let mut chip = Chip::blank();
    provision(&mut chip, &KEY).unwrap();
    assert_eq!(chip.rows[0xF80 + 2 * 57 + 1], 0x3D_3D3D);
    for n in 0..16 {
        assert_eq!(chip.rows[57 * 64 + 0x10 + n] ^ chip.rows[57 * 64 + 0x30 + n], 0xFF_FFFF);
    }
    assert_eq!(chip.write_raw(57 * 64 + 0x10, 0xFF_FFFF), Err(OtpError), "nothing can be destroyed");
    chip.restart();
    assert_eq!(*take(&mut chip).unwrap(), KEY);
}

#[test]
fn a_lock_that_did_not_hold_is_set_at_the_next_start() {
    let mut chip = Chip::blank();
    provision(&mut chip, &KEY).unwrap();
    chip.rows[0xF80 + 2 * 57 + 1] = 0;
    assert_eq!(*take(&mut chip).unwrap(), KEY);
    assert_eq!(chip.rows[0xF80 + 2 * 57 + 1], 0x3D_3D3D);
}

/// A page whose marker could not be read was given up for the next one, which the store is sealed under since.
#[test]
fn a_slot_that_was_given_up_does_not_come_back() {
    let mut chip = Chip::blank();
    provision(&mut chip, &[9; 32]).unwrap();
    let markers = [57 * 64, 57 * 64 + 1].map(|row: usize| (row, chip.rows[row]));
    for (row, _) in markers {
        chip.rows[row] = 0;
    }
    provision(&mut chip, &KEY).unwrap();
    for (row, bits) in markers {
        chip.rows[row] = bits;
    }
    assert_eq!(*take(&mut chip).unwrap(), KEY);
    assert!(take(&mut chip).is_none() && chip.hidden.contains(&57) && chip.hidden.contains(&56), "both are hidden");
}

#[test]
fn a_slot_that_cannot_be_read_does_not_hide_the_one_that_can() {
    let mut chip = Chip::blank();
    provision(&mut chip, &KEY).unwrap();
    // The marker of the next slot stands, by whatever accident, but its rows cannot be read.
    chip.rows[56 * 64] = code(MARKER);
    chip.unreadable = Some(56 * 64 + KEY_ROW);
    assert_eq!(*take(&mut chip).unwrap(), KEY);
}

#[test]
fn a_second_key_is_refused() {
    let mut chip = Chip::blank();
    provision(&mut chip, &KEY).unwrap();
    assert_eq!(provision(&mut chip, &[9; 32]), Err(OtpError));
    assert_eq!(*take(&mut chip).unwrap(), KEY);
}

#[test]
fn a_page_that_does_not_hold_is_passed_over() {
    for stuck in [0x10, 0x1F, 0x30, 0x3F].map(|offset| 57 * 64 + offset) {
        let mut chip = Chip::blank();
        chip.stuck = Some(stuck);
        // A bit that is to be set in every row: of all-ones key and all-zero key one or the other fails.
        for key in [[0xFF; 32], [0; 32]] {
            let mut chip = Chip { rows: chip.rows.clone(), ..Chip { stuck: chip.stuck, ..Chip::blank() } };
            provision(&mut chip, &key).unwrap();
            assert_eq!(*take(&mut chip).unwrap(), key);
        }
    }
}

#[test]
fn pages_in_use_by_others_are_left_alone() {
    let mut chip = Chip::blank();
    chip.rows[57 * 64 + 0x3A] = 1;
    provision(&mut chip, &KEY).unwrap();
    assert_eq!(chip.rows[57 * 64..58 * 64].iter().filter(|row| **row != 0).count(), 1);
    assert_eq!(*take(&mut chip).unwrap(), KEY);

    let mut full = Chip::blank();
    for page in [57, 56, 55] {
        full.rows[page * 64] = 1;
    }
    assert_eq!(provision(&mut full, &KEY), Err(OtpError));
    assert!(take(&mut full).is_none());
}

#[test]
fn a_power_cut_leaves_the_key_or_none_and_the_next_attempt_works() {
    for writes in 0..40 {
        let mut chip = Chip::blank();
        chip.writes_left = writes;
        let burnt = provision(&mut chip, &KEY);
        chip.restart();
        match take(&mut chip) {
            Some(key) => assert_eq!(*key, KEY, "after {writes} writes"),
            None => {
                assert_eq!(burnt, Err(OtpError), "after {writes} writes");
                provision(&mut chip, &KEY).unwrap();
                assert_eq!(*take(&mut chip).unwrap(), KEY);
            }
        }
        for page in chip.hidden {
            assert_eq!(
                chip.rows[usize::from(0xF80 + 2 * page + 1)],
                0x3D_3D3D,
                "locked by then, after {writes} writes"
            );
        }
    }
}
