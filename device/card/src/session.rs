//! What the card remembers between two commands, and forgets at reset, power-off and SELECT of an application.

use crate::hierarchy::{LoginKey, Mkek, Role};
use crate::pka::KeyLogin;
use crate::trust::TrustStore;
use ferrite_crypto::channel::Channel;
use ferrite_crypto::hd::Node;
use ferrite_crypto::lock::Agreement;
use ferrite_proto::fid::FileId;
use ferrite_proto::rescue::CHALLENGE;
use ferrite_proto::status::Status;

/// The volatile state of a session (specification part 1 §0.3, decisions D4 and D5).
#[derive(Default)]
pub(crate) struct Session {
    /// What the PIN opened: present exactly while somebody is logged in.
    login: Option<LoginKey>,
    /// The unlocked MKEK: present while somebody is logged in, unless the secure lock keeps it shut.
    pub(crate) mkek: Option<Mkek>,
    user: bool,
    officer: bool,
    /// The node of a hierarchy that the next signature or encryption uses up.
    pub(crate) selected: Option<Node>,
    /// The secure channel.
    pub(crate) channel: Option<Channel>,
    /// Chip authentication was chosen and not yet done.
    pub(crate) authenticates_chip: bool,
    /// The command that is being executed came through the channel.
    pub(crate) is_protected: bool,
    /// Whoever is logged in came in through the channel.
    pub(crate) login_was_protected: bool,
    /// The key agreement that the next message of the secure lock uses up.
    pub(crate) agreement: Option<Agreement>,
    /// The challenge of the rescue application that the next command uses up.
    pub(crate) challenge: Option<[u8; CHALLENGE]>,
    /// The current elementary file.
    pub(crate) current: Option<FileId>,
    /// Certificates believed in this session.
    pub(crate) trust: TrustStore,
    /// Registered keys that have logged in.
    pub(crate) keys: KeyLogin,
    /// INITIALIZE happened in this session: its user needs no registered keys yet, of which there are none.
    pub(crate) has_initialised: bool,
}

impl Session {
    /// Logs everybody out who has a PIN, wipes the MKEK and forgets the selected node; the current file stays, and so do
    /// registered keys that have logged in.
    pub(crate) fn log_out(&mut self) {
        self.login = None;
        self.mkek = None;
        self.selected = None;
        self.user = false;
        self.officer = false;
        self.login_was_protected = false;
    }

    /// Starts anew, as SELECT of an application does. A channel stays if the command came through it.
    pub(crate) fn restart(&mut self) {
        let channel = self.channel.take().filter(|_| self.is_protected);
        *self = Self { is_protected: self.is_protected, channel, ..Self::default() };
    }

    /// Closes the channel, and logs out whoever came in through it. No node of a wallet stays selected.
    pub(crate) fn close_channel(&mut self) {
        self.channel = None;
        self.selected = None;
        if self.login_was_protected {
            self.log_out();
            self.has_initialised = false;
        }
        if self.keys.was_protected {
            self.keys = KeyLogin::default();
        }
    }

    /// One role is logged in, and only that one.
    pub(crate) fn log_in(&mut self, role: Role, login: LoginKey, mkek: Option<Mkek>) {
        self.log_out();
        self.login = Some(login);
        self.mkek = mkek;
        self.login_was_protected = self.is_protected;
        self.join(role);
    }

    /// Another role shares the session; only INITIALIZE logs both in at once.
    pub(crate) fn join(&mut self, role: Role) {
        match role {
            Role::User => self.user = true,
            Role::SecurityOfficer => self.officer = true,
        }
    }

    /// Whether the role's PIN was verified in this session.
    pub(crate) fn is_logged_in(&self, role: Role) -> bool {
        match role {
            Role::User => self.user,
            Role::SecurityOfficer => self.officer,
        }
    }

    /// Somebody is logged in, and the secure lock keeps the MKEK shut.
    pub(crate) fn is_shut(&self) -> bool {
        self.login.is_some() && self.mkek.is_none()
    }

    /// The MKEK, whoever unlocked it. What may be done with it is decided before. 6985 if somebody is logged in and the
    /// secure lock keeps it shut.
    pub(crate) fn mkek(&self) -> Result<&Mkek, Status> {
        self.mkek.as_ref().ok_or(if self.is_shut() { Status::CONDITIONS } else { Status::EXECUTION })
    }

    /// What the PIN opened, whoever's it was.
    pub(crate) fn login(&self) -> Result<&LoginKey, Status> {
        self.login.as_ref().ok_or(Status::EXECUTION)
    }
}
