;; Grows a table until it may not, then stops itself.
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $bump (local.get 2) (local.get 3)))
(func (export "init") (param i32 i32) (result i32) (i32.const 64))
(table $t 1 funcref)
(func (export "process") (param i32 i32 i32) (result i32)
  (loop $more (br_if $more (i32.ne (i32.const -1) (table.grow $t (ref.null func) (i32.const 1000)))))
  unreachable)
