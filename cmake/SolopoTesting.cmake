# solopo_add_test(NAME model_llama SOURCES llama_test.cpp ... LIBS solopo::llama [LABELS quick] [SLOW])
# One executable of Catch2 tests, registered with ctest as one test; with SLOW its cases tagged [slow] are a second one,
# NAME_slow, that has no labels.
function(solopo_add_test)
  cmake_parse_arguments(ARG "SLOW" "NAME;TIMEOUT" "SOURCES;LIBS;LABELS;DEFINITIONS" ${ARGN})
  add_executable(test_${ARG_NAME} ${ARG_SOURCES})
  target_link_libraries(test_${ARG_NAME} PRIVATE solopo_test_main ${ARG_LIBS})
  target_compile_definitions(test_${ARG_NAME} PRIVATE SOLOPO_SOURCE_DIR="${solopo_SOURCE_DIR}" ${ARG_DEFINITIONS})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 600)
  endif()
  if(ARG_SLOW)
    add_test(NAME ${ARG_NAME} COMMAND test_${ARG_NAME} ~[slow])
    add_test(NAME ${ARG_NAME}_slow COMMAND test_${ARG_NAME} [slow])
    set_tests_properties(${ARG_NAME}_slow PROPERTIES TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT OMP_WAIT_POLICY=passive)
  else()
    add_test(NAME ${ARG_NAME} COMMAND test_${ARG_NAME})
  endif()
  # Tests run side by side: a thread that waits must not spin on a core another test could use.
  set_tests_properties(${ARG_NAME} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}"
                       ENVIRONMENT OMP_WAIT_POLICY=passive)
endfunction()
