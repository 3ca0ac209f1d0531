//! The distribution API (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md>), as far as plugins need it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tamis_config::{Digest, Reference, Repository};
use ureq::http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use ureq::{Body, SendBody};

use crate::authorization::{self, Challenge};
use crate::bundle::part_of;
use crate::credentials::Keyring;
use crate::manifest::{Layer, MANIFEST_BYTES_MAX, MANIFEST_TYPE, Manifest, SIGNATURE_ANNOTATION};
use crate::transport::{self, REDIRECTS_MAX, Transport, body, refusal};
use crate::upload;
use crate::{Bundle, Bundled, Error, component, digest_of, manifest};

/// Largest component that is pushed, or pulled where no smaller limit is given.
pub const COMPONENT_BYTES_MAX: u64 = 1 << 30;
/// Most tags and repositories that are listed.
pub const LIST_MAX: usize = 10_000;
/// Bytes of a page of a list.
const LIST_BYTES_MAX: u64 = 4 << 20;

/// Hears of progress: bytes done, bytes in all.
pub type Progress<'p> = &'p mut dyn FnMut(u64, u64);

/// A plugin as it lies in a registry.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Digest of the manifest: what a reference is pinned to.
    pub digest: Digest,
    /// The manifest's bytes.
    pub manifest: Vec<u8>,
    /// Digest of the component.
    pub component: Digest,
    /// The component's bytes.
    pub wasm: Vec<u8>,
    /// The signature, if it has one.
    pub signature: Option<String>,
    /// Notes on it.
    pub annotations: BTreeMap<String, String>,
}

/// A manifest that was found, and its digest.
#[derive(Debug, Clone)]
pub struct Found {
    /// The digest.
    pub digest: Digest,
    /// The bytes.
    pub text: Vec<u8>,
}

/// What was pushed.
#[derive(Debug, Clone)]
pub struct Pushed {
    /// Digest of the manifest.
    pub digest: Digest,
    /// Digest of the component.
    pub component: Digest,
    /// Whether the registry had the component already.
    pub known: bool,
}

/// Speaks with registries. Tokens are kept for as long as it lives; clones share them.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) transport: Transport,
    keyring: Keyring,
    /// `Authorization` by registry and scope.
    tokens: Arc<Mutex<HashMap<(String, String), String>>>,
}

impl Client {
    /// A client with what this process's environment says of credentials, certificates and registries without TLS;
    /// `plain_http` names more of those.
    ///
    /// # Errors
    /// [`Error::Credentials`] for what is set and cannot be read.
    pub fn new(plain_http: &[String]) -> Result<Self, Error> {
        Ok(Self { transport: Transport::new(plain_http)?, keyring: Keyring::from_environment()?, tokens: Arc::default() })
    }

