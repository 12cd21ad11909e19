# Run as a script by hcc_embed: FILES -> a C array of their bytes.
set(bytes "")
foreach(file ${FILES})
  file(READ ${file} text HEX)
  string(APPEND bytes "${text}")
endforeach()
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${OUTPUT}
     "extern const unsigned char ${SYMBOL}[];\nconst unsigned char ${SYMBOL}[] = {\n${bytes}\n0};\n")
