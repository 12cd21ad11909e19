# One interface target that carries what all of our C code is compiled with.
add_library(hcc_options INTERFACE)
target_compile_options(hcc_options INTERFACE -Wall -Wextra)
# For those who work on hcc: a compiler that nobody here has may warn of what ours does not.
option(HCC_WARNINGS_AS_ERRORS "End the build at the first warning" OFF)
if(HCC_WARNINGS_AS_ERRORS)
  target_compile_options(hcc_options INTERFACE -Werror)
endif()
target_compile_definitions(hcc_options INTERFACE _GNU_SOURCE)
target_include_directories(hcc_options INTERFACE ${CMAKE_SOURCE_DIR}/compiler ${CMAKE_SOURCE_DIR})

option(HCC_SANITIZE "Build with AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
if(HCC_SANITIZE)
  target_compile_options(hcc_options INTERFACE -fsanitize=address,undefined
                         -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(hcc_options INTERFACE -fsanitize=address,undefined)
endif()

option(HCC_SANITIZE_THREADS "Build with ThreadSanitizer" OFF)
if(HCC_SANITIZE_THREADS)
  target_compile_options(hcc_options INTERFACE -fsanitize=thread)
  target_link_options(hcc_options INTERFACE -fsanitize=thread)
endif()
