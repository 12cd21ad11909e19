# What a Python wheel holds besides Python files: libhcc, and beside it OpenBLAS, which it loads by
# name and which nothing therefore finds that looks at what libraries are linked with.
set_target_properties(hcc_library PROPERTIES
  VERSION ${PROJECT_VERSION_MAJOR} # a wheel has no links: one file, under the name that is loaded
  INSTALL_RPATH "$ORIGIN" INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS hcc_library LIBRARY DESTINATION hcc COMPONENT python NAMELINK_SKIP)

pkg_get_variable(HCC_OPENBLAS_FOLDER openblas libdir)
find_file(HCC_OPENBLAS libopenblas.so.0 HINTS ${HCC_OPENBLAS_FOLDER} PATHS ${CMAKE_C_IMPLICIT_LINK_DIRECTORIES}
          NO_CACHE REQUIRED)
file(REAL_PATH ${HCC_OPENBLAS} HCC_OPENBLAS)
install(FILES ${HCC_OPENBLAS} RENAME libopenblas.so.0 DESTINATION hcc COMPONENT python)
