# Run as a script at every build: HEADER gets the commit of SOURCE, where that is a clone, and is left
# alone when it says so already.
set(commit "")
if(EXISTS ${SOURCE}/.git)
  execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12 --exclude=*
                  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
file(CONFIGURE OUTPUT ${HEADER} CONTENT "#define HCC_COMMIT \"${commit}\"\n" @ONLY)
