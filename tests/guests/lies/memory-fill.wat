;; Takes all the memory it may have and fills it again and again: one such instruction is not interrupted.
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $bump (local.get 2) (local.get 3)))
(func (export "init") (param i32 i32) (result i32) (i32.const 64))
(func (export "process") (param i32 i32 i32) (result i32)
  (loop $more (br_if $more (i32.ne (i32.const -1) (memory.grow (i32.const 16)))))
  (loop $again (memory.fill (i32.const 8192) (i32.const 7) (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 8192))) (br $again))
  unreachable)
