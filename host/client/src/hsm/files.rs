//! Files: reading, writing, deleting, enumerating (specification part 1 §4.1-4.4, 4.9). Every command names its file, so
//! that nothing depends on which file another program selected.

use super::Hsm;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::Transport;
use ferrite_proto::command::{Attributes, Command, Secret, Target};
use ferrite_proto::fid::FileId;
use ferrite_proto::status::Status;
use ferrite_proto::tlv::{Tag, find};
use zeroize::Zeroizing;

/// Content in one command when a file is written: what every reader can carry.
const BLOCK: usize = 1024;
/// Longest file that is read, in bytes: more than a card holds.
const MAX_FILE: usize = 0x10_0000;

/// Where a file goes on behind what was read of it.
///
/// # Errors
/// [`ErrorKind::BadAnswer`]: it is longer than any.
pub(crate) fn offset_behind(what: &str, content: &[u8]) -> Result<u32> {
    let offset = u32::try_from(content.len()).ok().filter(|_| content.len() <= MAX_FILE);
    offset.ok_or_else(|| Error::new(ErrorKind::BadAnswer, what.to_owned(), "the file does not end"))
}

impl<T: Transport> Hsm<T> {
    /// Reads a whole file.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::NotLoggedIn`] for a private one.
    pub fn read_file(&mut self, file: FileId) -> Result<Zeroizing<Vec<u8>>> {
        let what = format!("read file {:04X}", file.value());
        let mut content = Zeroizing::new(Vec::new());
        loop {
            let offset = offset_behind(&what, &content)?;
            let answer = self.attempt(&what, &Command::ReadBinary { target: Target::File(file), offset })?;
            match answer.status {
                Status::OK | Status::END_OF_FILE if answer.data.is_empty() => return Ok(content),
                Status::OK | Status::END_OF_FILE => {
                    content = Zeroizing::new([content.as_slice(), answer.data.as_slice()].concat());
                }
                // Some cards refuse to read at the end.
                Status::WRONG_OFFSET if offset > 0 => return Ok(content),
                status => return Err(Error::refused(what, status)),
            }
        }
    }

    /// Reads a whole file, if there is one.
    ///
    /// # Errors
    /// As [`Hsm::read_file`], except that nothing is there.
    pub fn read_file_if_there(&mut self, file: FileId) -> Result<Option<Zeroizing<Vec<u8>>>> {
        match self.read_file(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            result => result.map(Some),
        }
    }

    /// Whether there is a file with something in it.
    ///
    /// # Errors
    /// As [`Hsm::read_file_if_there`].
    pub(crate) fn has_content(&mut self, file: FileId) -> Result<bool> {
        Ok(self.read_file_if_there(file)?.is_some_and(|content| !content.is_empty()))
    }

    /// Writes a whole file, in place of what it held.
    ///
    /// # Errors
    /// [`ErrorKind::NotLoggedIn`], [`ErrorKind::Full`].
    pub fn write_file(&mut self, file: FileId, content: &[u8]) -> Result<()> {
        let what = format!("write file {:04X}", file.value());
        let target = Target::File(file);
        let (first, rest) = content.split_at(content.len().min(BLOCK));
        self.call(&what, &Command::UpdateBinary { target, offset: 0, content: Secret(first) })?;
        let mut offset = first.len();
        for block in rest.chunks(BLOCK) {
            let at = u32::try_from(offset).map_err(|_| Error::new(ErrorKind::Usage, what.clone(), "it is too long"))?;
            self.call(&what, &Command::UpdateBinary { target, offset: at, content: Secret(block) })?;
            offset = offset.saturating_add(block.len());
        }
        Ok(())
    }

    /// Deletes a file. A key's file takes nothing else with it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::NotLoggedIn`].
    pub fn delete_file(&mut self, file: FileId) -> Result<()> {
        let what = format!("delete file {:04X}", file.value());
        self.call(&what, &Command::DeleteFile { target: Target::File(file) }).map(drop)
    }

    /// Deletes a file if it is there.
    ///
    /// # Errors
    /// [`ErrorKind::NotLoggedIn`].
    pub fn delete_file_if_there(&mut self, file: FileId) -> Result<()> {
        match self.delete_file(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// The identifiers of the files that are there, in the device's order.
    ///
    /// # Errors
    /// [`ErrorKind::BadAnswer`].
    pub fn enumerate(&mut self) -> Result<Vec<FileId>> {
        const WHAT: &str = "list what is on the device";
        let answer = self.call(WHAT, &Command::EnumerateObjects)?;
        let (pairs, rest) = answer.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(Error::new(ErrorKind::BadAnswer, WHAT, "the list has an odd length"));
        }
        Ok(pairs.iter().map(|pair| FileId::new(u16::from_be_bytes(*pair))).collect())
    }

    /// What SELECT says of a file: the content of its FCP, and the attributes in it if it is a key.
    pub(super) fn key_attributes_of(&mut self, file: FileId) -> Result<OwnedAttributes> {
        let what = format!("look at file {:04X}", file.value());
        let answer = self.call(&what, &Command::SelectFile { file })?;
        let attributes = find(&answer, Tag(0x62)).and_then(|fcp| find(fcp, Tag(0xA5))).unwrap_or_default();
        let read = Attributes::parse(attributes);
        let read = read.map_err(|_| Error::new(ErrorKind::BadAnswer, what, "its attributes cannot be read"))?;
        Ok(OwnedAttributes {
            counter: read.counter,
            algorithms: read.algorithms.map(<[u8]>::to_vec),
            domain: read.domain,
        })
    }
}

/// Attributes of a key that live longer than the answer they came in.
pub(super) struct OwnedAttributes {
    pub(super) counter: Option<u32>,
    pub(super) algorithms: Option<Vec<u8>>,
    pub(super) domain: Option<u8>,
}
