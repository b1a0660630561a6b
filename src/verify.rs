//! From a message and the connection it came on to bindings that are proven (RFC 8471 §4.2).
//!
//! Everything that is wrong with any one binding rejects the message as a whole. Cheap checks come
//! first: no signature is checked of a message that its form or the policy rejects.

use tokenbinding_backend::KeyType;

use crate::{
    Ekm,
    header::{self, InvalidHeader},
    message::{
        ParseError, Tbh, TokenBinding, TokenBindingId, TokenBindingKeyParameters,
        TokenBindingMessage, TokenBindingType,
    },
};

/// What a message must hold beyond sound bindings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// HTTP's rules (RFC 8473 §2): exactly one provided binding and at most one referred.
    #[default]
    Default,
    /// RFC 8471 alone: any number of either. Signatures and negotiated parameters count as ever.
    Protocol,
}

/// The server side of a connection on which Token Binding was negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verifier {
    /// The key parameters that were negotiated (RFC 8472): every provided binding must have them.
    pub negotiated: KeyType,
    /// What a message must hold.
    pub policy: Policy,
}

impl Verifier {
    /// Verifies by the default policy for a connection that negotiated `negotiated`.
    #[must_use]
    pub const fn new(negotiated: KeyType) -> Self {
        Self {
            negotiated,
            policy: Policy::Default,
        }
    }

    /// Verifies by another policy.
    #[must_use]
    pub const fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Verifies the value of a `Sec-Token-Binding` header.
    ///
    /// # Errors
    /// [`Rejection`]: the request must be refused.
    pub fn verify_header(&self, header: &str, ekm: &Ekm) -> Result<VerifiedBindings, Rejection> {
        self.verify(&header::decode(header)?, ekm)
    }

    /// Verifies a raw message, length prefix included, against the EKM of its connection.
    ///
    /// Bindings of unknown type whose key parameters are known must be signed well and are
    /// reported as other; bindings other than provided ones whose parameters are unknown cannot be
    /// judged and are passed over.
    ///
    /// # Errors
    /// [`Rejection`]: every binding of the message is void (RFC 8471 §4.2).
    pub fn verify(&self, message: &[u8], ekm: &Ekm) -> Result<VerifiedBindings, Rejection> {
        let message = TokenBindingMessage::parse(message)?;
        let bindings = message.token_bindings();
        self.check_policy(bindings)?;
        self.check_negotiated(bindings)?;
        let verified = bindings.iter().enumerate().filter_map(|(index, binding)| {
            check_signature(binding, ekm)
                .map_err(|BadSignature| Rejection::BadSignature { binding: index })
                .transpose()
        });
        verified.collect::<Result<_, _>>().map(VerifiedBindings)
    }

