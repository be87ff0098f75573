//! What differs between the two chips: registers of the flash controller and its pins, the unique id, entropy.

#[cfg(feature = "rp2040")]
mod rp2040;
#[cfg(feature = "rp2350")]
mod rp2350;

#[cfg(feature = "rp2040")]
pub(crate) use rp2040::*;
#[cfg(feature = "rp2350")]
pub(crate) use rp2350::*;

use ferrite_board::layout::{self, Layout};

/// The functions of the boot ROM that write flash, and the code that lets flash be read fast again. Looked up while flash
/// can still be read.
pub(crate) struct Rom {
    pub(crate) connect: unsafe extern "C" fn(),
    pub(crate) leave_xip: unsafe extern "C" fn(),
    pub(crate) erase: unsafe extern "C" fn(u32, usize, u32, u8),
    pub(crate) program: unsafe extern "C" fn(u32, *const u8, usize),
    pub(crate) flush: unsafe extern "C" fn(),
    pub(crate) enter_xip: unsafe extern "C" fn(),
}

/// What the hardware says about itself.
pub(crate) struct Facts {
    jedec: [u8; 3],
    unique_id: [u8; 8],
}

impl Facts {
    /// Where things lie on the flash; `None` if it is too small or does not say how large it is.
    pub(crate) fn layout(&self) -> Option<Layout> {
        layout::size_by_jedec(self.jedec).and_then(Layout::of)
    }

    /// The unique id; `None` if there is none.
    pub(crate) fn unique_id(&self) -> Option<[u8; 8]> {
        (self.unique_id != [0; 8] && self.unique_id != [0xFF; 8]).then_some(self.unique_id)
    }
}
