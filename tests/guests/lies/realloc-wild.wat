;; Gives memory far outside of its own for everything but strings.
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
  (if (result i32) (i32.gt_u (local.get 2) (i32.const 1)) (then (i32.const -16)) (else (call $bump (local.get 2) (local.get 3)))))
(func (export "init") (param i32 i32) (result i32) (i32.const 64))
(func (export "process") (param i32 i32 i32) (result i32) (global.set $next (i32.const 4096)) (i32.const 256))
