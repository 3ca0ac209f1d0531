//! OpenTelemetry: the fields of the log data model (`Timestamp`, `Body`, `SeverityText` …), attributes by the semantic
//! conventions, version 1.44, and what these have no name for under `wso2`.

use crate::Field::*;
use crate::Value::{Failure, Host, SeverityNumber, TraceId as Trace};
use crate::{Rule, made, rule};

pub(crate) const RULES: &[Rule] = &[
    rule(Time, "Timestamp"),
    rule(Line, "Body"),
    rule(ApiName, "service.name"),
    rule(ApiVersion, "service.version"),
    rule(ApiOwner, "wso2.api.owner"),
    rule(Tenant, "wso2.tenant"),
    rule(ApplicationName, "wso2.application.name"),
    rule(ApplicationOwner, "wso2.application.owner"),
    rule(Environment, "deployment.environment.name"),
    rule(Method, "http.request.method"),
    rule(Route, "http.route"),
    rule(Path, "url.path"),
    made(Destination, "server.address", Host),
    rule(Destination, "url.full"),
    rule(Status, "http.response.status_code"),
    rule(TargetStatus, "wso2.target.status_code"),
    made(Verdict, "error.type", Failure),
    rule(ErrorCode, "wso2.error.code"),
    rule(ErrorMessage, "wso2.error.message"),
    rule(Latency, "wso2.latency.response_ms"),
    rule(BackendLatency, "wso2.latency.backend_ms"),
    rule(RequestMediation, "wso2.latency.request_mediation_ms"),
    rule(ResponseMediation, "wso2.latency.response_mediation_ms"),
    rule(CorrelationId, "wso2.correlation.id"),
    made(CorrelationId, "TraceId", Trace),
    rule(ClientAddress, "client.address"),
    rule(UserName, "user.name"),
    rule(UserAgent, "user_agent.name"),
    rule(Platform, "user_agent.os.name"),
    rule(Region, "cloud.region"),
    rule(Gateway, "wso2.gateway.type"),
    rule(CacheHit, "wso2.response.cache_hit"),
    rule(ResponseSize, "http.response.body.size"),
    // The conventions want header values as a list.
    made(ResponseType, "http.response.header.content-type", crate::Value::List),
    rule(GatewayHost, "host.name"),
    rule(CallsInternet, "wso2.calls_internet"),
    rule(AuthPattern, "wso2.auth.pattern"),
    rule(Shared, "wso2.shared.application.code"),
    rule(Level, "SeverityText"),
    made(Level, "SeverityNumber", SeverityNumber),
    rule(Thread, "thread.name"),
    rule(Logger, "InstrumentationScope.name"),
];
