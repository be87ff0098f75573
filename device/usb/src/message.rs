//! Messages on the bulk and interrupt endpoints (CCID 1.1 §6.1-6.3): a header of ten bytes, then data.

/// Bytes in the header of every bulk message.
pub const HEADER: usize = 10;

/// Longest command APDU, in bytes: extended header, 65535 bytes of data, extended Le.
pub const MAX_COMMAND: u32 = 7 + 65535 + 2;

/// Longest message (dwMaxCCIDMessageLength), in bytes. It carries the longest command; the longest response, 65536 bytes
/// and a status word, is shorter.
pub const MAX_MESSAGE: u32 = MAX_COMMAND + 10;

/// Interrupt message: a card is in the slot, and that is news (CCID 1.1 §6.3.1).
pub const CARD_PRESENT: [u8; 2] = [0x50, 0x03];

/// Data of the answer to the three messages about parameters: those of protocol T=1 that the ATR announces.
pub(crate) const PARAMETERS: [u8; 7] = [0x11, 0x10, 0xFE, 0x55, 0x03, 0xFE, 0x00];

/// bProtocolNum of T=1.
pub(crate) const PROTOCOL_T1: u8 = 1;

/// What a message of the host asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Power the card and send its ATR.
    IccPowerOn,
    /// Unpower the card.
    IccPowerOff,
    /// Tell the state of the slot.
    GetSlotStatus,
    /// Exchange an APDU.
    XfrBlock,
    /// Tell the parameters of the protocol.
    GetParameters,
    /// Back to the default parameters.
    ResetParameters,
    /// Change the parameters.
    SetParameters,
    /// Something of the manufacturer's.
    Escape,
    /// Stop or start the card's clock.
    IccClock,
    /// How to send an APDU with T=0.
    T0Apdu,
    /// PIN entry at the reader.
    Secure,
    /// Move the card.
    Mechanical,
    /// Stop what is going on.
    Abort,
    /// Change clock frequency and data rate.
    SetDataRateAndClockFrequency,
    /// None of these.
    Unknown,
}

impl Request {
    /// By bMessageType.
    pub const fn from_type(message_type: u8) -> Self {
        match message_type {
            0x61 => Self::SetParameters,
            0x62 => Self::IccPowerOn,
            0x63 => Self::IccPowerOff,
            0x65 => Self::GetSlotStatus,
            0x69 => Self::Secure,
            0x6A => Self::T0Apdu,
            0x6B => Self::Escape,
            0x6C => Self::GetParameters,
            0x6D => Self::ResetParameters,
            0x6E => Self::IccClock,
            0x6F => Self::XfrBlock,
            0x71 => Self::Mechanical,
            0x72 => Self::Abort,
            0x73 => Self::SetDataRateAndClockFrequency,
            _ => Self::Unknown,
        }
    }

    /// The kind of answer that belongs to it.
    pub const fn answer(self) -> AnswerType {
        match self {
            Self::IccPowerOn | Self::XfrBlock | Self::Secure => AnswerType::DataBlock,
            Self::GetParameters | Self::ResetParameters | Self::SetParameters => AnswerType::Parameters,
            Self::Escape => AnswerType::Escape,
            Self::SetDataRateAndClockFrequency => AnswerType::DataRateAndClockFrequency,
            Self::IccPowerOff
            | Self::GetSlotStatus
            | Self::IccClock
            | Self::T0Apdu
            | Self::Mechanical
            | Self::Abort
            | Self::Unknown => AnswerType::SlotStatus,
        }
    }

    /// How much data it carries, in bytes: least and most.
    pub(crate) const fn data_limits(self) -> (u32, u32) {
        match self {
            Self::XfrBlock => (0, MAX_COMMAND),
            Self::SetParameters => (5, 7),
            Self::SetDataRateAndClockFrequency => (8, 8),
            Self::IccPowerOn
            | Self::IccPowerOff
            | Self::GetSlotStatus
            | Self::GetParameters
            | Self::ResetParameters
            | Self::IccClock
            | Self::T0Apdu
            | Self::Mechanical
            | Self::Abort => (0, 0),
            // Refused, whatever they carry.
            Self::Escape | Self::Secure | Self::Unknown => (0, u32::MAX),
        }
    }
}

/// bMessageType of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum AnswerType {
    /// RDR_to_PC_DataBlock.
    DataBlock = 0x80,
    /// RDR_to_PC_SlotStatus.
    SlotStatus = 0x81,
    /// RDR_to_PC_Parameters.
    Parameters = 0x82,
    /// RDR_to_PC_Escape.
    Escape = 0x83,
    /// RDR_to_PC_DataRateAndClockFrequency.
    DataRateAndClockFrequency = 0x84,
}

