target_link_libraries(${plugin} PRIVATE PkgConfig::ZLIB PkgConfig::ZSTD)
