//! The functions a program may call: an explicit list, so that a new release of the library adds nothing unseen.

use tamis_record::{INDEX_MAX, SEGMENTS_MAX};
use vrl::compiler::prelude::{
    ArgumentList, Collection, Compiled, Context, Example, Expression, ExpressionError, Function, FunctionCompileContext, Kind, Parameter,
    Resolved, TypeDef, TypeState, VrlValueConvert, closure,
};
use vrl::compiler::state::TypeInfo;
use vrl::path::{OwnedSegment, OwnedTargetPath, OwnedValuePath};
use vrl::stdlib;

/// Functions of VRL's library a program may call.
const ALLOWED: &str = "
    abs append array assert assert_eq basename bool camelcase ceil chunks community_id compact contains contains_all crc
    decode_base16 decode_base64 decode_charset decode_mime_q decode_percent decode_punycode decrypt decrypt_ip del dirname
    downcase encode_base16 encode_base64 encode_charset encode_csv encode_gzip encode_json encode_key_value encode_logfmt
    encode_lz4 encode_percent encode_punycode encode_snappy encode_zlib encode_zstd encrypt encrypt_ip ends_with exists filter
    find flatten float floor for_each format_int format_number format_timestamp from_entries from_unix_timestamp get haversine
    hmac includes int ip_aton ip_cidr_contains ip_ntoa ip_ntop ip_pton ip_subnet ip_to_ipv6 ipv6_to_ipv4 is_array is_boolean
    is_empty is_float is_integer is_ipv4 is_ipv6 is_json is_null is_nullish is_object is_regex is_string is_timestamp join
    kebabcase keys length map_keys map_values match match_any match_array match_datadog_query md5 merge mod now object
    object_from_array parse_apache_log parse_aws_alb_log parse_aws_cloudwatch_log_subscription_message parse_aws_vpc_flow_log
    parse_bytes parse_cbor parse_cef parse_common_log parse_csv parse_duration parse_float parse_glog parse_grok parse_influxdb
    parse_int parse_json parse_key_value parse_klog parse_linux_authorization parse_logfmt parse_nginx_log parse_query_string
    parse_regex parse_regex_all parse_syslog parse_timestamp parse_tokens parse_url parse_user_agent parse_yaml pascalcase pop
    push random_bool random_bytes random_float random_int range redact remove replace replace_with round screamingsnakecase
    seahash set sha1 sha2 sha3 shannon_entropy sieve slice snakecase split split_path starts_with string
    strip_ansi_escape_codes strip_whitespace strlen tag_types_externally tally tally_value timestamp to_bool to_entries to_float
    to_int to_regex to_string to_syslog_facility to_syslog_facility_code to_syslog_level to_syslog_severity to_unix_timestamp
    truncate type_def unique upcase uuid_from_friendly_id uuid_v4 uuid_v7 values xxhash zip
";

/// Functions of VRL's library that are left out, with the reason. Those of its `env`, `system` and `network` features
/// (`get_env_var`, `get_hostname`, `get_timezone_name`, `dns_lookup`, `reverse_dns`, `http_request`, `parse_etld`,
/// `parse_proto`, `encode_proto`, `validate_json_schema`) are not even compiled in.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("decode_gzip", INFLATES),
    ("decode_lz4", INFLATES),
    ("decode_snappy", INFLATES),
    ("decode_zlib", INFLATES),
    ("decode_zstd", INFLATES),
    ("log", "it would print record values into the host's own log"),
    ("parse_groks", "it reads files"),
    ("parse_ruby_hash", RECURSES),
    ("parse_xml", RECURSES),
    ("unflatten", RECURSES),
    ("unnest", "it makes many records of one; a step gives back one"),
];

const INFLATES: &str = "a small value may unpack to more memory than the host has";
const RECURSES: &str = "deeply nested input overflows the stack";

/// What the functions of a program do to the record, noted while it is compiled. The library's own account does not tell a
/// deletion from a query.
#[derive(Debug, Default)]
pub(crate) struct Deletions(pub(crate) Vec<Deletion>);

/// A call of `del`.
#[derive(Debug, Clone)]
pub(crate) struct Deletion {
    /// What it removes.
    pub(crate) path: OwnedTargetPath,
    /// Whether it may remove emptied parents too.
    pub(crate) compact: bool,
}

/// The functions, for the compiler.
pub(crate) fn allowed() -> Vec<Box<dyn Function>> {
    let mut functions = stdlib::all();
    functions.retain(|function| ALLOWED.split_whitespace().any(|name| name == function.identifier()));
    functions.retain(|function| !matches!(function.identifier(), "del" | "set"));
    functions.push(Box::new(Del));
    functions.push(Box::new(Set));
    functions
}

/// Why a function is not there, where the library has it.
pub(crate) fn left_out(name: &str) -> Option<&'static str> {
    LEFT_OUT.iter().find(|(left_out, _)| *left_out == name).map(|(_, reason)| *reason)
}

