//! Detached signatures in minisign's format (<https://jedisct1.github.io/minisign/#signature-format>): Ed25519 over the
//! BLAKE2b hash of the bytes, with a trusted comment that is signed too. Everything here works without a network.

use std::fmt;
use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign::{KeyPair, PublicKeyBox, SecretKeyBox, SignatureBox};
use tamis_config::escaped;

/// What is added to the name of a file for the name of its signature.
pub const EXTENSION: &str = "minisig";
/// Largest signature that is read.
pub const SIGNATURE_BYTES_MAX: u64 = 4096;
/// Largest key that is read.
pub const KEY_BYTES_MAX: u64 = 4096;

/// Bytes of a signature before base64: algorithm, key id, Ed25519.
const SIGNATURE_BYTES: usize = 74;
/// Bytes of the trusted comment's signature.
const GLOBAL_BYTES: usize = 64;
/// Bytes of a secret key before base64; its checksum is the end of it.
const SECRET_KEY_BYTES: usize = 158;
/// Bytes of a secret key's checksum.
const CHECKSUM_BYTES: usize = 32;
/// Characters of a public key: algorithm, key id and Ed25519 in base64. The algorithm `Ed` makes it begin with `RW`.
const PUBLIC_KEY_CHARS: usize = 56;

/// Why something was not signed, or is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// A text that is no public key.
    #[error("expected a public key in minisign's format: 56 characters beginning with `RW`, alone or below an `untrusted comment:` line")]
    NotAPublicKey,
    /// A text that is no secret key.
    #[error("expected a secret key in minisign's format, as `tamis plugin keygen` or `minisign -G` writes it")]
    NotASecretKey,
    /// A text that is no signature.
    #[error("expected a signature in minisign's format, as `tamis plugin sign` or `minisign -S` writes it: {0}")]
    NotASignature(&'static str),
    /// The secret key is encrypted and there is no password.
    #[error("the secret key is encrypted; give its password")]
    PasswordNeeded,
    /// The password is wrong, or the secret key damaged.
    #[error("the password is not the one of the secret key, or the key is damaged")]
    WrongPassword,
    /// The key is none of those that are trusted.
    #[error("signed by the key {found}; expected {expected}")]
    UnknownKey {
        /// Id of the key that signed.
        found: String,
        /// Ids of the keys that are trusted.
        expected: String,
    },
    /// The signature is one of other bytes.
    #[error("the signature by the key {key} is not one of these bytes: they were changed after signing, or it belongs to another file")]
    OtherBytes {
        /// Id of the key.
        key: String,
    },
    /// The machine could not do it.
    #[error("could not sign: {0}")]
    Failed(String),
}

/// A public key.
#[derive(Clone, PartialEq)]
pub struct PublicKey(minisign::PublicKey);

impl PublicKey {
    /// Reads the key's line, or a file's text with a comment line above it.
    ///
    /// # Errors
    /// [`SignatureError::NotAPublicKey`].
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
        if line.len() != PUBLIC_KEY_CHARS || !line.starts_with("RW") || !line.is_ascii() {
            return Err(SignatureError::NotAPublicKey);
        }
        minisign::PublicKey::from_base64(line).map(Self).map_err(|_| SignatureError::NotAPublicKey)
    }

    /// Whether a text looks like a key rather than like a path.
    pub fn is_key_text(text: &str) -> bool {
        let text = text.trim();
        text.len() == PUBLIC_KEY_CHARS && text.starts_with("RW")
    }

    /// The key's id: 16 hexadecimal digits, as minisign shows it.
    pub fn id(&self) -> String {
        id_of(self.0.keynum())
    }

    /// The key's line.
    pub fn text(&self) -> String {
        self.0.to_base64()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

/// A key id is a number in little-endian order.
fn id_of(number: &[u8]) -> String {
    number.iter().rev().map(|byte| format!("{byte:02X}")).collect()
}

/// A secret key, ready to sign. It is never shown.
pub struct SecretKey(minisign::SecretKey);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(not shown)")
    }
}

impl SecretKey {
    /// Whether a signature of these bytes was made with it.
    pub fn has_signed(&self, bytes: &[u8], signature: &str) -> bool {
        let public = minisign::PublicKey::from_secret_key(&self.0).map(PublicKey);
        public.is_ok_and(|public| verify(&[public], bytes, signature).is_ok())
    }

