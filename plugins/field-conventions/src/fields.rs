//! What the fields mean, whatever a source calls them.

use serde::Deserialize;

/// The names that the records come with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// Those of `apim_metrics.log`, the gateway's own analytics.
    Wso2Metrics,
    /// Those of the enriched record that a mediation sequence writes.
    LaposteO2,
}

macro_rules! fields {
    ($($(#[$doc:meta])* $field:ident: $metrics:expr, $mediated:expr;)*) => {
        /// A field by its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Field {
            $($(#[$doc])* $field,)*
        }

        impl Field {
            /// Every field.
            #[cfg(test)]
            pub(crate) const ALL: &[Field] = &[$(Field::$field),*];

            /// The paths that a source has for it: the first that is present counts.
            #[must_use]
            pub const fn paths(self, from: From) -> &'static [&'static str] {
                let (metrics, mediated): (&[&str], &[&str]) = match self {
                    $(Field::$field => (&$metrics, &$mediated),)*
                };
                match from {
                    From::Wso2Metrics => metrics,
                    From::LaposteO2 => mediated,
                }
            }
        }
    };
}

fields! {
    /// When the request came, in UTC.
    Time: ["requestTimestamp"], ["app_datetime"];
    /// The line as it was logged.
    Line: ["message"], ["message"];
    /// The API's name.
    ApiName: ["apiName"], ["ApiName", "destination.name"];
    /// Its version.
    ApiVersion: ["apiVersion"], ["ApiVersion"];
    /// Who publishes it.
    ApiOwner: ["apiCreator"], ["ApiOwner"];
    /// The publisher's tenant.
    Tenant: ["apiCreatorTenantDomain"], ["tenant"];
    /// The calling application.
    ApplicationName: ["applicationName"], ["ApplicationName", "APIM-O2-ApplicationName"];
    /// Who owns it.
    ApplicationOwner: ["applicationOwner"], ["AppliOwner"];
    /// Production or not.
    Environment: ["keyType"], ["labels.itaas.Application.environnement"];
    /// The request's method.
    Method: ["apiMethod"], ["destination.http.method"];
    /// The template of its path.
    Route: ["apiResourceTemplate"], ["resource"];
    /// Its path.
    Path: ["apiContext"], ["destination.url.path"];
    /// The URL of the service behind the gateway.
    Destination: ["destination"], [];
    /// The status answered.
    Status: ["proxyResponseCode"], ["HTTP_ReturnCode"];
    /// The status that the service answered.
    TargetStatus: ["targetResponseCode"], [];
    /// The gateway's verdict.
    Verdict: ["errorType"], ["APIMStatus"];
    /// The gateway's error code.
    ErrorCode: ["errorCode"], ["ErrorCode"];
    /// What it means.
    ErrorMessage: ["errorMessage"], [];
    /// Milliseconds until the answer was sent.
    Latency: ["responseLatency"], [];
    /// Milliseconds that the service took.
    BackendLatency: ["backendLatency"], [];
    /// Milliseconds that the request was mediated.
    RequestMediation: ["requestMediationLatency"], [];
    /// Milliseconds that the response was mediated.
    ResponseMediation: ["responseMediationLatency"], [];
    /// What the request is known by in all logs.
    CorrelationId: ["correlationId"], ["CORRELATION_ID"];
    /// The caller's address.
    ClientAddress: ["userIp"], ["SourceAppel"];
    /// The caller's name.
    UserName: ["userName"], [];
    /// The caller's software.
    UserAgent: ["userAgent"], [];
    /// The caller's operating system.
    Platform: ["platform"], [];
    /// The gateway's region.
    Region: ["regionId"], [];
    /// The kind of gateway.
    Gateway: ["gatewayType"], [];
    /// Whether the response came from the cache.
    CacheHit: ["responseCacheHit"], [];
    /// Bytes of the response's body.
    ResponseSize: ["properties.responseSize"], [];
    /// Its media type.
    ResponseType: ["properties.responseContentType"], [];
    /// The gateway's host.
    GatewayHost: [], ["Origine"];
    /// Whether the call crosses the internet.
    CallsInternet: [], ["CallsInternet"];
    /// How the caller proved who it is.
    AuthPattern: [], ["Pattern"];
    /// The owners that the record is shared with.
    Shared: ["labels.shared.Application.code"], ["labels.shared.Application.code"];
    /// The level that the line was logged with.
    Level: ["level"], ["app_level"];
    /// The thread.
    Thread: ["thread"], ["thread"];
    /// The logger.
    Logger: ["logger"], ["logger"];
}
