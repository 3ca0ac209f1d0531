;; Rejects a row with a reason that is not UTF-8.
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $bump (local.get 2) (local.get 3)))
(func (export "init") (param i32 i32) (result i32) (i32.const 64))
(func (export "process") (param i32 i32 i32) (result i32)
  (i32.store (i32.const 512) (i32.const 0)) (i32.store (i32.const 516) (i32.const 600)) (i32.store (i32.const 520) (i32.const 2))
  (i32.store16 (i32.const 600) (i32.const 0xfeff))
  (i32.store (i32.const 280) (i32.const 512)) (i32.store (i32.const 284) (i32.const 1))
  (i32.const 256))
