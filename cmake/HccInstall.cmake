# What `cmake --install` puts where. Everything is found from where it lies, so that a prefix can be
# moved; `hcc` itself finds the runtime by HCC_RUNTIME_FROM_PROGRAM (compiler/driver).
#
#   bin/hcc
#   include/hcc/hc.h, include/hcc/abi/   the C interface: #include <hcc/hc.h>
#   lib/libhcc.so.VERSION                compiler and runtime: #include <hcc/hcc.h>
#   lib/libhcrt.a, libhcrt.so.ABI        the runtime alone
#   lib/pkgconfig/hcc.pc, lib/cmake/hcc  for those who build against it
#   share/                               manual, completion, colours for editors, examples
include(CMakePackageConfigHelpers)

install(TARGETS hcc hcc_library hcrt hcrt_shared EXPORT hccTargets
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES runtime/hc.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/hcc)
# Installed headers lie beside one another.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS compiler/library/hcc.h)
file(READ compiler/library/hcc.h text)
string(REPLACE "#include \"runtime/" "#include \"" text "${text}")
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/hcc.h CONTENT "${text}" @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/hcc.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/hcc)
install(FILES abi/abi.h abi/spaces.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/hcc/abi)

# --- for those who build against it ---------------------------------------------------------------
set(HCC_CMAKE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/hcc)
install(EXPORT hccTargets NAMESPACE hcc:: DESTINATION ${HCC_CMAKE_FOLDER})
configure_package_config_file(cmake/hccConfig.cmake.in ${CMAKE_BINARY_DIR}/hccConfig.cmake
                              INSTALL_DESTINATION ${HCC_CMAKE_FOLDER}
                              NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# A minor version of 0 may change everything, as long as there is no 1.0.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/hccConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/hccConfig.cmake ${CMAKE_BINARY_DIR}/hccConfigVersion.cmake
              cmake/HccModel.cmake
        DESTINATION ${HCC_CMAKE_FOLDER})

# From where they lie and from one another: whoever packages may have given whole paths.
file(RELATIVE_PATH HCC_LIBDIR_TO_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR} ${CMAKE_INSTALL_PREFIX})
foreach(kind LIB INCLUDE BIN)
  file(RELATIVE_PATH HCC_${kind}DIR ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_${kind}DIR})
endforeach()
foreach(name hcc libhcc)
  configure_file(cmake/${name}.pc.in ${CMAKE_BINARY_DIR}/${name}.pc @ONLY)
endforeach()
install(FILES ${CMAKE_BINARY_DIR}/hcc.pc ${CMAKE_BINARY_DIR}/libhcc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# --- for those who use it -------------------------------------------------------------------------
# Written by hcc itself, as it is installed, from the tables that it parses command lines with.
set(texts ${CMAKE_BINARY_DIR}/texts)
install(CODE "execute_process(COMMAND \"${CMAKE_COMMAND}\" \"-DHCC=$<TARGET_FILE:hcc>\" \"-DFOLDER=${texts}\"
  \"-DCOMMANDS=${CMAKE_SOURCE_DIR}/compiler/driver/commands.def\" -P \"${CMAKE_SOURCE_DIR}/cmake/texts.cmake\"
  COMMAND_ERROR_IS_FATAL ANY)")
install(DIRECTORY ${texts}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(DIRECTORY ${texts}/bash/ DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(DIRECTORY ${texts}/zsh/ DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(DIRECTORY ${texts}/fish/ DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(DIRECTORY editors/vim/ DESTINATION ${CMAKE_INSTALL_DATADIR}/vim/vimfiles)
install(DIRECTORY editors/vscode DESTINATION ${CMAKE_INSTALL_DATADIR}/hcc)
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs grammar DESTINATION ${CMAKE_INSTALL_DOCDIR}
        FILES_MATCHING PATTERN "*.md")

# --- and away again -------------------------------------------------------------------------------
# What the last `cmake --install` of this build folder put somewhere.
add_custom_target(uninstall
  COMMAND ${CMAKE_COMMAND} -DMANIFEST=${CMAKE_BINARY_DIR}/install_manifest.txt
          -P ${CMAKE_SOURCE_DIR}/cmake/uninstall.cmake
  VERBATIM)

include(HccPackage)
