//! Profiles: the identity of this device and its read positions.
//!
//! Each profile is a file `<dir>/<name>.json` that only its owner can read. A change is written to
//! a second file, which then replaces the first, so that a file is never half written. A lock file
//! keeps two processes from numbering messages as the same device.

use crate::command_error::CommandError;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use wigwag_client::{Session, SessionStore, Url};

/// Longest name of a profile.
const NAME_CHARS: usize = 64;

/// One device of one account.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Profile {
    /// URL of the HTTP API of the account's server.
    pub(crate) url: Url,
    /// URL of its WebSocket API.
    pub(crate) ws_url: Url,
    pub(crate) user_id: u64,
    pub(crate) nickname: String,
    pub(crate) phone_number: String,
    /// Kept if the user wants that, or if `chat` generated it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<String>,
    /// Whether number and password are random. Then the account may be created again if the server
    /// has lost it.
    #[serde(default)]
    pub(crate) generated: bool,
    pub(crate) device_id: String,
    pub(crate) token: String,
    pub(crate) expires_at_ms: i64,
    /// Everything up to this seq of the inbox was printed.
    #[serde(default)]
    pub(crate) cursor: u64,
    /// The same for the log of each super group.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) super_groups: BTreeMap<u64, u64>,
    /// The last seqs of super groups that ended.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) ended_groups: BTreeMap<u64, u64>,
    /// The numbering of messages, and the unanswered message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<Session>,
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile")
            .field("user_id", &self.user_id)
            .field("cursor", &self.cursor)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// The directory of profiles.
#[derive(Debug, Clone)]
pub(crate) struct Profiles {
    dir: PathBuf,
}

impl Profiles {
    /// Uses `dir`, or the default directory of the platform. It is created on first use.
    pub(crate) fn open(dir: Option<PathBuf>) -> Result<Self, CommandError> {
        let dir = match dir {
            Some(dir) => dir,
            None => default_dir().ok_or_else(|| CommandError::usage("no home directory found; set WIGWAG_HOME"))?,
        };
        Ok(Self { dir })
    }

    /// Reads a profile without locking it. Returns `None` if it does not exist.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Profile>, CommandError> {
        let path = self.path(name)?;
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(anyhow::Error::new(error)
                    .context(format!("cannot read {}", path.display()))
                    .into());
            }
        };
        let profile = serde_json::from_slice(&text).with_context(|| format!("cannot parse {}", path.display()))?;
        Ok(Some(profile))
    }

    /// Locks a name for this process. The profile need not exist.
    pub(crate) fn claim(&self, name: &str) -> Result<ProfileLock, CommandError> {
        let path = self.path(name)?;
        self.make_dir()
            .with_context(|| format!("cannot create {}", self.dir.display()))?;
        let lock = private_file(&path.with_extension("lock"))
            .with_context(|| format!("cannot open the lock of profile {name}"))?;
        match lock.try_lock() {
            Ok(()) => Ok(ProfileLock { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(CommandError::Other(anyhow::anyhow!(
                "another wigwag is using the profile {name}; stop it, or choose another with --as"
            ))),
            Err(TryLockError::Error(error)) => Err(anyhow::Error::new(error).context("cannot lock the profile").into()),
        }
    }

    /// Reads an existing profile without locking it.
    pub(crate) fn existing(&self, name: &str) -> Result<Profile, CommandError> {
        self.read(name)?.ok_or_else(|| {
            CommandError::usage(format!(
                "there is no profile {name}; create one with: wigwag register, wigwag login or wigwag chat --as {name}"
            ))
        })
    }

    /// Locks an existing profile.
    pub(crate) fn take(&self, name: &str) -> Result<LockedProfile, CommandError> {
        // Checked first, so that a mistyped name leaves no lock file behind.
        self.existing(name)?;
        let claim = self.claim(name)?;
        Ok(claim.hold(self.existing(name)?))
    }

    /// All profiles by name, without those that cannot be read.
    pub(crate) fn list(&self) -> Result<Vec<(String, Profile)>, CommandError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(anyhow::Error::new(error).context("cannot list the profiles").into()),
        };
        let mut profiles: Vec<_> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|file| file.strip_suffix(".json").map(str::to_owned))
            .filter_map(|name| Some((name.clone(), self.read(&name).ok()??)))
            .collect();
        profiles.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(profiles)
    }

    fn path(&self, name: &str) -> Result<PathBuf, CommandError> {
        if is_name(name) {
            return Ok(self.dir.join(format!("{name}.json")));
        }
        Err(CommandError::usage(format!(
            "{name:?} is not a valid profile name: use at most {NAME_CHARS} letters, digits, - and _, not only digits"
        )))
    }

    fn make_dir(&self) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.dir)
    }
}

