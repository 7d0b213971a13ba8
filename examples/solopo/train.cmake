# The train and score commands, without the parsing of their options.
add_library(solopo_train STATIC
  ${CMAKE_CURRENT_LIST_DIR}/calibration.cpp
  ${CMAKE_CURRENT_LIST_DIR}/score_command.cpp
  ${CMAKE_CURRENT_LIST_DIR}/train_command.cpp
  ${CMAKE_CURRENT_LIST_DIR}/train_cost.cpp
  ${CMAKE_CURRENT_LIST_DIR}/train_plan.cpp)
target_include_directories(solopo_train PUBLIC ${CMAKE_CURRENT_LIST_DIR})
find_package(fmt REQUIRED)
target_link_libraries(solopo_train PUBLIC solopo_registry solopo_language_model fmt::fmt solopo_device
                      PRIVATE solopo_warnings)