    /// Whether the text of a secret key is encrypted with a password.
    ///
    /// # Errors
    /// [`SignatureError::NotASecretKey`].
    pub fn is_encrypted(text: &str) -> Result<bool, SignatureError> {
        let line = text.lines().nth(1).ok_or(SignatureError::NotASecretKey)?;
        let bytes = STANDARD.decode(line.trim()).map_err(|_| SignatureError::NotASecretKey)?;
        match bytes.get(2..4) {
            Some(b"Sc") => Ok(true),
            Some(b"\0\0") => Ok(false),
            _ => Err(SignatureError::NotASecretKey),
        }
    }

    /// Reads the text of a secret key. Deriving the key from a password takes about a second and up to 1 GiB of memory.
    ///
    /// # Errors
    /// For a text that is no key, and a password that is missing or wrong.
    pub fn parse(text: &str, password: Option<&str>) -> Result<Self, SignatureError> {
        let boxed = || SecretKeyBox::from_string(text).map_err(|_| SignatureError::NotASecretKey);
        if !Self::is_encrypted(text)? {
            // `minisign -G -W` leaves the checksum out.
            let bytes = text.lines().nth(1).and_then(|line| STANDARD.decode(line.trim()).ok()).unwrap_or_default();
            if bytes.len() == SECRET_KEY_BYTES && bytes.ends_with(&[0; CHECKSUM_BYTES]) {
                return minisign::SecretKey::from_bytes(&bytes).map(Self).map_err(|_| SignatureError::NotASecretKey);
            }
            return boxed()?.into_unencrypted_secret_key().map(Self).map_err(|_| SignatureError::NotASecretKey);
        }
        let password = password.ok_or(SignatureError::PasswordNeeded)?;
        boxed()?.into_secret_key(Some(password.to_owned())).map(Self).map_err(|_| SignatureError::WrongPassword)
    }
}

/// A new pair of keys, as texts for two files.
pub struct Generated {
    /// The secret key's file.
    pub secret: String,
    /// The public key's file.
    pub public: String,
    /// The public key.
    pub key: PublicKey,
}

impl fmt::Debug for Generated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Generated({:?})", self.key)
    }
}

/// Makes a pair of keys; the secret one is encrypted when there is a password.
///
/// # Errors
/// [`SignatureError::Failed`] without randomness or memory.
pub fn generate(password: Option<&str>) -> Result<Generated, SignatureError> {
    let failed = |error: minisign::PError| SignatureError::Failed(error.to_string());
    let pair = match password {
        Some(password) => KeyPair::generate_encrypted_keypair(Some(password.to_owned())),
        None => KeyPair::generate_unencrypted_keypair(),
    };
    let pair = pair.map_err(failed)?;
    let comment = if password.is_some() { "minisign encrypted secret key" } else { "minisign secret key" };
    let secret = pair.sk.to_box(Some(comment)).map_err(failed)?.into_string();
    let public: PublicKeyBox = pair.pk.to_box().map_err(failed)?;
    Ok(Generated { secret, public: public.into_string(), key: PublicKey(pair.pk) })
}

/// Signs bytes. Gives the text of the signature's file and the id of the key.
///
/// # Errors
/// [`SignatureError::Failed`] without randomness.
pub fn sign(key: &SecretKey, bytes: &[u8], trusted_comment: &str) -> Result<(String, String), SignatureError> {
    let comment = escaped(trusted_comment);
    let signed = minisign::sign(None, &key.0, Cursor::new(bytes), Some(&comment), Some("signature from a tamis secret key"))
        .map_err(|error| SignatureError::Failed(error.to_string()))?;
    let id = id_of(signed.keynum());
    Ok((signed.into_string(), id))
}

/// What a sound signature says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Id of the key.
    pub key: String,
    /// The comment that was signed too, without control characters.
    pub comment: String,
}

/// The id of the key that a signature says it was made with. Nothing is proved by it.
///
/// # Errors
/// [`SignatureError::NotASignature`].
pub fn claimed_key(signature: &str) -> Result<String, SignatureError> {
    Ok(id_of(parse(signature)?.keynum()))
}

