;; The sound parts: a bump allocator, and a signature that reads the text `m` and writes the text `a`.
;; Memory: 0 the word `ma`, 64 the answer of `init`, 128 the fields, 256 the answer of `process` (zeroed: keep all,
;; no patches), from 4,096 what the allocator gives.
(memory (export "memory") @PAGES@)
(global $next (mut i32) (i32.const 4096))
(data (i32.const 0) "ma")
(data (i32.const 64) "\00\00\00\00" "\80\00\00\00" "\01\00\00\00" "\8c\00\00\00" "\01\00\00\00" "\00\00\00\00" "\00\00\00\00" "\01")
(data (i32.const 128) "\00\00\00\00" "\01\00\00\00" "\00\00\00\00" "\01\00\00\00" "\01\00\00\00" "\00\00\00\00")
(func $bump (param $align i32) (param $size i32) (result i32)
  (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1))) (i32.sub (i32.const 0) (local.get $align))))
  (global.set $next (i32.add (local.get $at) (local.get $size)))
  (local.get $at))
