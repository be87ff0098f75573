//! The card, and its two large buffers.

use crate::flash::BoardFlash;
use crate::led;
use crate::platform::BoardPlatform;
use crate::usb::READER;
use ferrite_board::led::Status;
use ferrite_card::{Card, CommandBuffer, Workspace};
use ferrite_proto::configuration::Configuration;
use ferrite_usb::{Interface, SmartCard};
use static_cell::{ConstStaticCell, StaticCell};

static COMMAND: ConstStaticCell<CommandBuffer> = ConstStaticCell::new(CommandBuffer::new());
static WORKSPACE: ConstStaticCell<Workspace> = ConstStaticCell::new(Workspace::new());
static CARD: StaticCell<BoardCard> = StaticCell::new();

/// SELECT of the rescue application.
const SELECT_RESCUE: [u8; 13] = [0x00, 0xA4, 0x04, 0x04, 0x08, 0xA0, 0x58, 0x3F, 0xC1, 0x9B, 0x7E, 0x4F, 0x21];

/// The card of a board.
pub(crate) struct BoardCard {
    card: Card<'static, BoardPlatform, BoardFlash>,
    command: &'static mut CommandBuffer,
}

impl BoardCard {
    /// Starts the card. Called once.
    pub(crate) fn start(platform: BoardPlatform, flash: BoardFlash) -> &'static mut Self {
        CARD.init(Self { card: Card::new(platform, flash, WORKSPACE.take()), command: COMMAND.take() })
    }

    /// What the owner configured, and the board's defaults for the rest.
    pub(crate) fn configuration(&self) -> &Configuration {
        self.card.configuration()
    }
}

impl SmartCard for BoardCard {
    fn reset(&mut self, user: Option<Interface>) {
        self.card.reset();
        if user == Some(Interface::Vendor) {
            // Pages and rescue tools speak to this application first.
            self.command.load(&SELECT_RESCUE);
            let _ = self.card.transmit(self.command);
        }
        led::set_host(if user.is_some() { Status::Mounted } else { Status::Suspended });
    }

    fn clear(&mut self) {
        self.command.wipe();
    }

    fn append(&mut self, bytes: &[u8]) {
        self.command.append(bytes);
    }

    fn transmit(&mut self) -> &[u8] {
        // What the command before this one changed of the LED takes effect now.
        led::configure(self.card.configuration());
        self.card.transmit(self.command)
    }
}

/// Does for the hosts what they ask, for ever.
#[embassy_executor::task]
pub(crate) async fn serve(card: &'static mut BoardCard) -> ! {
    READER.serve(card).await
}