    fn check_policy(&self, bindings: &[TokenBinding<'_>]) -> Result<(), Rejection> {
        if self.policy == Policy::Protocol {
            return Ok(());
        }
        let count = |wanted| {
            bindings
                .iter()
                .filter(|b| b.binding_type() == wanted)
                .count()
        };
        match (
            count(TokenBindingType::Provided),
            count(TokenBindingType::Referred),
        ) {
            (1, 0 | 1) => Ok(()),
            (0, _) => Err(Rejection::NoProvidedBinding),
            (1, found) => Err(Rejection::SeveralReferredBindings { found }),
            (found, _) => Err(Rejection::SeveralProvidedBindings { found }),
        }
    }

    fn check_negotiated(&self, bindings: &[TokenBinding<'_>]) -> Result<(), Rejection> {
        let negotiated = TokenBindingKeyParameters::Known(self.negotiated);
        let other = bindings.iter().position(|binding| {
            binding.binding_type() == TokenBindingType::Provided
                && binding.key_parameters() != negotiated
        });
        match other {
            None => Ok(()),
            Some(index) => Err(Rejection::NotNegotiated {
                binding: index,
                found: bindings[index].key_parameters(),
                negotiated: self.negotiated,
            }),
        }
    }
}

struct BadSignature;

/// The binding with its signature proven; `None` where its parameters are unknown.
fn check_signature(
    binding: &TokenBinding<'_>,
    ekm: &Ekm,
) -> Result<Option<VerifiedBinding>, BadSignature> {
    let (TokenBindingKeyParameters::Known(key_type), Some(public_key)) =
        (binding.key_parameters(), binding.public_key())
    else {
        return Ok(None);
    };
    let data = ekm.signed_data(binding.binding_type(), key_type);
    public_key
        .verify(key_type, &data, binding.signature())
        .map_err(|_| BadSignature)?;
    Ok(Some(VerifiedBinding {
        binding_type: binding.binding_type(),
        key_type,
        id: binding.id(),
        extensions: binding
            .extensions()
            .map(|extension| (extension.extension_type, extension.extension_data.into()))
            .collect(),
    }))
}

/// The bindings of a message, each with its signature proven, in the order of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedBindings(Vec<VerifiedBinding>);

impl VerifiedBindings {
    /// The provided binding; the first where [`Policy::Protocol`] let several through.
    #[must_use]
    pub fn provided(&self) -> Option<&VerifiedBinding> {
        self.first(TokenBindingType::Provided)
    }

    /// The referred binding; the first where [`Policy::Protocol`] let several through.
    #[must_use]
    pub fn referred(&self) -> Option<&VerifiedBinding> {
        self.first(TokenBindingType::Referred)
    }

    fn first(&self, wanted: TokenBindingType) -> Option<&VerifiedBinding> {
        self.iter().find(|binding| binding.binding_type == wanted)
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, VerifiedBinding> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none: possible under [`Policy::Protocol`] alone.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a VerifiedBindings {
    type Item = &'a VerifiedBinding;
    type IntoIter = std::slice::Iter<'a, VerifiedBinding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// One binding whose signature is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedBinding {
    binding_type: TokenBindingType,
    key_type: KeyType,
    id: TokenBindingId,
    extensions: Vec<(u8, Box<[u8]>)>,
}

impl VerifiedBinding {
    /// What it is for.
    #[must_use]
    pub const fn binding_type(&self) -> TokenBindingType {
        self.binding_type
    }

    /// The type of its key.
    #[must_use]
    pub const fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The opaque id to which tokens are bound.
    #[must_use]
    pub const fn id(&self) -> &TokenBindingId {
        &self.id
    }

    /// The hash of the id.
    #[must_use]
    pub fn tbh(&self) -> Tbh {
        self.id.tbh()
    }

    /// Its extensions by type and data. The signature does not cover them: they are only as good
    /// as the TLS connection.
    #[must_use]
    pub fn extensions(&self) -> impl ExactSizeIterator<Item = (u8, &[u8])> {
        self.extensions
            .iter()
            .map(|(extension_type, data)| (*extension_type, &**data))
    }
}

/// Why a message is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The header value is not base64url.
    #[error(transparent)]
    Header(#[from] InvalidHeader),
    /// The message breaks the grammar.
    #[error("the message is malformed: {0}")]
    Malformed(#[from] ParseError),
    /// There is no provided binding.
    #[error("there is no provided binding, and exactly one must be there")]
    NoProvidedBinding,
    /// There is more than one provided binding.
    #[error("there are {found} provided bindings, and exactly one may be there")]
    SeveralProvidedBindings {
        /// How many.
        found: usize,
    },
    /// There is more than one referred binding.
    #[error("there are {found} referred bindings, and at most one may be there")]
    SeveralReferredBindings {
        /// How many.
        found: usize,
    },
    /// A provided binding has other key parameters than were negotiated.
    #[error("binding {binding} is provided with {found}, and {negotiated} was negotiated")]
    NotNegotiated {
        /// Which binding, counted from 0.
        binding: usize,
        /// Its parameters.
        found: TokenBindingKeyParameters,
        /// The negotiated ones.
        negotiated: KeyType,
    },
    /// A signature does not verify: another key, another connection, or a changed message.
    #[error("binding {binding} is not signed by its key for this connection's EKM")]
    BadSignature {
        /// Which binding, counted from 0.
        binding: usize,
    },
}

impl Rejection {
    /// Which binding is at fault, counted from 0, where it is one of them.
    #[must_use]
    pub const fn binding(&self) -> Option<usize> {
        match self {
            Self::Malformed(error) => error.binding,
            Self::NotNegotiated { binding, .. } | Self::BadSignature { binding } => Some(*binding),
            _ => None,
        }
    }
}
