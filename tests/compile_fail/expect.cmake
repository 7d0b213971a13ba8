# cmake -D COMMAND=a;b;c -D EXPECT=accept|<regular expression> -P expect.cmake
# Runs a compiler. "accept": it must succeed. Otherwise it must fail with a message that matches.
execute_process(COMMAND ${COMMAND} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(EXPECT STREQUAL "accept")
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "refused, but should compile:\n${output}")
  endif()
elseif(status EQUAL 0)
  message(FATAL_ERROR "compiled, but should be refused with '${EXPECT}'")
elseif(NOT output MATCHES "${EXPECT}")
  message(FATAL_ERROR "refused, but without '${EXPECT}':\n${output}")
endif()