/// Passes on what a function of the library says about itself.
macro_rules! describe_as {
    ($function:expr) => {
        fn identifier(&self) -> &'static str {
            $function.identifier()
        }
        fn usage(&self) -> &'static str {
            $function.usage()
        }
        fn category(&self) -> &'static str {
            $function.category()
        }
        fn return_kind(&self) -> u16 {
            $function.return_kind()
        }
        fn pure(&self) -> bool {
            $function.pure()
        }
        fn parameters(&self) -> &'static [Parameter] {
            $function.parameters()
        }
        fn examples(&self) -> &'static [Example] {
            $function.examples()
        }
        fn closure(&self) -> Option<closure::Definition> {
            $function.closure()
        }
    };
}

/// The library's `del`, which also notes what it may remove.
#[derive(Debug)]
struct Del;

impl Function for Del {
    describe_as!(stdlib::Del);

    fn compile(&self, state: &TypeState, ctx: &mut FunctionCompileContext, arguments: ArgumentList) -> Compiled {
        if let Ok(query) = arguments.required_query("target")
            && let Some(path) = query.external_path()
            && let Some(deletions) = ctx.get_external_context_mut::<Deletions>()
        {
            deletions.0.push(Deletion { path: path.clone(), compact: arguments.optional("compact").is_some() });
        }
        stdlib::Del.compile(state, ctx, arguments)
    }
}

/// `set` with limits: the library's recurses over the path and fills arrays up to any index, and both may come from a record.
#[derive(Debug)]
struct Set;

impl Function for Set {
    describe_as!(stdlib::Set);

    fn compile(&self, _: &TypeState, _: &mut FunctionCompileContext, arguments: ArgumentList) -> Compiled {
        let (value, path, data) = (arguments.required("value"), arguments.required("path"), arguments.required("data"));
        Ok(Box::new(SetCall { value, path, data }))
    }
}

#[derive(Debug, Clone)]
struct SetCall {
    value: Box<dyn Expression>,
    path: Box<dyn Expression>,
    data: Box<dyn Expression>,
}

impl Expression for SetCall {
    fn resolve(&self, ctx: &mut Context) -> Resolved {
        let path = self.path.resolve(ctx)?.try_array()?;
        if path.len() > SEGMENTS_MAX {
            return Err(ExpressionError::from(format!("the path has {} parts, {SEGMENTS_MAX} are allowed", path.len())));
        }
        let path = OwnedValuePath::try_from(path)?;
        if let Some(index) = path.segments.iter().find_map(index_beyond_limit) {
            return Err(ExpressionError::from(format!("index {index} is beyond {INDEX_MAX}, the largest one")));
        }
        let mut value = self.value.resolve(ctx)?;
        let data = self.data.resolve(ctx)?;
        value.insert(&path, data);
        Ok(value)
    }

    fn type_info(&self, state: &TypeState) -> TypeInfo {
        let value = self.value.type_info(state).result;
        // An empty path replaces the value altogether, as with the library's, whose type ignores that too.
        let (object, array) = (Kind::object(Collection::any()), Kind::array(Collection::any()));
        let kind = match (value.is_object(), value.is_array()) {
            (true, _) => object,
            (_, true) => array,
            _ => object.union(array),
        };
        TypeInfo::new(state, TypeDef::from(kind).fallible())
    }
}

/// The index, where a segment is one that no record may have.
pub(crate) fn index_beyond_limit(segment: &OwnedSegment) -> Option<isize> {
    match segment {
        OwnedSegment::Index(index) if index.unsigned_abs() > INDEX_MAX as usize => Some(*index),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_the_library_is_decided_upon() {
        let decided: Vec<&str> = ALLOWED.split_whitespace().chain(LEFT_OUT.iter().map(|(name, _)| *name)).collect();
        let library: Vec<&str> = stdlib::all().iter().map(|function| function.identifier()).collect();
        let undecided: Vec<&&str> = library.iter().filter(|name| !decided.contains(name)).collect();
        assert!(undecided.is_empty(), "allow or leave out: {undecided:?}");
        let unknown: Vec<&&str> = decided.iter().filter(|name| !library.contains(name)).collect();
        assert!(unknown.is_empty(), "not in the library: {unknown:?}");
        assert_eq!(decided.len(), library.len(), "decided twice");
    }

    #[test]
    fn no_function_with_ambient_authority() {
        let names: Vec<&str> = allowed().iter().map(|function| function.identifier()).collect();
        for name in [
            "get_env_var",
            "get_hostname",
            "get_timezone_name",
            "dns_lookup",
            "reverse_dns",
            "http_request",
            "parse_groks",
            "log",
            "validate_json_schema",
            "parse_proto",
            "encode_proto",
            "parse_etld",
            "get_secret",
            "get_enrichment_table_record",
        ] {
            assert!(!names.contains(&name), "{name}");
        }
        assert_eq!(names.iter().filter(|name| **name == "del").count(), 1);
    }
}
