# Run as a script when hcc is installed: FOLDER gets the manual pages and completions that HCC prints.
file(READ ${COMMANDS} table)
string(REGEX MATCHALL "\nCOMMAND\\([A-Z]+, \"[a-z]+\"" commands "${table}")
list(TRANSFORM commands REPLACE ".*\"([a-z]+)\"" "\\1")

# print(NAME arguments...): what hcc prints, in a file.
function(print name)
  execute_process(COMMAND ${HCC} ${ARGN} OUTPUT_FILE ${FOLDER}/${name} COMMAND_ERROR_IS_FATAL ANY)
endfunction()
file(REMOVE_RECURSE ${FOLDER})
file(MAKE_DIRECTORY ${FOLDER}/man ${FOLDER}/bash ${FOLDER}/zsh ${FOLDER}/fish)
print(bash/hcc --help=bash)
print(zsh/_hcc --help=zsh)
print(fish/hcc.fish --help=fish)
print(man/hcc.1 --help=man)
foreach(command ${commands})
  print(man/hcc-${command}.1 ${command} --help=man)
endforeach()
