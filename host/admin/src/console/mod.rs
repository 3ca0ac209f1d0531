//! `GET /`: a page that shows the host in a browser. It holds no data and needs no token: its script reads `/v1/status` and
//! `/v1/generations` as any client does, with a token that whoever looks gives it and that stays in the page's memory.

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::routing::get;

/// Path, kind and text of all that the page is made of.
const FILES: [(&str, &str, &str); 3] = [
    ("/", "text/html; charset=utf-8", include_str!("page.html")),
    ("/console.css", "text/css; charset=utf-8", include_str!("console.css")),
    ("/console.js", "text/javascript; charset=utf-8", include_str!("console.js")),
];

/// Nothing but these files and this API: no script or style in the page itself, no frame around it, no form that leads elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

const ISOLATED: [(HeaderName, &str); 2] = [
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The page's routes.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.iter().fold(Router::new(), |router, (path, kind, text)| {
        let headers = [
            (CONTENT_TYPE, *kind),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_FRAME_OPTIONS, "DENY"),
            (REFERRER_POLICY, "no-referrer"),
            (CACHE_CONTROL, "no-cache"),
        ];
        router.route(path, get(move || async move { (headers, ISOLATED, *text) }))
    })
}

#[cfg(test)]
mod tests {
    use super::FILES;

    #[test]
    fn nothing_in_it_comes_from_elsewhere_or_goes_against_the_policy() {
        let [(_, _, page), (_, _, style), (_, _, script)] = FILES;
        for (what, text) in [("page", page), ("style", style), ("script", script)] {
            let own = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!own.contains("http://") && !own.contains("https://") && !own.contains("//cdn"), "{what}");
        }
        for inline in ["<script>", "<style", " style=", "onclick", "onload", "javascript:"] {
            assert!(!page.contains(inline), "{inline}");
        }
        // Names and messages of a host are text, never markup.
        for markup in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage", "sessionStorage", "cookie"]
        {
            assert!(!script.contains(markup), "{markup}");
        }
        for id in script.match_indices("at(\"").filter_map(|(at, found)| script.get(at + found.len()..)?.split('"').next()) {
            assert!(page.contains(&format!("id=\"{id}\"")), "the page has no `{id}`");
        }
    }
}
