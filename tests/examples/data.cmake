if(TARGET solopo_data)
  solopo_add_test(NAME examples_data LABELS quick LIBS solopo_data
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/data_answer_match_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/data_build_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/data_context_builder_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/data_prompt_model_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/data_qa_reader_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/data_sample_test.cpp
            ${CMAKE_CURRENT_LIST_DIR}/data_unfinished_work_test.cpp)
endif()
