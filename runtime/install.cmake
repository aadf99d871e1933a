# What `cmake --install` gives: the headers, both libraries, and how CMake and pkg-config find them. The installed tree may be
# moved as a whole.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/weft)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
foreach(kind IN LISTS libraries) # an export set each: who uses the shared library need not have what the static one is linked with
  install(TARGETS weft_${kind} EXPORT weft-${kind}-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
                                                           LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT weft-${kind}-targets NAMESPACE weft:: DESTINATION ${package_dir})
endforeach()

configure_package_config_file(weftConfig.cmake.in weftConfig.cmake INSTALL_DESTINATION ${package_dir}
                              NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(weftConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/weftConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/weftConfigVersion.cmake
        DESTINATION ${package_dir})

# weft.pc gives the shared library where there is one (with --static, what the archive needs too); weft-static.pc always
# gives the archive, which a linker would not choose by itself when both lie in one folder.
# The dependencies stand in Libs.private and not in Requires.private: hwloc's own private libraries are only there for
# programs without any shared library, and their development files are rarely installed.
function(weft_pkg_config name libs private)
  set(weft_pc_name ${name})
  set(weft_pc_libs "${libs}")
  set(weft_pc_private "${private}")
  set(here ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
  file(RELATIVE_PATH weft_to_prefix ${here} ${CMAKE_INSTALL_PREFIX})
  file(RELATIVE_PATH weft_to_include ${here} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
  configure_file(weft.pc.in ${name}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()

set(private ${HWLOC_LDFLAGS} ${URCU_LDFLAGS})
list(TRANSFORM CMAKE_C_IMPLICIT_LINK_DIRECTORIES PREPEND -L OUTPUT_VARIABLE system)
list(REMOVE_ITEM private ${system})
list(JOIN private " " private)
weft_pkg_config(weft "-L\${libdir} -lweft" "${private} -pthread")
weft_pkg_config(weft-static "\${libdir}/libweft.a ${private} -pthread" "")
