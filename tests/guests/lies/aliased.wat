;; Answers 1,000 rejects whose reasons are all the same megabyte: a gigabyte for the host, one for the guest.
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $bump (local.get 2) (local.get 3)))
(func (export "init") (param i32 i32) (result i32) (i32.const 64))
(func (export "process") (param i32 i32 i32) (result i32)
  (local $i i32)
  (loop $next
    (i32.store offset=4096 (i32.mul (local.get $i) (i32.const 12)) (local.get $i))
    (i32.store offset=4100 (i32.mul (local.get $i) (i32.const 12)) (i32.const 65536))
    (i32.store offset=4104 (i32.mul (local.get $i) (i32.const 12)) (i32.const 1048576))
    (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
  (i32.store (i32.const 280) (i32.const 4096)) (i32.store (i32.const 284) (i32.const 1000))
  (i32.const 256))
