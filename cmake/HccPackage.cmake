# `cpack` in a build folder makes hcc_VERSION_ARCHITECTURE.deb: everything that is installed, as one
# package. docs/packaging.md tells how it is made and tried.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME hcc)
set(CPACK_PACKAGE_VENDOR "the hcc authors")
set(HCC_PACKAGE_CONTACT "the hcc authors <hcc@example.org>" CACHE STRING "Who answers for a package")
set(CPACK_PACKAGE_CONTACT ${HCC_PACKAGE_CONTACT})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "compiler for hyper-connection networks")
set(CPACK_PACKAGE_DESCRIPTION
    "hcc turns networks with hyper-connections, the residual connection and
what has been proposed in its place, into native code. It checks their
gradients, trains them, shows what they learned, and makes programs and
libraries of them.
.
This package holds the compiler, its runtime for programs that use compiled
models, and what is needed to build them.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/cmake/package.cmake)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# Loaded by its name, which dpkg-shlibdeps cannot see; and what `hcc build` links with.
set(CPACK_DEBIAN_PACKAGE_DEPENDS
    "libopenblas0, gcc | c-compiler, libc6-dev, libjansson-dev, libpcre2-dev")
# What cpack itself writes of this depends on its version.
set(control ${CMAKE_BINARY_DIR}/control)
file(WRITE ${control}/triggers "activate-noawait ldconfig\n")
file(WRITE ${control}/shlibs "libhcc ${PROJECT_VERSION_MAJOR} hcc (>= ${PROJECT_VERSION})\n"
                             "libhcrt ${HC_ABI_VERSION} hcc (>= ${PROJECT_VERSION})\n")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${control}/triggers ${control}/shlibs)
include(CPack)
