//! Lines without personal data: those of a gateway, and of others.

use fastrand::Rng;

use super::random::{digits, hex, pick, private_address, stamp, uuid};

fn api(rng: &mut Rng) -> &'static str {
    pick(rng, &["s2sPrediction", "SampleAPI", "TrackParcel", "PizzaShack", "address-check", "Relais", "mailStatus"])
}

fn path(rng: &mut Rng) -> String {
    let resource = pick(rng, &["predict", "parcels", "orders", "customers", "depots", "events", "labels"]);
    let id = match rng.u8(..6) {
        0 => uuid(rng),
        1 => hex(rng, 24),
        2 => {
            let n = rng.usize(1..12);
            let lead = rng.u8(1..10).to_string();
            format!("{lead}{}", digits(rng, n))
        }
        3 => format!("FR{}", digits(rng, 8)),
        4 => format!("{}{}FR", pick(rng, &["LX", "RR", "8R"]), digits(rng, 9)),
        _ => format!("{}-{}", pick(rng, &["A", "lot", "ref"]), digits(rng, 5)),
    };
    let query = match rng.u8(..6) {
        0 => format!("?page={}&size={}&sort=date,desc", rng.u16(..900), rng.u16(..100)),
        1 => format!("?from=2025-{:02}-{:02}&to=2025-12-31&status=open", rng.u8(1..=12), rng.u8(1..=28)),
        2 => format!("?q=hello%20world%21&code={}&lang=fr", rng.u16(..999)),
        3 => format!("?bbox={:.6},{:.6},{:.6},{:.6}", rng.f64() * 90.0, rng.f64() * 180.0, rng.f64() * 90.0, rng.f64() * 180.0),
        4 => format!("?ts=17{}&grant_type=password&v={}.{}.{}", digits(rng, 11), rng.u8(..9), rng.u8(..20), rng.u8(..30)),
        _ => String::new(),
    };
    format!("/{}/v{}/{resource}/{id}{query}", api(rng), rng.u8(1..4))
}

/// A line of an ordinary log, without personal data.
pub(crate) fn clean_line(rng: &mut Rng) -> String {
    let stamp = stamp(rng);
    let api = api(rng);
    match rng.u8(..14) {
        0 => format!(
            "TID: [1] [] [{stamp}]  INFO {{org.apache.synapse.mediators.builtin.LogMediator}} - {{api:{api}:vv1}} APIM-O2-ApplicationName = SACC_{}_S7_APIQA.S7_U1, APIMStatus = OK, ApiOwner = cio, SourceAppel = {}, Origine = apim-gw-acc.net.extra.example, CORRELATION_ID = urn:uuid:{}, destination.url.path = {}, HTTP_ReturnCode = {}, Pattern = client_credentials, AppliOwner = S7_",
            digits(rng, 7),
            private_address(rng),
            uuid(rng),
            path(rng),
            rng.u16(200..600)
        ),
        1 => format!(
            "12:04:17,{:03} [-] [PassThroughMessageProcessor-{}]  INFO ELKCounterMetric apimMetrics: apim:faulty, properties :{{\"apiName\":\"{api}\",\"proxyResponseCode\":429,\"errorType\":\"THROTTLED\",\"errorCode\":900803,\"apiId\":\"{}\",\"requestTimestamp\":\"{stamp}Z\",\"applicationOwner\":\"admin\",\"properties\":{{}}}}",
            rng.u16(..1000),
            rng.u8(..99),
            uuid(rng)
        ),
        2 => format!(
            "{stamp}|{}|PassThroughMessageProcessor-{}|{}|HTTP State Transition|http-outgoing-{}|POST|{}|REQUEST_DONE",
            uuid(rng),
            rng.u8(..99),
            rng.u16(..3000),
            rng.u16(..9999),
            path(rng)
        ),
        3 => format!(
            "{} - - [03/Mar/2025:11:42:{:02} +0100] \"GET {} HTTP/1.1\" {} {} \"-\" \"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.{}.{} Safari/537.36\"",
            private_address(rng),
            rng.u8(..60),
            path(rng),
            rng.u16(200..600),
            rng.u32(..90000),
            rng.u8(80..130),
            rng.u16(4000..7000),
            rng.u16(..200)
        ),
        4 => format!(
            "{stamp} WARN {{org.apache.synapse.endpoints.EndpointContext}} - Endpoint : {api}--v1_APIproductionEndpoint with address https://backend-{}.example{} will be marked SUSPENDED as it failed, status code: {}, ERROR_CODE = 1015{:02}",
            rng.u8(..99),
            path(rng),
            rng.u16(400..600),
            rng.u8(..99)
        ),
        5 => format!(
            "{stamp} ERROR at org.wso2.carbon.apimgt.gateway.handlers.security.APIAuthenticationHandler.handleRequest_aroundBody42(APIAuthenticationHandler.java:{})",
            rng.u16(..900)
        ),
        6 => format!(
            "API authentication failure due to {} code: 9009{:02}. Make sure your API invocation call has a header: 'Authorization: Bearer ACCESS_TOKEN'",
            pick(rng, &["Invalid Credentials", "Missing Credentials", "Access token expired"]),
            rng.u8(..9)
        ),
        7 => format!(
            "Basic authentication is not enabled; Bearer token validation took {} ms; cache hit ratio {:.4}; heap {} bytes; digest {}",
            rng.u16(..900),
            rng.f64(),
            rng.u64(1_000_000..9_999_999_999),
            hex(rng, 64)
        ),
        8 => format!(
            "jdbc query took {} ms: SELECT * FROM AM_API WHERE API_ID = {} AND STATUS IN ({}, {}, {}) LIMIT {}",
            rng.u16(..900),
            rng.u32(..),
            rng.u8(..),
            rng.u8(..),
            rng.u8(..),
            rng.u16(..1000)
        ),
        9 => format!(
            "cluster member {} joined; members [{}:4000, {}:4000]; icon@2x.png cached; java.lang.Object@{}; lodash@4.17.{}",
            hex(rng, 8),
            private_address(rng),
            private_address(rng),
            hex(rng, 8),
            rng.u8(..30)
        ),
        10 => format!(
            "Initiator : admin | Action : update | Target : {api} | Data : {{ \"id\" : \"{}\", \"version\" : \"1.0.{}\" }} | Result : Success",
            uuid(rng),
            rng.u8(..20)
        ),
        11 => format!(
            "metrics 1m={:.2} 5m={:.2} 15m={:.2} count={} p99={}ms epoch={} gc 0x{} mac 00:1a:2b:3c:4d:{:02x}",
            rng.f64() * 100.0,
            rng.f64() * 100.0,
            rng.f64() * 100.0,
            rng.u32(..),
            rng.u16(..3000),
            format_args!("17{:011}", rng.u64(..99_999_999_999)),
            hex(rng, 12),
            rng.u8(..)
        ),
        12 => path(rng),
        _ => format!(
            "{stamp} [{}] DEBUG std::io a::b Foo::Bar {} => {} ({}%) http://localhost:{}/ etag W/\"{}\"",
            uuid(rng),
            rng.u16(..999),
            rng.u16(..999),
            rng.u8(..100),
            rng.u16(1024..),
            hex(rng, 32)
        ),
    }
}
