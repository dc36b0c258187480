# The simulated world must be the same on every machine: no fused multiply-add where the source has two operations.
target_compile_options(${plugin} PRIVATE -ffp-contract=off)
