//! The directory in which a virtual device lives: `flash.bin`, `device.key` and `lock`.

use crate::flash::FileFlash;
use crate::identity::{DeviceKey, ENCODED};
use std::fmt;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Size of `flash.bin`, in bytes.
pub const FLASH_SIZE: usize = 1 << 20;

const FLASH_FILE: &str = "flash.bin";
const KEY_FILE: &str = "device.key";
const LOCK_FILE: &str = "lock";

/// Why a state directory cannot be opened. Nothing in it was changed.
#[derive(Debug)]
pub enum StateError {
    /// Another process holds the directory.
    InUse(PathBuf),
    /// `flash.bin` has another size than [`FLASH_SIZE`]: here are its path and size in bytes.
    FlashSize(PathBuf, u64),
    /// `device.key` is not intact.
    KeyDamaged(PathBuf),
    /// There is a `flash.bin` but no `device.key`; nothing could be read without it.
    KeyMissing(PathBuf),
    /// The operating system reports an error on this path.
    Io(PathBuf, io::Error),
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(dir) => write!(
                f,
                "{} is in use by another virtual device: stop that one first, or name another directory with --state",
                dir.display()
            ),
            Self::FlashSize(path, size) => write!(
                f,
                "{} has {size} bytes instead of {FLASH_SIZE}: bring back the right file, or move the directory away to \
                 start with a blank device",
                path.display()
            ),
            Self::KeyDamaged(path) => write!(
                f,
                "{} is damaged, and the device's memory cannot be read without it: bring back a copy, or move the \
                 directory away to start with a blank device",
                path.display()
            ),
            Self::KeyMissing(path) => write!(
                f,
                "{} is missing, and the device's memory beside it cannot be read without it: bring back a copy, or move \
                 the directory away to start with a blank device",
                path.display()
            ),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for StateError {}

/// The open, locked state of a virtual device.
pub struct StateDir {
    pub(crate) flash: FileFlash,
    pub(crate) key: DeviceKey,
    pub(crate) lock: File,
}

impl StateDir {
    /// Opens the state in `dir`, which is created (mode 0700) with a blank device in it if it does not exist, and keeps
    /// other processes out until it is dropped.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(at(dir))?;
        let lock_path = dir.join(LOCK_FILE);
        let lock = private().create(true).truncate(false).open(&lock_path).map_err(at(&lock_path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StateError::InUse(dir.to_owned()),
            TryLockError::Error(error) => StateError::Io(lock_path, error),
        })?;
        // The key comes first: a stop between the two leaves a directory that opens.
        let key = open_key(dir)?;
        let flash = open_flash(dir)?;
        Ok(Self { flash, key, lock })
    }

    /// The directory that is used when nobody names one: `ferrite` in the user's data directory. `None` if the
    /// environment names neither `XDG_DATA_HOME` nor `HOME`.
    pub fn default_path() -> Option<PathBuf> {
        let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let data = variable("XDG_DATA_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/share")))?;
        Some(data.join("ferrite"))
    }
}

fn open_key(dir: &Path) -> Result<DeviceKey, StateError> {
    let path = dir.join(KEY_FILE);
    match File::open(&path) {
        Ok(mut file) => {
            let mut bytes = Zeroizing::new([0; ENCODED]);
            if usize::try_from(file.metadata().map_err(at(&path))?.len()) != Ok(ENCODED) {
                return Err(StateError::KeyDamaged(path));
            }
            file.read_exact(&mut *bytes).map_err(at(&path))?;
            DeviceKey::decode(&*bytes).ok_or(StateError::KeyDamaged(path))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if dir.join(FLASH_FILE).try_exists().map_err(at(dir))? {
                return Err(StateError::KeyMissing(path));
            }
            let key = DeviceKey::generate().map_err(|error| StateError::Io(path.clone(), io::Error::other(error)))?;
            create(dir, KEY_FILE, &*Zeroizing::new(key.encode()))?;
            Ok(key)
        }
        Err(error) => Err(StateError::Io(path, error)),
    }
}

fn open_flash(dir: &Path) -> Result<FileFlash, StateError> {
    let path = dir.join(FLASH_FILE);
    if !path.try_exists().map_err(at(&path))? {
        create(dir, FLASH_FILE, &vec![0xFF; FLASH_SIZE])?;
    }
    let file = private().open(&path).map_err(at(&path))?;
    let size = file.metadata().map_err(at(&path))?.len();
    if usize::try_from(size) != Ok(FLASH_SIZE) {
        return Err(StateError::FlashSize(path, size));
    }
    FileFlash::new(file).map_err(at(&path))
}

/// Writes a new file so that after a crash it is there with all its content, or not at all.
fn create(dir: &Path, name: &str, content: &[u8]) -> Result<(), StateError> {
    let path = dir.join(name);
    let draft = dir.join(format!("{name}.new"));
    let mut file = private().create(true).truncate(true).open(&draft).map_err(at(&draft))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(at(&draft))?;
    fs::rename(&draft, &path).map_err(at(&path))?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(at(dir))
}

/// Read and write, for nobody but the owner.
fn private() -> fs::OpenOptions {
    let mut options = File::options();
    options.read(true).write(true).mode(0o600);
    options
}

fn at(path: &Path) -> impl Fn(io::Error) -> StateError {
    move |error| StateError::Io(path.to_owned(), error)
}
