//! The `tamis` binary as its users meet it: real processes, real files, real signals.
//!
//! Each module is a subject. What a test needs is made by [`tamis_tests::harness`] in a folder of its own.

#![allow(clippy::unwrap_used)]

mod adaptive;
mod admin;
mod broken_pipes;
mod cache;
mod canary;
mod capsule;
mod check;
mod commands;
mod compat;
mod dead_letters;
mod elastic;
mod evasion;
mod exits;
mod failure;
mod files;
mod full_disk;
mod grants;
mod guard_rails;
mod healthcheck;
mod hostile;
mod http_sink;
mod http_source;
mod image;
mod inputs;
mod json;
mod kafka;
mod kubernetes;
mod languages;
mod loki;
mod memory;
mod metadata;
mod monitoring;
mod nats;
mod operate;
mod operate_access;
mod order;
mod otlp;
mod otlp_collector;
mod owners;
mod pipeline_tests;
mod plugin_cases;
mod plugin_files;
mod plugin_new;
mod plugins_policy;
mod power_loss;
mod prometheus_sink;
mod registry;
mod registry_hostile;
mod reload;
mod reload_faults;
mod samples;
mod signatures;
mod spool;
mod stop;
mod store;
mod tap;
mod trial;
mod wire;
