# What `cmake --install` puts into a prefix: the headers, the CMake package, and solopo.pc for the core. All of it is
# text that fits any processor, so it goes to share/.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir ${CMAKE_INSTALL_DATADIR}/cmake/solopo)
install(DIRECTORY ${solopo_SOURCE_DIR}/include/solopo DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.hpp" PATTERN "*.cuh")
install(TARGETS solopo_solopo EXPORT solopo-targets INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT solopo-targets NAMESPACE solopo:: DESTINATION ${package_dir})

configure_package_config_file(${solopo_SOURCE_DIR}/cmake/solopo-config.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/solopo-config.cmake INSTALL_DESTINATION ${package_dir}
  NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/solopo-config-version.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/solopo-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/solopo-config-version.cmake
              ${solopo_SOURCE_DIR}/cmake/solopo-components.cmake
              ${solopo_SOURCE_DIR}/cmake/solopo-product.cmake
        DESTINATION ${package_dir})

configure_file(${solopo_SOURCE_DIR}/cmake/solopo.pc.in ${CMAKE_CURRENT_BINARY_DIR}/solopo.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/solopo.pc DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig)
install(FILES ${solopo_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
