# hcc_embed(target symbol files...): adds to `target` the text of the files as
#     const unsigned char SYMBOL[];  (NUL-terminated, the files one after the other)
# The generator is CMake itself, so that nothing else is needed to build.
set(HCC_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/embed_text.cmake)
function(hcc_embed target symbol)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded_${symbol}.c)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DSYMBOL=${symbol} "-DFILES=${ARGN}" -DOUTPUT=${output}
            -P ${HCC_EMBED_SCRIPT}
    DEPENDS ${ARGN} ${HCC_EMBED_SCRIPT} VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
