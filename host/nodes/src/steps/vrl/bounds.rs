//! Bounds on what a program makes in memory: a sender has a say in the values, so none may be multiplied without limit.
//!
//! The library has no such limit. The parsed program is rewritten before it is compiled: a value that is read passes
//! through a function of the host which counts its bytes, an operand of `*` through one that takes numbers alone, and
//! an argument that a function repeats through one with a small limit. The types of the program stay as they are.

use super::diagnostic::CompileError;
use std::cell::Cell;
use vrl::compiler::prelude::{
    ArgumentList, Compiled, Context, Example, Expression, ExpressionError, Function, FunctionCompileContext, Parameter, Resolved,
    TypeState, kind,
};
use vrl::compiler::state::TypeInfo;
use vrl::diagnostic::Span;
use vrl::parser::Program;
use vrl::parser::ast::{
    Abort, Assignment, Block, Container, Expr, FunctionArgument, FunctionCall, FunctionClosure, Group, Ident, IfStatement, Literal, Node,
    Not, Op, Opcode, Predicate, Query, QueryTarget, Return, RootExpr, Unary,
};
use vrl::stdlib;
use vrl::value::Value;

/// Bytes of values that a program may read for one record. What it makes it has to read to make more of it, so this
/// bounds its memory too.
pub const READ_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of a text, or size of a number, that a function puts into its result again and again.
const REPEATED_MAX: usize = 256;
/// What a value costs beside its text, in bytes.
const VALUE_BYTES: usize = 64;

/// Arguments that a function repeats, as often as its other arguments say.
const REPEATED: &[(&str, &[&str])] = &[
    ("flatten", &["separator"]),
    ("format_number", &["scale", "grouping_separator", "decimal_separator"]),
    ("join", &["separator"]),
    ("replace", &["with"]),
    ("sieve", &["replace_single", "replace_repeated"]),
];
/// Functions whose first argument is a path and not a value.
const TAKE_PATHS: &[&str] = &["del", "exists"];

thread_local! {
    static LEFT: Cell<usize> = const { Cell::new(READ_BYTES_MAX) };
}

/// Begins a record.
pub(crate) fn renew() {
    LEFT.set(READ_BYTES_MAX);
}

/// The host's functions that guard values. Their names hold a blank, so that no program can call them.
pub(crate) fn functions() -> [Box<dyn Function>; 3] {
    [Box::new(Guard::Value), Box::new(Guard::Number), Box::new(Guard::Repeated)]
}

/// The program with guards, or what is wrong with it. `shift`: bytes before the operator's `source`.
pub(crate) fn guarded(program: Program, source: &str, shift: usize) -> Result<Program, Vec<CompileError>> {
    let mut rewriter = Rewriter { source, shift, errors: Vec::new() };
    let roots = program.0.into_iter().map(|root| {
        root.map(|root| match root {
            RootExpr::Expr(expr) => RootExpr::Expr(rewriter.node(expr)),
            error @ RootExpr::Error(_) => error,
        })
    });
    let program = Program(roots.collect());
    if rewriter.errors.is_empty() { Ok(program) } else { Err(rewriter.errors) }
}

#[derive(Debug, Clone, Copy)]
enum Guard {
    /// A value that is read.
    Value,
    /// An operand of `*`.
    Number,
    /// An argument that is repeated.
    Repeated,
}

impl Guard {
    fn call(self, expr: Node<Expr>) -> Node<Expr> {
        let span = expr.span();
        let call = FunctionCall {
            ident: Node::new(span, Ident::new(self.identifier())),
            abort_on_error: false,
            arguments: vec![Node::new(span, FunctionArgument { ident: None, expr })],
            closure: None,
        };
        Node::new(span, Expr::FunctionCall(Node::new(span, call)))
    }
}