/// Checks that a signature was made of these bytes with one of these keys.
///
/// # Errors
/// What does not hold: the format, the key, or the bytes.
pub fn verify(keys: &[PublicKey], bytes: &[u8], signature: &str) -> Result<Signed, SignatureError> {
    let signature = parse(signature)?;
    let found = id_of(signature.keynum());
    let mut known = false;
    for key in keys.iter().filter(|key| key.0.keynum() == signature.keynum()) {
        known = true;
        if minisign::verify(&key.0, &signature, Cursor::new(bytes), true, false, false).is_ok() {
            let comment = signature.trusted_comment().unwrap_or_default();
            return Ok(Signed { key: found, comment: escaped(&comment) });
        }
    }
    if known {
        return Err(SignatureError::OtherBytes { key: found });
    }
    let expected: Vec<String> = keys.iter().map(PublicKey::id).collect();
    Err(SignatureError::UnknownKey { found, expected: expected.join(" or ") })
}

/// The lengths are checked here: the library slices what it decoded.
fn parse(text: &str) -> Result<SignatureBox, SignatureError> {
    use SignatureError::NotASignature;
    if text.len() as u64 > SIGNATURE_BYTES_MAX {
        return Err(NotASignature("it has more than 4,096 bytes"));
    }
    let mut lines = text.lines();
    let mut line = || lines.next().ok_or(NotASignature("it has fewer than four lines"));
    let (_, signature, _, global) = (line()?, line()?, line()?, line()?);
    let length = |line: &str| STANDARD.decode(line.trim()).map(|bytes| bytes.len()).unwrap_or_default();
    if length(signature) != SIGNATURE_BYTES || length(global) != GLOBAL_BYTES {
        return Err(NotASignature("its second line must hold 74 bytes in base64 and its fourth 64"));
    }
    let parsed = SignatureBox::from_string(text).map_err(|_| NotASignature("its lines are not in order"))?;
    if !parsed.is_prehashed() {
        return Err(NotASignature("it is one of the old kind, without a hash; sign again with minisign 0.10 or later"));
    }
    Ok(parsed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pair() -> (SecretKey, PublicKey) {
        let made = generate(None).unwrap();
        (SecretKey::parse(&made.secret, None).unwrap(), PublicKey::parse(&made.public).unwrap())
    }

    #[test]
    fn what_is_signed_is_believed_and_nothing_else() {
        let ((secret, public), (_, other)) = (pair(), pair());
        let (text, id) = sign(&secret, b"bytes", "file:tenant.wasm").unwrap();
        let signed = verify(&[other.clone(), public.clone()], b"bytes", &text).unwrap();
        assert_eq!(signed, Signed { key: id.clone(), comment: "file:tenant.wasm".into() });
        assert_eq!((claimed_key(&text).unwrap(), public.id()), (id.clone(), id.clone()));
        let refused = verify(std::slice::from_ref(&public), b"other", &text);
        assert_eq!(refused, Err(SignatureError::OtherBytes { key: id.clone() }));
        let refused = verify(std::slice::from_ref(&other), b"bytes", &text);
        assert_eq!(refused, Err(SignatureError::UnknownKey { found: id, expected: other.id() }));
        let commented = text.replace("tenant.wasm", "redact.wasm");
        assert!(matches!(verify(&[public], b"bytes", &commented), Err(SignatureError::OtherBytes { .. })));
    }

    #[test]
    fn no_text_brings_the_host_down() {
        let (secret, public) = pair();
        let (text, _) = sign(&secret, b"bytes", "c").unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for i in 0..lines.len() {
            for replacement in ["", "AAAA", "é", "trusted comment: ", "\u{1b}[2J", &"A".repeat(100), &"A".repeat(9999)] {
                let mut changed = lines.clone();
                changed[i] = replacement;
                let result = verify(std::slice::from_ref(&public), b"bytes", &changed.join("\n"));
                assert!(result.is_err() || i == 0, "line {i}: {replacement}");
            }
            assert!(verify(std::slice::from_ref(&public), b"bytes", &lines[..i].join("\n")).is_err());
        }
        for i in 0..text.len() {
            drop(verify(std::slice::from_ref(&public), b"bytes", &text[..i]));
        }
        for text in ["", "RW", "x\ny", &"é".repeat(28), &format!("RW{}", "!".repeat(54)), &"A".repeat(56)] {
            assert!(PublicKey::parse(text).is_err(), "{text}");
            assert!(SecretKey::parse(text, None).is_err(), "{text}");
        }
        assert!(SecretKey::parse("c\nRWQAAA==\n", Some("p")).is_err());
    }

    #[test]
    fn keys_are_never_shown() {
        let made = generate(None).unwrap();
        let (secret, _) = pair();
        assert!(!format!("{made:?} {secret:?}").contains(made.secret.lines().nth(1).unwrap()));
    }
}
