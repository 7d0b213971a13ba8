# Runs script/conformance.py and checks its exit status and what it prints.
execute_process(COMMAND ${PYTHON} script/conformance.py ${ARGUMENTS} RESULT_VARIABLE status OUTPUT_VARIABLE out
                ERROR_VARIABLE out)
string(REPLACE "\n" " " line "${out}")
if(NOT status EQUAL STATUS OR NOT line MATCHES "${EXPECTED}")
  message(FATAL_ERROR "exit status ${status}, expected ${STATUS}; printed, expected ${EXPECTED}:\n${out}")
endif()