    /// The same, for no longer than this in all: whoever sends a byte now and then is as good as silent.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.transport.until = Some(Instant::now() + time);
        self
    }

    /// The manifest that a reference leads to. With a tag and a digest, the tag must lead to the digest.
    ///
    /// # Errors
    /// [`Error::Moved`] when it does not; otherwise what the registry or the network said.
    pub fn manifest(&self, reference: &Reference) -> Result<Found, Error> {
        let name = match (reference.tag(), reference.digest()) {
            (Some(tag), _) => tag.to_owned(),
            (None, Some(digest)) => digest.to_string(),
            (None, None) => return Err(Error::NotFound { what: reference.to_string() }),
        };
        let found = self.manifest_named(reference, &name)?;
        let what = || reference.to_string();
        match reference.digest() {
            Some(pinned) if *pinned != found.digest && reference.tag().is_some() => {
                Err(Error::Moved { reference: what(), pinned: pinned.clone(), found: found.digest })
            }
            Some(pinned) if *pinned != found.digest => Err(Error::Digest { what: what(), expected: pinned.clone(), found: found.digest }),
            _ => Ok(found),
        }
    }

    /// The manifest that a reference's tag leads to now, whatever its digest. `None` where the tag leads nowhere, where there is none,
    /// and where one may not look: whoever may push may not always read.
    ///
    /// # Errors
    /// What else the registry or the network said.
    pub fn manifest_tagged(&self, reference: &Reference) -> Result<Option<Found>, Error> {
        let Some(tag) = reference.tag() else { return Ok(None) };
        match self.manifest_named(reference, tag) {
            Ok(found) => Ok(Some(found)),
            Err(Error::NotFound { .. } | Error::Denied { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn manifest_named(&self, reference: &Reference, name: &str) -> Result<Found, Error> {
        let repository = reference.repository();
        let what = reference.to_string();
        let url = format!("{}/v2/{}/manifests/{name}", self.transport.origin(repository.registry()), repository.name());
        let mut answer = self.get(repository, &what, &url, Some(MANIFEST_TYPE))?;
        let text = body(repository.registry(), &what, &mut answer, MANIFEST_BYTES_MAX, &mut |_| {})?;
        Ok(Found { digest: digest_of(&text), text })
    }

    /// The plugin that a reference leads to, with a component of at most `bytes_max` bytes. Nothing that does not have the digest
    /// asked for is given.
    ///
    /// # Errors
    /// As [`Client::manifest`], and [`Error::NotAPlugin`], [`Error::TooLarge`], [`Error::Digest`].
    pub fn pull(&self, reference: &Reference, bytes_max: u64, progress: Progress<'_>) -> Result<Artifact, Error> {
        let Found { digest, text } = self.manifest(reference)?;
        let (manifest, layer) = Manifest::parse(&reference.to_string(), &text)?;
        let wasm = self.blob(reference, &layer, bytes_max, progress)?;
        let signature = manifest.signature().map(str::to_owned);
        Ok(Artifact { digest, manifest: text, component: layer.digest, wasm, signature, annotations: manifest.annotations })
    }

    pub(crate) fn blob(&self, reference: &Reference, layer: &Layer, bytes_max: u64, progress: Progress<'_>) -> Result<Vec<u8>, Error> {
        let what = format!("the component of {reference}");
        if layer.bytes > bytes_max {
            return Err(Error::TooLarge { what, bytes_max });
        }
        let bytes = self.bytes(reference.repository(), &what, &layer.digest, layer.bytes, progress)?;
        let found = digest_of(&bytes);
        if found != layer.digest {
            return Err(Error::Digest { what, expected: layer.digest.clone(), found });
        }
        Ok(bytes)
    }

    /// The bytes of a blob, as they come.
    fn bytes(&self, repository: &Repository, what: &str, digest: &Digest, bytes: u64, progress: Progress<'_>) -> Result<Vec<u8>, Error> {
        let registry = repository.registry();
        let url = format!("{}/v2/{}/blobs/{digest}", self.transport.origin(registry), repository.name());
        let mut answer = self.get(repository, what, &url, None)?;
        body(registry, what, &mut answer, bytes, &mut |done| progress(done, bytes))
    }

    /// The configuration that a manifest leads to. `believe` is shown the digest of the manifest, the table of contents and its
    /// signature before anything else is fetched.
    ///
    /// # Errors
    /// [`Error::Bundle`] when it is none; what `believe` says; otherwise as [`Client::pull`].
    pub fn bundle(
        &self,
        reference: &Reference,
        found: Found,
        believe: impl FnOnce(&Digest, &[u8], Option<&str>) -> Result<(), Error>,
    ) -> Result<Bundled, Error> {
        let what = reference.to_string();
        Bundled::gather(&what, found.text, believe, |name, digest, bytes| {
            self.bytes(reference.repository(), &part_of(name, &what), digest, bytes, &mut |_, _| {})
        })
    }

    /// Puts a configuration, with the signature of its table of contents, under a tag. A reference with a digest too must be the
    /// digest of what is pushed. Gives the digest of the manifest.
    ///
    /// # Errors
    /// As [`Client::push`].
    pub fn push_bundle(
        &self,
        reference: &Reference,
        bundle: &Bundle,
        signature: Option<&str>,
        progress: Progress<'_>,
    ) -> Result<Digest, Error> {
        let (contents, manifest) = (bundle.contents(), bundle.manifest(signature));
        let blobs: Vec<&[u8]> = bundle.files().map(|(_, bytes)| bytes).chain([contents.as_slice()]).collect();
        self.put(reference, &blobs, &manifest, progress).map(|_| digest_of(&manifest))
    }

    /// Puts a component, with its signature, under a tag. `file` is the name under which other tools write it. A reference with a
    /// digest too must be the digest of what is pushed.
    ///
    /// # Errors
    /// What the registry or the network said; [`Error::Digest`] when the reference names another digest.
    pub fn push(
        &self,
        reference: &Reference,
        file: &str,
        wasm: &[u8],
        signature: Option<&str>,
        progress: Progress<'_>,
    ) -> Result<Pushed, Error> {
        let built = built(file, wasm, signature)?;
        let known = self.put(reference, &[wasm, &built.config], &built.manifest, progress)?;
        Ok(Pushed { digest: digest_of(&built.manifest), component: digest_of(wasm), known })
    }

    /// Puts blobs into a repository, and then the manifest that names them. Gives whether the first blob was there already.
    fn put(&self, reference: &Reference, blobs: &[&[u8]], manifest: &[u8], progress: Progress<'_>) -> Result<bool, Error> {
        let repository = reference.repository();
        let digest = digest_of(manifest);
        if let Some(expected) = reference.digest().filter(|expected| **expected != digest) {
            return Err(Error::Digest { what: reference.to_string(), expected: expected.clone(), found: digest });
        }
        let total = blobs.iter().map(|blob| blob.len() as u64).sum();
        let (mut before, mut known) = (0, None);
        for blob in blobs {
            let was_there = upload::blob(self, repository, blob, &mut |done, _| progress(before + done, total))?;
            before += blob.len() as u64;
            known.get_or_insert(was_there);
        }
        let name = reference.tag().map_or_else(|| digest.to_string(), str::to_owned);
        let registry = repository.registry();
        let url = format!("{}/v2/{}/manifests/{name}", self.transport.origin(registry), repository.name());
        let put = |authorization: Option<&str>| {
            let request = Request::put(&url).header(header::CONTENT_TYPE, MANIFEST_TYPE).header(header::CONTENT_LENGTH, manifest.len());
            self.finish(registry, authorized(request, authorization), SendBody::from_reader(&mut &*manifest))
        };
        let answer = self.authorized(repository, "pull,push", put)?;
        if answer.status() != StatusCode::CREATED {
            return Err(refusal(registry, "the manifest", answer));
        }
        Ok(known.unwrap_or(false))
    }

    /// The tags of a repository, in the registry's order; at most [`LIST_MAX`].
    ///
    /// # Errors
    /// What the registry or the network said.
    pub fn tags(&self, repository: &Repository) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Page {
            // Some registries answer null.
            tags: Option<Vec<String>>,
        }
        self.list(repository, &format!("{}/tags/list", repository.name()), |page: Page| page.tags.unwrap_or_default())
    }

    /// The repositories of a registry whose names begin with the given one's; at most [`LIST_MAX`]. Many hosted registries do not
    /// tell.
    ///
    /// # Errors
    /// What the registry or the network said.
    pub fn repositories(&self, prefix: &Repository) -> Result<Vec<Repository>, Error> {
        #[derive(Deserialize)]
        struct Page {
            repositories: Option<Vec<String>>,
        }
        let names = self.list(prefix, "_catalog", |page: Page| page.repositories.unwrap_or_default())?;
        let below = format!("{}/", prefix.name());
        let is_within = |name: &String| prefix.name().is_empty() || name == prefix.name() || name.starts_with(&below);
        Ok(names.into_iter().filter(is_within).filter_map(|name| prefix.sibling(&name)).collect())
    }

    fn list<P: for<'de> Deserialize<'de>>(
        &self,
        repository: &Repository,
        path: &str,
        of: impl Fn(P) -> Vec<String>,
    ) -> Result<Vec<String>, Error> {
        let registry = repository.registry();
        let protocol = |reason: &str| Error::Protocol { registry: registry.to_owned(), reason: reason.to_owned() };
        let origin = self.transport.origin(registry);
        let mut url = format!("{origin}/v2/{path}?n=1000");
        let mut all: Vec<String> = Vec::new();
        loop {
            let what = format!("the list of {repository}");
            let mut answer = self.get(repository, &what, &url, None)?;
            let next = transport::header(answer.headers(), "link").and_then(next_page).map(str::to_owned);
            let bytes = body(registry, &what, &mut answer, LIST_BYTES_MAX, &mut |_| {})?;
            let before = all.len();
            all.extend(of(serde_json::from_slice(&bytes).map_err(|_| protocol("a list that is not JSON of the expected form"))?));
            let Some(next) = next.filter(|_| all.len() < LIST_MAX && all.len() > before) else { break };
            url = locate(&origin, &next).ok_or_else(|| protocol("a next page that is no address"))?;
        }
        all.truncate(LIST_MAX);
        Ok(all)
    }

    /// GET with redirections; 200 or an error.
    fn get(&self, repository: &Repository, what: &str, url: &str, accept: Option<&str>) -> Result<Response<Body>, Error> {
        let registry = repository.registry();
        let scope = if repository.name().is_empty() || url.contains("/v2/_catalog") { "catalog" } else { "pull" };
        let mut url = url.to_owned();
        for _ in 0..=REDIRECTS_MAX {
            let uri = self.transport.check(registry, &url)?;
            let request = |authorization: Option<&str>| {
                let mut request = Request::get(uri.clone());
                if let Some(accept) = accept {
                    request = request.header(header::ACCEPT, accept);
                }
                self.finish(registry, authorized(request, authorization), SendBody::none())
            };
            // Elsewhere nobody learns who we are, and nobody's challenge is answered.
            let answer = if self.is_own(registry, &uri) { self.authorized(repository, scope, request)? } else { request(None)? };
            match answer.status() {
                StatusCode::OK => return Ok(answer),
                status if status.is_redirection() => {
                    let origin = format!("{}://{}", uri.scheme_str().unwrap_or("https"), uri.authority().map_or("", |a| a.as_str()));
                    url = location(registry, &origin, answer.headers())?;
                }
                _ => return Err(refusal(registry, what, answer)),
            }
        }
        Err(Error::Protocol { registry: registry.to_owned(), reason: format!("more than {REDIRECTS_MAX} redirections for {what}") })
    }

    /// Whether an address is the registry's own, with the scheme that is meant for it.
    pub(crate) fn is_own(&self, registry: &str, uri: &Uri) -> bool {
        let origin = self.transport.origin(registry);
        origin.strip_prefix(uri.scheme_str().unwrap_or_default()).and_then(|rest| rest.strip_prefix("://"))
            == uri.authority().map(|authority| authority.as_str())
    }

    /// Sends a request, and once more with what a challenge asks for.
    pub(crate) fn authorized(
        &self,
        repository: &Repository,
        actions: &str,
        send: impl Fn(Option<&str>) -> Result<Response<Body>, Error>,
    ) -> Result<Response<Body>, Error> {
        let registry = repository.registry();
        let scope = match actions {
            "catalog" => "registry:catalog:*".to_owned(),
            actions => format!("repository:{}:{actions}", repository.name()),
        };
        let key = (registry.to_owned(), scope);
        let kept = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let answer = send(kept.as_deref())?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let challenges =
            answer.headers().get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| Challenge::parse(value.to_str().ok()?));
        let Some(challenge) = challenges.into_iter().next() else { return Ok(answer) };
        let authorization = authorization::answer(&self.transport, registry, &challenge, &key.1, self.keyring.get(registry))?;
        let Some(authorization) = authorization else { return Ok(answer) };
        let answer = send(Some(&authorization))?;
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(key, authorization);
        Ok(answer)
    }

    pub(crate) fn finish(
        &self,
        registry: &str,
        request: ureq::http::request::Builder,
        body: SendBody<'_>,
    ) -> Result<Response<Body>, Error> {
        // What cannot stand in a header came from the registry: a token with control characters.
        let malformed =
            |_| Error::Protocol { registry: registry.to_owned(), reason: "a token or an address that cannot be sent".to_owned() };
        self.transport.send(registry, request.body(body).map_err(malformed)?)
    }
}

fn built(file: &str, wasm: &[u8], signature: Option<&str>) -> Result<manifest::Built, Error> {
    let facts = component::facts(wasm);
    let mut annotations = facts.annotations();
    annotations.extend(signature.map(|text| (SIGNATURE_ANNOTATION.to_owned(), text.to_owned())));
    manifest::build(file, wasm, &facts, annotations)
}

/// The digest that [`Client::push`] of the same would give. The same component and signature have the same one each time.
///
/// # Errors
/// [`Error::NotAPlugin`] when no manifest can be made of it.
pub fn digest_to_push(file: &str, wasm: &[u8], signature: Option<&str>) -> Result<Digest, Error> {
    Ok(digest_of(&built(file, wasm, signature)?.manifest))
}

pub(crate) fn authorized(request: ureq::http::request::Builder, authorization: Option<&str>) -> ureq::http::request::Builder {
    match authorization {
        Some(value) => request.header(header::AUTHORIZATION, value),
        None => request,
    }
}

/// Where an answer sends us.
pub(crate) fn location(registry: &str, origin: &str, headers: &HeaderMap) -> Result<String, Error> {
    let found = transport::header(headers, "location").and_then(|location| locate(origin, location));
    found.ok_or_else(|| Error::Protocol { registry: registry.to_owned(), reason: "a redirection without an address".to_owned() })
}

/// An absolute address as it is, one that begins with `/` within `origin`.
fn locate(origin: &str, location: &str) -> Option<String> {
    if location.starts_with("//") {
        return None;
    }
    if location.starts_with('/') {
        return Some(format!("{origin}{location}"));
    }
    (location.starts_with("https://") || location.starts_with("http://")).then(|| location.to_owned())
}

/// The address in `Link: </v2/…>; rel="next"` (RFC 8288).
fn next_page(link: &str) -> Option<&str> {
    let (address, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    (rest.contains("rel=\"next\"") || rest.contains("rel=next")).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found() {
        assert_eq!(next_page("</v2/_catalog?last=b&n=2>; rel=\"next\""), Some("/v2/_catalog?last=b&n=2"));
        assert_eq!(next_page("/v2"), None);
        assert_eq!(locate("https://r:1", "/v2/x").as_deref(), Some("https://r:1/v2/x"));
        assert_eq!(locate("https://r:1", "https://s/x").as_deref(), Some("https://s/x"));
        for refused in ["//s/x", "x", "file:///etc/passwd", ""] {
            assert_eq!(locate("https://r:1", refused), None, "{refused}");
        }
    }
}
