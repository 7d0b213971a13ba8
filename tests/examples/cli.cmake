if(TARGET solopo_cli)
  solopo_add_test(NAME examples_cli LABELS quick LIBS solopo_cli
    DEFINITIONS SOLOPO_PROGRAM="$<TARGET_FILE:solopo_program>"
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/cli_eval_resume_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/cli_eval_summary_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/cli_memory_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/cli_program_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/cli_progress_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/cli_report_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/cli_statistics_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/cli_svg_chart_test.cpp)
  add_dependencies(test_examples_cli solopo_program)
endif()