/// A profile name that this process holds until it is dropped.
#[derive(Debug)]
pub(crate) struct ProfileLock {
    path: PathBuf,
    _lock: File,
}

impl ProfileLock {
    /// Stores a profile under the name. Nothing is written before the first change.
    pub(crate) fn hold(self, profile: Profile) -> LockedProfile {
        LockedProfile {
            claim: self,
            profile: Mutex::new(profile),
        }
    }
}

/// A profile that this process holds.
#[derive(Debug)]
pub(crate) struct LockedProfile {
    claim: ProfileLock,
    profile: Mutex<Profile>,
}

impl LockedProfile {
    /// The current state.
    pub(crate) fn get(&self) -> Profile {
        self.lock().clone()
    }

    /// Everything up to this seq of the inbox was printed.
    pub(crate) fn cursor(&self) -> u64 {
        self.lock().cursor
    }

    /// The user id of the account.
    pub(crate) fn user_id(&self) -> u64 {
        self.lock().user_id
    }

    /// Changes and writes the profile. `durable` survives a power cut and takes longer.
    fn write(&self, durable: bool, change: impl FnOnce(&mut Profile)) -> io::Result<()> {
        let mut profile = self.lock();
        change(&mut profile);
        replace(&self.claim.path, &serde_json::to_vec_pretty(&*profile)?, durable)
    }

    /// Changes and writes the profile durably.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Profile)) -> Result<(), CommandError> {
        let written = self.write(true, change);
        Ok(written.with_context(|| format!("cannot write {}", self.claim.path.display()))?)
    }

    /// Notes that everything up to `cursor` was printed. This write is not durable: after a power
    /// cut a message may be printed again, which is harmless.
    pub(crate) fn advance(&self, cursor: u64) -> Result<(), CommandError> {
        if self.cursor() >= cursor {
            return Ok(());
        }
        self.set_cursor(cursor)
    }

    /// Sets the cursor, also backwards if the server has nothing beyond it.
    pub(crate) fn set_cursor(&self, cursor: u64) -> Result<(), CommandError> {
        if self.cursor() == cursor {
            return Ok(());
        }
        let written = self.write(false, |profile| profile.cursor = cursor);
        Ok(written.with_context(|| format!("cannot write {}", self.claim.path.display()))?)
    }

    /// Everything up to this conversation seq of a super group was printed.
    pub(crate) fn group_cursor(&self, group_id: u64) -> Option<u64> {
        self.lock().super_groups.get(&group_id).copied()
    }

    /// Notes that everything up to `cursor` of a super group was printed.
    pub(crate) fn advance_group(&self, group_id: u64, cursor: u64) -> Result<(), CommandError> {
        if self.group_cursor(group_id) == Some(cursor) {
            return Ok(());
        }
        let written = self.write(false, |profile| {
            profile.super_groups.insert(group_id, cursor);
            profile.ended_groups.remove(&group_id);
        });
        Ok(written.with_context(|| format!("cannot write {}", self.claim.path.display()))?)
    }

    /// Notes that a super group has ended at this seq.
    pub(crate) fn end_group(&self, group_id: u64, cursor: u64) -> Result<(), CommandError> {
        let written = self.write(false, |profile| {
            profile.super_groups.remove(&group_id);
            profile.ended_groups.insert(group_id, cursor);
        });
        Ok(written.with_context(|| format!("cannot write {}", self.claim.path.display()))?)
    }

    fn lock(&self) -> MutexGuard<'_, Profile> {
        self.profile.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionStore for LockedProfile {
    fn save(&self, session: &Session) -> io::Result<()> {
        self.write(true, |profile| profile.session = Some(session.clone()))
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=NAME_CHARS).contains(&name.len()) && name.chars().all(allowed) && !name.chars().all(|c| c.is_ascii_digit())
}

