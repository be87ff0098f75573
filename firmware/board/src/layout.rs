//! Where things lie on a board's flash.
//!
//! ```text
//! 0          firmware, at most 1 MiB
//! 1 MiB      the card's store
//! end - 16K  root key, where it is kept in flash; three sectors unused
//! ```
//!
//! The store knows how many pages it has and refuses another number, so this layout is part of what a release may not
//! change.

/// Bytes erased at once.
pub const SECTOR: u32 = 4096;
/// Room for the firmware, in bytes.
pub const FIRMWARE: u32 = 1 << 20;
/// Sectors kept from the store, at the end of the flash: one in use, the others for releases to come.
const RESERVED: u32 = 4;
/// Most pages the store gets: its index in RAM does not hold more objects than this is good for, and every page is read
/// at each start.
const MAX_PAGES: u32 = 1024;
/// Smallest flash that the firmware runs on, in bytes.
pub const SMALLEST: u32 = 2 << 20;
/// Largest flash that is told apart, in bytes.
const LARGEST: u32 = 16 << 20;

/// Offsets on flash, in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Size of the flash chip.
    pub flash: u32,
    /// The store's first byte.
    pub store: u32,
    /// The store's pages of [`SECTOR`] bytes.
    pub store_pages: u32,
    /// The sector with the root key, where there is no better place for it.
    pub root_key: u32,
}

impl Layout {
    /// The layout of a flash chip of this many bytes; `None` if it is too small.
    pub fn of(flash: u32) -> Option<Self> {
        if flash < SMALLEST {
            return None;
        }
        let flash = flash.min(LARGEST);
        let reserved = flash.checked_sub(SECTOR.checked_mul(RESERVED)?)?;
        let room = reserved.checked_sub(FIRMWARE)?.checked_div(SECTOR)?;
        Some(Self { flash, store: FIRMWARE, store_pages: room.min(MAX_PAGES), root_key: reserved })
    }
}

/// The size of a flash chip by its JEDEC id (command 9F: manufacturer, type, capacity): the third byte is the exponent
/// of two, in nearly every chip made. `None` for what cannot be a capacity.
pub fn size_by_jedec(id: [u8; 3]) -> Option<u32> {
    let [_, _, capacity] = id;
    (0x12..=0x1A).contains(&capacity).then(|| 1u32.checked_shl(u32::from(capacity))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pico_has_a_mebibyte_less_four_sectors_for_the_store() {
        let layout = Layout::of(2 << 20).unwrap();
        assert_eq!((layout.store, layout.store_pages), (0x10_0000, 252));
        assert_eq!(layout.root_key, 0x1F_C000);
    }

    #[test]
    fn nothing_overlaps_on_any_size() {
        assert_eq!(Layout::of(1 << 20), None);
        for flash in [2, 4, 8, 16, 32].map(|mebibytes: u32| mebibytes << 20) {
            let layout = Layout::of(flash).unwrap();
            let end_of_store = layout.store + layout.store_pages * SECTOR;
            assert!(layout.store >= FIRMWARE && end_of_store <= layout.root_key, "{layout:?}");
            assert!(layout.root_key + SECTOR <= layout.flash);
        }
        assert_eq!(Layout::of(16 << 20).unwrap().store_pages, 1024);
    }

    #[test]
    fn sizes_are_read_from_jedec_ids() {
        assert_eq!(size_by_jedec([0xEF, 0x40, 0x15]), Some(2 << 20));
        assert_eq!(size_by_jedec([0xEF, 0x70, 0x18]), Some(16 << 20));
        assert_eq!(size_by_jedec([0xFF, 0xFF, 0xFF]), None);
        assert_eq!(size_by_jedec([0, 0, 0]), None);
    }
}
