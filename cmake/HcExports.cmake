# hc_exports(header script functions): the functions that the header declares, after `hc_` as in
# "int hc_samples(...)", as a list, and as a version script for the linker that shows them alone.
function(hc_exports header script functions)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
  file(READ ${header} text)
  string(REGEX REPLACE "/[*]([^*]|[*]+[^*/])*[*]+/" "" text "${text}")
  string(REGEX MATCHALL "[ *]hc_[a-z0-9_]+[(]" names "${text}")
  list(TRANSFORM names REPLACE "[ *(]" "")
  list(JOIN names "; " shown)
  file(CONFIGURE OUTPUT ${script} CONTENT "{ global: @shown@; local: *; };\n" @ONLY)
  set(${functions} ${names} PARENT_SCOPE)
endfunction()
