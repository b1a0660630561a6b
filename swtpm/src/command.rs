//! TPM commands as bytes, for what an owner or a platform does to a TPM, and for reading what
//! passes through a relay. TPM 2.0 Library, Part 1, §18 and Part 3.

use std::io::{self, Read};

/// Bytes before the parameters of a command or response: tag (2) ‖ size (4) ‖ code (4).
pub const HEADER_LEN: usize = 10;

/// Command codes that tests count. TPM 2.0 Library, Part 2, §6.5.2.
pub mod code {
    /// `TPM2_Clear`
    pub const CLEAR: u32 = 0x126;
    /// `TPM2_HierarchyChangeAuth`
    pub const HIERARCHY_CHANGE_AUTH: u32 = 0x129;
    /// `TPM2_CreatePrimary`
    pub const CREATE_PRIMARY: u32 = 0x131;
    /// `TPM2_DictionaryAttackParameters`
    pub const DICTIONARY_ATTACK_PARAMETERS: u32 = 0x13a;
    /// `TPM2_Startup`
    pub const STARTUP: u32 = 0x144;
    /// `TPM2_Create`
    pub const CREATE: u32 = 0x153;
    /// `TPM2_Load`
    pub const LOAD: u32 = 0x157;
    /// `TPM2_Sign`
    pub const SIGN: u32 = 0x15d;
    /// `TPM2_ContextLoad`
    pub const CONTEXT_LOAD: u32 = 0x161;
    /// `TPM2_ContextSave`
    pub const CONTEXT_SAVE: u32 = 0x162;
    /// `TPM2_FlushContext`
    pub const FLUSH_CONTEXT: u32 = 0x165;
    /// `TPM2_LoadExternal`
    pub const LOAD_EXTERNAL: u32 = 0x167;
    /// `TPM2_ReadPublic`
    pub const READ_PUBLIC: u32 = 0x173;
    /// `TPM2_StartAuthSession`
    pub const START_AUTH_SESSION: u32 = 0x176;
    /// `TPM2_GetCapability`
    pub const GET_CAPABILITY: u32 = 0x17a;
    /// `TPM2_Hash`
    pub const HASH: u32 = 0x17d;
}

const NO_SESSIONS: u16 = 0x8001;
const SESSIONS: u16 = 0x8002;
const RH_OWNER: u32 = 0x4000_0001;
const RS_PW: u32 = 0x4000_0009;
const RH_LOCKOUT: u32 = 0x4000_000a;
const RH_PLATFORM: u32 = 0x4000_000c;

/// Takes bytes from the end of a response, down to its header, and writes the new size into it.
pub(crate) fn shorten(response: &mut Vec<u8>, by: usize) {
    response.truncate(response.len().saturating_sub(by).max(HEADER_LEN));
    let size = u32::try_from(response.len()).expect("responses are small");
    response[2..6].copy_from_slice(&size.to_be_bytes());
}

/// Reads one command or response. `None` at the end of the stream.
pub fn read(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut header = [0; HEADER_LEN];
    match stream.read_exact(&mut header) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut bytes = header.to_vec();
    let size = usize::try_from(field(&header, 2)).unwrap_or_default();
    bytes.resize(size.max(HEADER_LEN), 0);
    stream.read_exact(&mut bytes[HEADER_LEN..])?;
    Ok(Some(bytes))
}

/// The command code of a command, or the response code of a response.
#[must_use]
pub fn code_of(bytes: &[u8]) -> u32 {
    field(bytes, 6)
}

/// The 32-bit number at `at`; 0 beyond the end.
fn field(bytes: &[u8], at: usize) -> u32 {
    let field = bytes
        .get(at..at + 4)
        .and_then(|field| field.try_into().ok());
    field.map_or(0, u32::from_be_bytes)
}

/// A response without parameters.
#[must_use]
pub fn response(response_code: u32) -> Vec<u8> {
    message(NO_SESSIONS, response_code, &[])
}

/// `TPM2_Startup(TPM_SU_CLEAR)`: what the firmware sends after a reset.
#[must_use]
pub fn startup_clear() -> Vec<u8> {
    message(NO_SESSIONS, code::STARTUP, &[0, 0])
}

/// `TPM2_Clear` by the platform.
#[must_use]
pub fn clear() -> Vec<u8> {
    authorized(code::CLEAR, RH_PLATFORM, &[])
}

/// `TPM2_HierarchyChangeAuth` of the owner hierarchy, whose authorization is empty now.
#[must_use]
pub fn set_owner_auth(auth: &[u8]) -> Vec<u8> {
    let len = u16::try_from(auth.len()).unwrap_or_default();
    let parameters = [&len.to_be_bytes()[..], auth].concat();
    authorized(code::HIERARCHY_CHANGE_AUTH, RH_OWNER, &parameters)
}

/// `TPM2_DictionaryAttackParameters` with no try at all: the TPM is in lockout at once.
#[must_use]
pub fn lock_out() -> Vec<u8> {
    let [tries, recovery, lockout_recovery]: [u32; 3] = [0, 1000, 1000];
    let parameters = [tries, recovery, lockout_recovery].map(u32::to_be_bytes);
    authorized(
        code::DICTIONARY_ATTACK_PARAMETERS,
        RH_LOCKOUT,
        &parameters.concat(),
    )
}

/// `TPM2_GetCapability` of the first handles from `first` on.
#[must_use]
pub fn handles(first: u32) -> Vec<u8> {
    const CAP_HANDLES: u32 = 1;
    let parameters = [CAP_HANDLES, first, 16].map(u32::to_be_bytes);
    message(NO_SESSIONS, code::GET_CAPABILITY, &parameters.concat())
}

/// The handles that the response to [`handles`] lists.
#[must_use]
pub fn listed(response: &[u8]) -> Vec<u32> {
    // The header, moreData (1), capability (4), then the count and the handles.
    let count_at = HEADER_LEN + 5;
    let count = usize::try_from(field(response, count_at)).unwrap_or_default();
    let handles = response.get(count_at + 4..).unwrap_or_default();
    handles
        .chunks_exact(4)
        .take(count)
        .map(|handle| field(handle, 0))
        .collect()
}

/// `TPM2_FlushContext`
#[must_use]
pub fn flush(handle: u32) -> Vec<u8> {
    message(NO_SESSIONS, code::FLUSH_CONTEXT, &handle.to_be_bytes())
}

/// A command on `handle`, authorized by the empty password.
fn authorized(code: u32, handle: u32, parameters: &[u8]) -> Vec<u8> {
    let mut body = handle.to_be_bytes().to_vec();
    // The authorization area: its size, the session, no nonce, no attributes, no password.
    body.extend(9_u32.to_be_bytes());
    body.extend(RS_PW.to_be_bytes());
    body.extend([0; 5]);
    body.extend(parameters);
    message(SESSIONS, code, &body)
}

fn message(tag: u16, code: u32, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(HEADER_LEN + body.len()).unwrap_or_default();
    let mut bytes = tag.to_be_bytes().to_vec();
    bytes.extend(size.to_be_bytes());
    bytes.extend(code.to_be_bytes());
    bytes.extend(body);
    bytes
}