/// Header of a message of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What it asks for.
    pub request: Request,
    /// How many bytes of data follow.
    pub length: u32,
    /// Number of the slot.
    pub slot: u8,
    /// Number of the message, which the answer repeats.
    pub seq: u8,
    /// Three bytes whose meaning depends on the type.
    pub specific: [u8; 3],
}

impl Header {
    /// Reads the header at the start of a message, and returns it and the data that follow it in the same packet. `None`
    /// if there are fewer than ten bytes.
    pub fn parse(packet: &[u8]) -> Option<(Self, &[u8])> {
        let (header, data) = packet.split_first_chunk::<HEADER>()?;
        let [message_type, l0, l1, l2, l3, slot, seq, specific @ ..] = *header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        Some((Self { request: Request::from_type(message_type), length, slot, seq, specific }, data))
    }

    /// wLevelParameter of an XfrBlock at APDU level.
    pub(crate) fn level(&self) -> u16 {
        let [_, low, high] = self.specific;
        u16::from_le_bytes([low, high])
    }
}

/// bError: why a command failed (CCID 1.1 §6.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error(pub u8);

impl Error {
    /// The type of the message is not supported.
    pub const NOT_SUPPORTED: Self = Self(0);
    /// dwLength does not fit the message.
    pub const BAD_LENGTH: Self = Self(1);
    /// There is no such slot.
    pub const BAD_SLOT: Self = Self(5);
    /// bProtocolNum names a protocol that the card does not have; the first of the three specific bytes.
    pub const BAD_PROTOCOL: Self = Self(7);
    /// wLevelParameter does not fit the exchange.
    pub const BAD_LEVEL: Self = Self(8);
    /// The slot is busy with another command.
    pub const SLOT_BUSY: Self = Self(0xE0);
    /// The card is not powered, so it does not answer.
    pub const ICC_MUTE: Self = Self(0xFE);
    /// The command was aborted.
    pub const ABORTED: Self = Self(0xFF);
}

/// bmCommandStatus: how the command went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Processed,
    Failed(Error),
    /// The card needs more time; the multiplier of the waiting time is 1.
    TimeExtension,
}

/// bmICCStatus: the state of the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IccStatus {
    Active = 0,
    Inactive = 1,
    Absent = 2,
}

/// Header of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnswerHeader {
    pub(crate) kind: AnswerType,
    pub(crate) length: u32,
    pub(crate) slot: u8,
    pub(crate) seq: u8,
    pub(crate) icc: IccStatus,
    pub(crate) outcome: Outcome,
    /// The last byte: bChainParameter, bClockStatus or bProtocolNum.
    pub(crate) specific: u8,
}

impl AnswerHeader {
    pub(crate) fn to_bytes(self) -> [u8; HEADER] {
        let [l0, l1, l2, l3] = self.length.to_le_bytes();
        let (outcome, error) = match self.outcome {
            Outcome::Processed => (0x00, 0x00),
            Outcome::Failed(Error(error)) => (0x40, error),
            Outcome::TimeExtension => (0x80, 0x01),
        };
        [self.kind as u8, l0, l1, l2, l3, self.slot, self.seq, outcome | self.icc as u8, error, self.specific]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_field_by_field() {
        let packet = [0x6F, 0x05, 0x01, 0x00, 0x00, 0x02, 0x07, 0xAA, 0x03, 0x01, 0xEE];
        let (header, data) = Header::parse(&packet).expect("eleven bytes");
        assert_eq!(header.request, Request::XfrBlock);
        assert_eq!((header.length, header.slot, header.seq), (0x105, 2, 7));
        assert_eq!(header.level(), 0x0103);
        assert_eq!(data, [0xEE]);
        assert_eq!(Header::parse(&packet[..9]), None);
    }

    #[test]
    fn an_answer_is_written_field_by_field() {
        let header = AnswerHeader {
            kind: AnswerType::DataBlock,
            length: 0x1_0002,
            slot: 0,
            seq: 9,
            icc: IccStatus::Inactive,
            outcome: Outcome::Failed(Error::ICC_MUTE),
            specific: 0x10,
        };
        assert_eq!(header.to_bytes(), [0x80, 0x02, 0x00, 0x01, 0x00, 0x00, 0x09, 0x41, 0xFE, 0x10]);
    }
}
