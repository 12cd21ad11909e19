# hcc_exports(target headers...): the shared library exports the functions that the headers declare
# (those whose names begin with hc_ or hcc_), and nothing else. They are asked for by name, too, so
# that the linker takes them from static libraries which nobody calls yet.
set(HCC_EXPORTS_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/exports.cmake)
function(hcc_exports target)
  set(map ${CMAKE_CURRENT_BINARY_DIR}/${target}.map)
  set(needed ${CMAKE_CURRENT_BINARY_DIR}/${target}.needed)
  add_custom_command(
    OUTPUT ${map} ${needed}
    COMMAND ${CMAKE_COMMAND} "-DHEADERS=${ARGN}" -DMAP=${map} -DNEEDED=${needed} -P ${HCC_EXPORTS_SCRIPT}
    DEPENDS ${ARGN} ${HCC_EXPORTS_SCRIPT} VERBATIM)
  add_custom_target(${target}_exports DEPENDS ${map} ${needed})
  add_dependencies(${target} ${target}_exports)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${map} ${needed})
  target_link_options(${target} PRIVATE "LINKER:--version-script=${map}" "LINKER:@${needed}"
                      LINKER:-Bsymbolic-functions LINKER:-z,defs)
endfunction()