impl Function for Guard {
    fn identifier(&self) -> &'static str {
        match self {
            Self::Value => "value within limits",
            Self::Number => "number to multiply",
            Self::Repeated => "short text",
        }
    }
    fn usage(&self) -> &'static str {
        ""
    }
    fn category(&self) -> &'static str {
        "Type"
    }
    fn return_kind(&self) -> u16 {
        kind::ANY
    }
    fn parameters(&self) -> &'static [Parameter] {
        const PARAMETERS: &[Parameter] = &[Parameter::required("value", kind::ANY, "")];
        PARAMETERS
    }
    fn examples(&self) -> &'static [Example] {
        &[]
    }
    fn compile(&self, _: &TypeState, _: &mut FunctionCompileContext, arguments: ArgumentList) -> Compiled {
        Ok(Box::new(GuardCall { guard: *self, value: arguments.required("value") }))
    }
}

#[derive(Debug, Clone)]
struct GuardCall {
    guard: Guard,
    value: Box<dyn Expression>,
}

impl Expression for GuardCall {
    fn resolve(&self, ctx: &mut Context) -> Resolved {
        let value = self.value.resolve(ctx)?;
        let refused = match (self.guard, &value) {
            (Guard::Number, Value::Bytes(_) | Value::String(_)) => {
                Some("`*` multiplies numbers, and there is a text; convert it: `to_float!(.field) * 2`".to_owned())
            }
            (Guard::Repeated, Value::Integer(number)) if number.unsigned_abs() > REPEATED_MAX as u64 => {
                Some(format!("{number} is beyond {REPEATED_MAX}, the most that an argument which is repeated may be"))
            }
            (Guard::Repeated, value) if text_bytes(value).is_some_and(|bytes| bytes > REPEATED_MAX) => {
                Some(format!("a text that is put in again and again may have {REPEATED_MAX} bytes"))
            }
            (_, value) => {
                let left = LEFT.get().checked_sub(cost(value));
                LEFT.set(left.unwrap_or_default());
                left.is_none().then(|| format!("the program read more than {READ_BYTES_MAX} bytes of values for this record"))
            }
        };
        refused.map_or(Ok(value), |reason| Err(ExpressionError::from(reason)))
    }

    fn resolve_constant(&self, state: &TypeState) -> Option<Value> {
        self.value.resolve_constant(state)
    }

    fn type_info(&self, state: &TypeState) -> TypeInfo {
        self.value.type_info(state)
    }
}

fn text_bytes(value: &Value) -> Option<usize> {
    match value {
        Value::Bytes(text) => Some(text.len()),
        Value::String(text) => Some(text.len()),
        _ => None,
    }
}

/// Bytes that a copy of the value takes, about. Values of records nest no deeper than their reader allows.
fn cost(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().fold(VALUE_BYTES, |sum, item| sum.saturating_add(cost(item))),
        Value::Object(members) => {
            members.iter().fold(VALUE_BYTES, |sum, (key, item)| sum.saturating_add(key.len()).saturating_add(cost(item)))
        }
        other => text_bytes(other).unwrap_or(0).saturating_add(VALUE_BYTES),
    }
}

struct Rewriter<'a> {
    source: &'a str,
    shift: usize,
    errors: Vec<CompileError>,
}

