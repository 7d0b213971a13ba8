# The data commands, without the parsing of their options.
set(solopo_synth_words ${CMAKE_CURRENT_LIST_DIR}/../data/tiny/words.json)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${solopo_synth_words})
file(READ ${solopo_synth_words} solopo_synth_words_text)
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/generated/synth_words.inc
     CONTENT "R\"words(@solopo_synth_words_text@)words\"\n" @ONLY)

add_library(solopo_data STATIC
  ${CMAKE_CURRENT_LIST_DIR}/answer_match.cpp
  ${CMAKE_CURRENT_LIST_DIR}/context_builder.cpp
  ${CMAKE_CURRENT_LIST_DIR}/context_record.cpp
  ${CMAKE_CURRENT_LIST_DIR}/data_build.cpp
  ${CMAKE_CURRENT_LIST_DIR}/data_sample.cpp
  ${CMAKE_CURRENT_LIST_DIR}/data_sample_model.cpp
  ${CMAKE_CURRENT_LIST_DIR}/data_synth.cpp
  ${CMAKE_CURRENT_LIST_DIR}/distractor_file.cpp
  ${CMAKE_CURRENT_LIST_DIR}/manifest.cpp
  ${CMAKE_CURRENT_LIST_DIR}/prompt_format.cpp
  ${CMAKE_CURRENT_LIST_DIR}/prompt_model.cpp
  ${CMAKE_CURRENT_LIST_DIR}/qa_reader.cpp
  ${CMAKE_CURRENT_LIST_DIR}/question_split.cpp)
target_include_directories(solopo_data PUBLIC ${CMAKE_CURRENT_LIST_DIR} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/generated)
find_package(fmt REQUIRED)
target_link_libraries(solopo_data PUBLIC solopo_language_model fmt::fmt solopo_device PRIVATE solopo_warnings)
