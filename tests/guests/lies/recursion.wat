;; Calls itself without end.
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $bump (local.get 2) (local.get 3)))
(func (export "init") (param i32 i32) (result i32) (i32.const 64))
(func $again (param i32) (result i32) (i32.add (i32.const 1) (call $again (i32.add (local.get 0) (i32.const 1)))))
(func (export "process") (param i32 i32 i32) (result i32) (drop (call $again (i32.const 0))) (i32.const 256))
