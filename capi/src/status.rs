//! Why a function failed, and with which status: the one table from causes to codes.
//!
//! Windows documents no status of these functions. The codes are those that CNG's key storage uses
//! for the same thing. `docs/c-api.md` holds this table for people; a test keeps the two equal.

use crate::abi::SECURITY_STATUS;

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        /// A status that is returned, by its name in Windows' headers.
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "the names are C's")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Status {
            $($(#[$doc])* $name = $value,)*
        }

        impl Status {
            /// Every status.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in Windows' headers.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

statuses! {
    /// Success.
    SEC_E_OK = 0;
    /// A public key is none.
    NTE_BAD_KEY = 0x8009_0003;
    /// A length that cannot be.
    NTE_BAD_LEN = 0x8009_0004;
    /// Bytes that are not what they should be.
    NTE_BAD_DATA = 0x8009_0005;
    /// A signature that does not verify.
    NTE_BAD_SIGNATURE = 0x8009_0006;
    /// Other key parameters than the negotiated ones.
    NTE_BAD_ALGID = 0x8009_0008;
    /// A key blob of another type.
    NTE_BAD_TYPE = 0x8009_000A;
    /// The key is gone.
    NTE_NO_KEY = 0x8009_000D;
    /// No memory.
    NTE_NO_MEMORY = 0x8009_000E;
    /// Not permitted.
    NTE_PERM = 0x8009_0010;
    /// There is no such key.
    NTE_NOT_FOUND = 0x8009_0011;
    /// What is stored is unreadable.
    NTE_BAD_KEYSET = 0x8009_0016;
    /// Anything else.
    NTE_FAIL = 0x8009_0020;
    /// No room.
    NTE_TOKEN_KEYSET_STORAGE_FULL = 0x8009_0023;
    /// An argument that may not be.
    NTE_INVALID_PARAMETER = 0x8009_0027;
    /// Not supported.
    NTE_NOT_SUPPORTED = 0x8009_0029;
    /// A defect of this library.
    NTE_INTERNAL_ERROR = 0x8009_002D;
    /// The device is busy.
    NTE_DEVICE_NOT_READY = 0x8009_0030;
    /// The device signed badly.
    NTE_VALIDATION_FAILED = 0x8009_0032;
    /// The device is not there.
    NTE_DEVICE_NOT_FOUND = 0x8009_0035;
}

impl Status {
    /// The number that a function returns.
    #[must_use]
    pub const fn code(self) -> SECURITY_STATUS {
        (self as u32).cast_signed()
    }
}

macro_rules! causes {
    ($($name:ident => $status:ident, $text:literal;)*) => {
        /// Why a function failed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Cause {
            $(#[doc = $text] $name,)*
        }

        impl Cause {
            /// Every cause.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The status that stands for it.
            #[must_use]
            pub const fn status(self) -> Status {
                match self { $(Self::$name => Status::$status,)* }
            }

            /// What happened, in the words of the manual.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

causes! {
    InvalidArgument => NTE_INVALID_PARAMETER, "an argument is NULL, 0 or unknown, or an EKM has not 32 bytes";
    InvalidTarget => NTE_INVALID_PARAMETER, "the target is empty, too long, ill-formed UTF-16 or an ill-formed URL";
    TooManyBindings => NTE_INVALID_PARAMETER, "a message of no or more than 16 bindings";
    NoMemory => NTE_NO_MEMORY, "no memory for an output";
    KeyNotFound => NTE_NOT_FOUND, "the target has no key";
    KeyLost => NTE_NO_KEY, "the device does not hold the key any more";
    KeyContended => NTE_NO_KEY, "another process deletes the key again and again";
    KeyCorrupt => NTE_BAD_KEYSET, "what is stored of the key is damaged";
    StoreCorrupt => NTE_BAD_KEYSET, "the key map is damaged, incomplete or of a later version";
    MasterMissing => NTE_BAD_KEYSET, "the master of the software keystore is gone";
    StoreBusy => NTE_DEVICE_NOT_READY, "another process holds the key map";
    StoreFull => NTE_TOKEN_KEYSET_STORAGE_FULL, "no space for the key map";
    StoreDenied => NTE_PERM, "the key map is open to others or closed to us";
    StoreFailed => NTE_FAIL, "the key map cannot be used";
    Configuration => NTE_FAIL, "the configuration cannot be used";
    DeviceNotFound => NTE_DEVICE_NOT_FOUND, "the device is not there or was removed";
    KeysOutOfReach => NTE_DEVICE_NOT_FOUND, "keys were not deleted: their device is not there";
    DeviceBusy => NTE_DEVICE_NOT_READY, "the device is busy";
    DeviceLocked => NTE_DEVICE_NOT_READY, "the device is locked out for a while";
    DeviceFull => NTE_TOKEN_KEYSET_STORAGE_FULL, "the device is full";
    DeviceDenied => NTE_PERM, "the system or the device does not permit it";
    PinRequired => NTE_PERM, "a PIN or passphrase is needed";
    PinIncorrect => NTE_PERM, "the PIN or passphrase is wrong";
    PinLocked => NTE_PERM, "the PIN is locked, or one wrong PIN more would lock it";
    DeviceFailed => NTE_FAIL, "a defect of the device or its driver";
    BadDeviceSignature => NTE_VALIDATION_FAILED, "the device returned a bad signature";
    NotSupported => NTE_NOT_SUPPORTED, "the provider does not offer the key type, or is not built in";
    MalformedMessage => NTE_BAD_DATA, "a message, binding or key breaks the grammar of RFC 8471";
    BadLength => NTE_BAD_LEN, "a message, binding or key ends early or is too long";
    BindingCount => NTE_BAD_DATA, "a message has not exactly one provided and at most one referred binding";
    BadPublicKey => NTE_BAD_KEY, "a public key is off its curve or is no RSA key of 2048 bits";
    BadKeyBlob => NTE_BAD_TYPE, "a public key is of another type than asked for";
    NotNegotiated => NTE_BAD_ALGID, "a provided binding has other key parameters than were negotiated";
    BadSignature => NTE_BAD_SIGNATURE, "a binding is not signed for this connection";
    Unknown => NTE_FAIL, "anything else";
    Internal => NTE_INTERNAL_ERROR, "a defect of this library";
}
