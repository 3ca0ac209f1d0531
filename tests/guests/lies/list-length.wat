;; Answers verdicts that are longer than the address space.
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $bump (local.get 2) (local.get 3)))
(func (export "init") (param i32 i32) (result i32) (i32.const 64))
(func (export "process") (param i32 i32 i32) (result i32)
  (i32.store8 (i32.const 260) (i32.const 1)) (i32.store (i32.const 264) (i32.const 8)) (i32.store (i32.const 268) (i32.const -1)) (i32.const 256))