fn default_dir() -> Option<PathBuf> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let config = set("XDG_CONFIG_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".config")))
        .or_else(|| set("APPDATA"))?;
    Some(config.join("wigwag"))
}

/// Opens a file that only its owner can read.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Replaces a file atomically.
fn replace(path: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = private_file(&temporary)?;
    file.write_all(bytes)?;
    if durable {
        file.sync_all()?;
    }
    fs::rename(&temporary, path)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn profile() -> Profile {
        Profile {
            url: "http://127.0.0.1:3000".parse().unwrap(),
            ws_url: "ws://127.0.0.1:3001/prod".parse().unwrap(),
            user_id: 7,
            nickname: "Alice".to_owned(),
            phone_number: "+15550000001".to_owned(),
            password: Some("secret-password".to_owned()),
            generated: true,
            device_id: "device".to_owned(),
            token: "secret-token".to_owned(),
            expires_at_ms: 0,
            cursor: 5,
            super_groups: BTreeMap::new(),
            ended_groups: BTreeMap::new(),
            session: None,
        }
    }

    fn profiles() -> (tempfile::TempDir, Profiles) {
        let dir = tempfile::tempdir().unwrap();
        let profiles = Profiles::open(Some(dir.path().join("wigwag"))).unwrap();
        (dir, profiles)
    }

    #[test]
    fn a_written_profile_can_be_read_again() {
        let (_dir, profiles) = profiles();
        assert!(profiles.read("alice").unwrap().is_none());
        let held = profiles.claim("alice").unwrap().hold(profile());
        held.advance(9).unwrap();
        held.advance(8).unwrap();
        let session = Session {
            id: 1,
            next_client_id: 2,
            pending: None,
        };
        held.save(&session).unwrap();
        held.advance_group(12, 3).unwrap();
        held.advance_group(13, 4).unwrap();
        held.end_group(12, 3).unwrap();
        let read = profiles.read("alice").unwrap().unwrap();
        assert_eq!(read.super_groups, BTreeMap::from([(13, 4)]));
        assert_eq!(read.ended_groups, BTreeMap::from([(12, 3)]));
        assert_eq!((read.cursor, read.session), (9, Some(session)));
        assert_eq!(profiles.list().unwrap().len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_a_profile() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_dir, profiles) = profiles();
        profiles.claim("alice").unwrap().hold(profile()).advance(9).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&profiles.path("alice").unwrap()), 0o600);
        assert_eq!(mode(&profiles.dir), 0o700);
    }

    #[test]
    fn two_processes_cannot_be_the_same_device() {
        let (_dir, profiles) = profiles();
        let claim = profiles.claim("alice").unwrap();
        assert!(profiles.claim("alice").is_err());
        assert!(profiles.claim("bob").is_ok());
        drop(claim);
        assert!(profiles.claim("alice").is_ok());
    }

    #[test]
    fn a_profile_name_is_neither_a_path_nor_an_id() {
        for name in ["", "..", "a/b", "a.b", "12345", "ü", &"x".repeat(65)] {
            assert!(!is_name(name), "{name}");
        }
        for name in ["alice", "a1", "1a", "my-phone_2"] {
            assert!(is_name(name), "{name}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        assert!(!format!("{:?}", profile()).contains("secret"));
    }
}
