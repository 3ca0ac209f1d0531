;; A plugin that writes a text of its own into `by` of every record. The tests put the text, its length, and the fields that it asks
;; to read, into the places between at signs; `component.wat` goes around it.
;; Memory: 0 the paths, 64 the answer of `init`, 96 the written field, 108 the read one, 256 the answer of `process`, 320 its patch,
;; 512 the text, from 8,192 what is made for a call.
(memory (export "memory") 4)
(global $next (mut i32) (i32.const 8192))
(data (i32.const 0) "by" "AppliOwner")
(data (i32.const 64) "\00\00\00\00" "\6c\00\00\00" "@READS@\00\00\00" "\60\00\00\00" "\01\00\00\00")
(data (i32.const 96) "\00\00\00\00" "\02\00\00\00" "\00\00\00\00" "\02\00\00\00" "\0a\00\00\00" "\00\00\00\00")
(data (i32.const 272) "\40\01\00\00" "\01\00\00\00")
(data (i32.const 512) "@TEXT@")
(func $bump (param $align i32) (param $size i32) (result i32)
  (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1))) (i32.sub (i32.const 0) (local.get $align))))
  (global.set $next (i32.add (local.get $at) (local.get $size)))
  (local.get $at))
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $bump (local.get 2) (local.get 3)))
(func (export "init") (param i32 i32) (result i32) (i32.const 64))
(func (export "process") (param $rows i32) (param i32 i32) (result i32)
  (local $row i32) (local $offsets i32) (local $bytes i32)
  (global.set $next (i32.const 8192))
  (local.set $offsets (call $bump (i32.const 4) (i32.mul (i32.add (local.get $rows) (i32.const 1)) (i32.const 4))))
  (local.set $bytes (call $bump (i32.const 1) (i32.mul (local.get $rows) (i32.const @LENGTH@))))
  (loop $each
    (i32.store
      (i32.add (local.get $offsets) (i32.mul (local.get $row) (i32.const 4)))
      (i32.mul (local.get $row) (i32.const @LENGTH@)))
    (if (i32.lt_u (local.get $row) (local.get $rows))
      (then
        (memory.copy
          (i32.add (local.get $bytes) (i32.mul (local.get $row) (i32.const @LENGTH@))) (i32.const 512) (i32.const @LENGTH@))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br $each))))
  (i32.store (i32.const 340) (local.get $offsets))
  (i32.store (i32.const 344) (i32.add (local.get $rows) (i32.const 1)))
  (i32.store (i32.const 348) (local.get $bytes))
  (i32.store (i32.const 352) (i32.mul (local.get $rows) (i32.const @LENGTH@)))
  (i32.const 256))