impl Rewriter<'_> {
    fn node(&mut self, node: Node<Expr>) -> Node<Expr> {
        node.map(|expr| self.expr(expr))
    }

    fn boxed(&mut self, node: Box<Node<Expr>>) -> Box<Node<Expr>> {
        Box::new(self.node(*node))
    }

    fn expr(&mut self, expr: Expr) -> Expr {
        match expr {
            Expr::Literal(node) => match node.inner() {
                Literal::String(template) if template.as_literal_string().is_none() && !template.0.is_empty() => {
                    let concatenation = template.rewrite_to_concatenated_strings();
                    self.expr(concatenation)
                }
                _ => Expr::Literal(node),
            },
            Expr::Container(node) => Expr::Container(node.map(|container| self.container(container))),
            Expr::IfStatement(node) => Expr::IfStatement(node.map(|IfStatement { predicate, if_node, else_node }| IfStatement {
                predicate: predicate.map(|predicate| match predicate {
                    Predicate::One(expr) => Predicate::One(self.boxed(expr)),
                    Predicate::Many(exprs) => Predicate::Many(exprs.into_iter().map(|expr| self.node(expr)).collect()),
                }),
                if_node: if_node.map(|block| self.block(block)),
                else_node: else_node.map(|node| node.map(|block| self.block(block))),
            })),
            Expr::Op(node) => Expr::Op(node.map(|Op(left, operator, right)| {
                let multiplies = *operator.inner() == Opcode::Mul;
                let (left, right) = (self.boxed(left), self.boxed(right));
                if multiplies {
                    Op(Box::new(self.factor(*left)), operator, Box::new(self.factor(*right)))
                } else {
                    Op(left, operator, right)
                }
            })),
            Expr::Assignment(node) => Expr::Assignment(node.map(|assignment| match assignment {
                Assignment::Single { target, op, expr } => Assignment::Single { target, op, expr: self.boxed(expr) },
                Assignment::Infallible { ok, err, op, expr } => Assignment::Infallible { ok, err, op, expr: self.boxed(expr) },
            })),
            Expr::Query(node) => {
                let span = node.span();
                Guard::Value.call(Node::new(span, Expr::Query(node.map(|query| self.query(query))))).into_inner()
            }
            Expr::Variable(node) => Guard::Value.call(Node::new(node.span(), Expr::Variable(node))).into_inner(),
            Expr::FunctionCall(node) => Expr::FunctionCall(node.map(|call| self.call(call))),
            Expr::Unary(node) => Expr::Unary(node.map(|Unary::Not(not)| {
                Unary::Not(not.map(|not| {
                    let (sign, expr) = not.take();
                    Not::new(sign.span(), self.node(*expr))
                }))
            })),
            Expr::Abort(node) => Expr::Abort(node.map(|Abort { message }| Abort { message: message.map(|message| self.boxed(message)) })),
            Expr::Return(node) => Expr::Return(node.map(|Return { expr }| Return { expr: self.boxed(expr) })),
            Expr::Break(node) => Expr::Break(node),
        }
    }

    fn block(&mut self, block: Block) -> Block {
        Block(block.into_inner().into_iter().map(|expr| self.node(expr)).collect())
    }

    fn container(&mut self, container: Container) -> Container {
        match container {
            Container::Group(group) => Container::Group(Box::new(group.map(|Group(expr)| Group(self.node(expr))))),
            Container::Block(block) => Container::Block(block.map(|block| self.block(block))),
            Container::Array(array) => Container::Array(array.map(|array| array.into_iter().map(|expr| self.node(expr)).collect())),
            Container::Object(object) => {
                Container::Object(object.map(|object| object.into_iter().map(|(key, expr)| (key, self.node(expr))).collect()))
            }
        }
    }

    fn query(&mut self, Query { target, path }: Query) -> Query {
        let target = target.map(|target| match target {
            QueryTarget::FunctionCall(call) => QueryTarget::FunctionCall(self.call(call)),
            QueryTarget::Container(container) => QueryTarget::Container(self.container(container)),
            plain => plain,
        });
        Query { target, path }
    }

    fn call(&mut self, FunctionCall { ident, abort_on_error, arguments, closure }: FunctionCall) -> FunctionCall {
        let name = ident.inner().to_string();
        let takes_path = TAKE_PATHS.contains(&name.as_str());
        let arguments = arguments.into_iter().enumerate().map(|(position, argument)| {
            argument.map(|FunctionArgument { ident, expr }| {
                let keyword = ident.as_ref().map(|ident| ident.inner().to_string());
                let is_path = takes_path && keyword.as_deref().map_or(position == 0, |keyword| keyword == "target");
                let expr = match expr.inner() {
                    Expr::Query(_) if is_path => expr.map(|expr| match expr {
                        Expr::Query(query) => Expr::Query(query.map(|query| self.query(query))),
                        other => other,
                    }),
                    Expr::Variable(_) if is_path => expr,
                    _ => self.node(expr),
                };
                let constant = matches!(expr.inner(), Expr::Literal(_));
                let repeated = !constant && is_repeated(&name, keyword.as_deref(), position);
                FunctionArgument { ident, expr: if repeated { Guard::Repeated.call(expr) } else { expr } }
            })
        });
        let arguments = arguments.collect();
        let closure = closure.map(|node| {
            node.map(|FunctionClosure { variables, block }| FunctionClosure { variables, block: block.map(|block| self.block(block)) })
        });
        FunctionCall { ident, abort_on_error, arguments, closure }
    }

    /// An operand of `*`, which must not be a text. Operators that may fail cannot stand in a call, so the guard goes to
    /// the values they take.
    fn factor(&mut self, node: Node<Expr>) -> Node<Expr> {
        let span = node.span();
        match node.into_inner() {
            Expr::Literal(literal) => {
                if matches!(literal.inner(), Literal::String(_) | Literal::RawString(_)) {
                    self.refuse(span, "`*` multiplies numbers: repeating a text is left out, for a record could fill the memory");
                }
                Node::new(span, Expr::Literal(literal))
            }
            Expr::Container(container) => {
                let container = container.map(|container| match container {
                    Container::Group(group) => Container::Group(Box::new(group.map(|Group(expr)| Group(self.factor(expr))))),
                    Container::Block(block) => Container::Block(block.map(|block| self.last_factor(block))),
                    other => other,
                });
                Node::new(span, Expr::Container(container))
            }
            Expr::IfStatement(statement) => {
                let statement = statement.map(|IfStatement { predicate, if_node, else_node }| IfStatement {
                    predicate,
                    if_node: if_node.map(|block| self.last_factor(block)),
                    else_node: else_node.map(|node| node.map(|block| self.last_factor(block))),
                });
                Node::new(span, Expr::IfStatement(statement))
            }
            Expr::Op(op) => {
                let op = op.map(|Op(left, operator, right)| {
                    if matches!(operator.inner(), Opcode::Add | Opcode::Or | Opcode::Err) {
                        Op(Box::new(self.factor(*left)), operator, Box::new(self.factor(*right)))
                    } else {
                        Op(left, operator, right)
                    }
                });
                Node::new(span, Expr::Op(op))
            }
            Expr::Assignment(assignment) => {
                let assignment = assignment.map(|assignment| match assignment {
                    Assignment::Single { target, op, expr } => Assignment::Single { target, op, expr: Box::new(self.factor(*expr)) },
                    other => other,
                });
                Node::new(span, Expr::Assignment(assignment))
            }
            Expr::FunctionCall(call) if never_text(call.inner().ident.inner().as_ref()) => Node::new(span, Expr::FunctionCall(call)),
            other => Guard::Number.call(Node::new(span, other)),
        }
    }

    fn last_factor(&mut self, block: Block) -> Block {
        let mut exprs = block.into_inner();
        if let Some(last) = exprs.pop() {
            let last = self.factor(last);
            exprs.push(last);
        }
        Block(exprs)
    }

    fn refuse(&mut self, span: Span, message: &str) {
        let (start, end) = (span.start().saturating_sub(self.shift), span.end().saturating_sub(self.shift));
        self.errors.push(CompileError::at(self.source, start, end, message));
    }
}

fn is_repeated(function: &str, keyword: Option<&str>, position: usize) -> bool {
    let Some((_, repeated)) = REPEATED.iter().find(|(name, _)| *name == function) else { return false };
    match keyword {
        Some(keyword) => repeated.contains(&keyword),
        None => parameter(function, position).is_some_and(|keyword| repeated.contains(&keyword)),
    }
}

fn parameter(function: &str, position: usize) -> Option<&'static str> {
    let parameters = match function {
        "flatten" => stdlib::Flatten.parameters(),
        "format_number" => stdlib::FormatNumber.parameters(),
        "join" => stdlib::Join.parameters(),
        "replace" => stdlib::Replace.parameters(),
        "sieve" => stdlib::Sieve.parameters(),
        _ => &[],
    };
    parameters.get(position).map(|parameter| parameter.keyword)
}

/// Whether a function of the library gives no text, whatever it is given.
fn never_text(name: &str) -> bool {
    stdlib::all().iter().any(|function| function.identifier() == name && function.return_kind() & kind::BYTES == 0)
}
