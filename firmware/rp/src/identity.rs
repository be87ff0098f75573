//! The root key: in one-time-programmable memory where the chip has some and the owner wants it there, else in a sector
//! of flash.
//!
//! A device without a root key and with a blank store makes one. On a chip with one-time-programmable memory the LED
//! then asks for a press, once: with it the key is burnt, for ever and hidden from everything that runs later; without
//! it the key goes to flash, as on chips that have nothing better. A store that is not blank and has no root key is not
//! touched.

use crate::chip;
use crate::entropy::Raw;
use crate::flash::{self, BoardFlash};
use crate::{button, led};
use core::time::Duration;
use ferrite_board::layout::Layout;
use ferrite_board::led::Status;
use ferrite_board::reserved::{self, Content};
use ferrite_card::Presence;
use ferrite_crypto::entropy::{Conditioner, SAMPLES_FOR_SEED};
use zeroize::Zeroizing;

/// 256 random bits.
pub(crate) type RootKey = Zeroizing<[u8; 32]>;

/// How long the owner may think about burning the key.
const QUESTION: Duration = Duration::from_secs(10);

/// The device's root key; `None` if it is lost, or cannot be made.
pub(crate) fn root_key(layout: &Layout, store: &mut BoardFlash) -> Option<RootKey> {
    if let Some(key) = chip::take_fused_root_key() {
        return Some(key);
    }
    let mut record = Zeroizing::new([0; reserved::LEN]);
    flash::read(layout.root_key, record.as_mut());
    match reserved::decode(&record) {
        Content::Key(key) => Some(key),
        Content::Blank | Content::Damaged if store.is_blank() => make(layout),
        Content::Blank | Content::Damaged => None,
    }
}

/// Makes a root key and puts it where it will be found.
fn make(layout: &Layout) -> Option<RootKey> {
    let key = random()?;
    if chip::CAN_FUSE && asks_for_fuses() && chip::fuse_root_key(&key) {
        return chip::take_fused_root_key();
    }
    flash::erase(layout.root_key).ok()?;
    flash::program(layout.root_key, reserved::encode(&key).as_ref()).ok()?;
    let mut record = Zeroizing::new([0; reserved::LEN]);
    flash::read(layout.root_key, record.as_mut());
    match reserved::decode(&record) {
        Content::Key(stored) if *stored == *key => Some(stored),
        _ => None,
    }
}

fn asks_for_fuses() -> bool {
    led::set_host(Status::Presence);
    let answer = button::confirm(QUESTION);
    led::set_host(Status::NotMounted);
    answer == Presence::Confirmed
}

fn random() -> Option<RootKey> {
    let mut source = chip::Source::start();
    let mut samples = Zeroizing::new([0; SAMPLES_FOR_SEED]);
    for sample in samples.iter_mut() {
        *sample = source.byte().ok()?;
    }
    let mut key = Zeroizing::new([0; 32]);
    Conditioner::new().condition(samples.as_ref(), &mut key).ok()?;
    Some(key)
}
