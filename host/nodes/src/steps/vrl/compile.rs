//! From VRL source to a program whose reach is known, with every refusal the host adds to those of VRL.

use super::bounds;
use super::diagnostic::{CompileError, check_size};
use super::functions::{Deletion, Deletions, allowed, index_beyond_limit, left_out};
use tamis_record::INDEX_MAX;
use vrl::compiler::unused_expression_checker::check_for_unused_results;
use vrl::compiler::{CompileConfig, Compiler, Program, TypeState};
use vrl::diagnostic::{DiagnosticList, DiagnosticMessage};
use vrl::parser::parse;
use vrl::path::PathPrefix;

/// Stack the compiler runs on. It recurses over expressions of up to [`super::NESTING_MAX`] parts, which take under 2 MiB.
const COMPILER_STACK_BYTES: usize = 16 * 1024 * 1024;
/// VRL's numbers for "this can fail, and nothing handles it": an expression (<https://errors.vrl.dev/100>), and a call with an
/// argument that may be of the wrong type (<https://errors.vrl.dev/110>).
pub(crate) const UNHANDLED: [u16; 2] = [100, 110];
/// VRL's number for a call of a function that does not exist.
const UNDEFINED_FUNCTION: u16 = 105;

/// A compiled source.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    /// What runs. It is cloned for every lane: a clone has its own scratch memory for regular expressions.
    pub(crate) program: Program,
    pub(crate) warnings: Vec<CompileError>,
    /// What it deletes, as far as the library's own account does not tell.
    pub(crate) deletions: Vec<Deletion>,
    /// Bytes put before the source for the compiler; positions in messages count them.
    pub(crate) shift: usize,
}

/// What is compiled, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// The operator's source.
    pub(crate) source: &'a str,
    /// Text the host puts before and after it.
    pub(crate) around: (&'a str, &'a str),
    /// Whether it may only look.
    pub(crate) read_only: bool,
}

/// Compiles a source.
///
/// # Errors
/// Everything that VRL and the host find wrong, with places in the operator's source.
pub(crate) fn compile(request: Request<'_>) -> Result<Compiled, Vec<CompileError>> {
    check_size(request.source).map_err(|error| vec![error])?;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("vrl-compiler".into()).stack_size(COMPILER_STACK_BYTES);
        let compiler = thread.spawn_scoped(scope, || compile_here(request));
        let failed = |what: &str| vec![CompileError::whole(request.source, format!("VRL's compiler {what}"))];
        compiler
            .map_err(|error| failed(&format!("could not be started: {error}")))?
            .join()
            .map_err(|_| failed("gave up on this program"))?
    })
}

fn compile_here(request: Request<'_>) -> Result<Compiled, Vec<CompileError>> {
    let Request { source, around: (before, after), read_only } = request;
    let mut config = CompileConfig::default();
    config.set_custom(Deletions::default());
    if read_only {
        config.set_read_only();
    }
    let text = format!("{before}{source}{after}");
    let shift = before.len();
    let problems = |diagnostics: DiagnosticList| {
        let problems = diagnostics.iter().filter(|diagnostic| diagnostic.is_problem());
        problems.map(|diagnostic| explained(source, CompileError::from_vrl(source, shift, diagnostic))).collect::<Vec<_>>()
    };
    let parsed = parse(&text).map_err(|error| problems(vec![Box::new(error) as Box<dyn DiagnosticMessage>].into()))?;
    let mut warnings = check_for_unused_results(&parsed);
    let guarded = bounds::guarded(parsed, source, shift)?;
    let functions: Vec<_> = allowed().into_iter().chain(bounds::functions()).collect();
    let result = Compiler::compile(&functions, guarded, &TypeState::default(), config).map_err(problems)?;
    warnings.extend(result.warnings);
    let warnings = warnings.iter().map(|diagnostic| CompileError::from_vrl(source, shift, diagnostic)).collect();
    let deletions = result.config.get_custom::<Deletions>().map(|deletions| deletions.0.clone()).unwrap_or_default();
    let errors = refusals(source, &result.program);
    if errors.is_empty() { Ok(Compiled { program: result.program, warnings, deletions, shift }) } else { Err(errors) }
}

/// Adds why a function is missing that VRL has elsewhere.
fn explained(source: &str, mut error: CompileError) -> CompileError {
    if error.code == Some(UNDEFINED_FUNCTION) {
        let line = source.lines().nth(error.line as usize - 1).unwrap_or_default();
        let name: String = line.chars().skip(error.column as usize - 1).take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if let Some(reason) = left_out(&name) {
            error.notes = vec![format!("`{name}` is left out here: {reason}")];
        }
    }
    error
}

/// What VRL allows and the host does not.
fn refusals(source: &str, program: &Program) -> Vec<CompileError> {
    let info = program.info();
    let mut errors = Vec::new();
    let mut refuse = |needle: &str, message: String| {
        // The compiler keeps no places of paths: the first spelling of it in the source is shown.
        let at = source.find(needle).or_else(|| needle.chars().next().and_then(|first| source.find(first)));
        let error = match at {
            Some(at) => CompileError::at(source, at, (at + needle.len()).min(source.len()), message),
            None => CompileError::whole(source, message),
        };
        if !errors.contains(&error) {
            errors.push(error);
        }
    };
    for path in info.target_queries.iter().chain(&info.target_assignments) {
        if path.prefix == PathPrefix::Metadata {
            refuse(&path.to_string(), format!("`{path}` is metadata, and records have none; use a field such as `.name` or a variable"));
        }
    }
    for path in &info.target_assignments {
        if let Some(index) = path.path.segments.iter().find_map(index_beyond_limit) {
            refuse(&format!("[{index}]"), format!("index {index} of `{path}` is beyond {INDEX_MAX}, the largest one a step may write"));
        }
    }
    errors
}
