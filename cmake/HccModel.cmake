# hcc_add_model(TARGET FILE [SHARED [SOVERSION N]] [STATIC_RUNTIME] [OUTPUT NAME] [PREFIX NAME] [OPTIONS ...])
#
# A library of the model in FILE, for target_link_libraries. Its header is "NAME.h", where NAME is
# TARGET unless OUTPUT says otherwise; its functions begin with PREFIX (the model's name). OPTIONS
# are those of `hcc build`, such as --set d=64.
#
#   without SHARED   a static library, linked with hcc::runtime (hcc::runtime_static)
#   SHARED           a shared library that holds the runtime: NAME.so.0 (SOVERSION), to be installed
#                    as $<TARGET_FILE:TARGET>
function(hcc_add_model target file)
  cmake_parse_arguments(PARSE_ARGV 2 model "SHARED;STATIC_RUNTIME" "OUTPUT;PREFIX;SOVERSION" "OPTIONS")
  if(model_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "hcc_add_model: what is '${model_UNPARSED_ARGUMENTS}'?")
  endif()
  if(NOT model_OUTPUT)
    set(model_OUTPUT ${target})
  endif()
  if(model_PREFIX)
    list(APPEND model_OPTIONS --prefix ${model_PREFIX})
  endif()
  get_filename_component(file ${file} ABSOLUTE)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${target}.model)
  set(stem ${folder}/${model_OUTPUT})
  if(NOT DEFINED model_SOVERSION)
    set(model_SOVERSION 0)
  endif()
  if(model_SHARED)
    set(made ${stem}.so.${model_SOVERSION})
  else()
    set(made ${stem}.o)
  endif()
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(OUTPUT ${made} ${stem}.h
                     COMMAND hcc::hcc build ${file} -o ${made} ${model_OPTIONS}
                     DEPENDS ${file} hcc::hcc VERBATIM)
  if(model_SHARED)
    add_custom_target(${target}_build DEPENDS ${made})
    add_library(${target} SHARED IMPORTED GLOBAL)
    set_target_properties(${target} PROPERTIES IMPORTED_LOCATION ${made}
                          IMPORTED_SONAME ${model_OUTPUT}.so.${model_SOVERSION})
    add_dependencies(${target} ${target}_build)
    target_include_directories(${target} INTERFACE ${folder})
    return()
  endif()
  add_library(${target} STATIC ${made} ${stem}.h)
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE C)
  set_source_files_properties(${made} PROPERTIES EXTERNAL_OBJECT ON)
  target_include_directories(${target} PUBLIC ${folder})
  if(model_STATIC_RUNTIME)
    target_link_libraries(${target} PUBLIC hcc::runtime_static)
  else()
    target_link_libraries(${target} PUBLIC hcc::runtime)
  endif()
endfunction()
